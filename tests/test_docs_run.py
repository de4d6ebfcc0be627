"""Every command, query and recipe of the pages runs as it stands there, in homes with practice models.

A small shell in this process knows `zetaroute`, `duckdb`, `export` and pipes; what it leaves out is in `ELSEWHERE`.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

import duckdb
import polars
import pytest

from tests.cli.command import Said, ok, rows, run, write_lines
from tests.cli.commands.test_log_import import ROW, batch_line, request_line
from tests.cli.conftest import bare_environment, says
from tests.providers.loopback import ModelServer, Reply, Running, Seen, http
from tests.support.homes import instant
from tests.test_docs import ROOT
from tests.transfer.test_llm_sqlite import OLDER, made, response
from zetaroute.config import default_config_text

__all__ = ["bare_environment"]

PAGES = [ROOT / "README.md", ROOT / "AGENTS.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"`([\w.-]+\.(?:sql|toml))`.*:\n\n\Z")
"""The file that the line before a block names."""
BASE = Path(".local/share/zetaroute")
"""The home of a page, below its folder."""

ELSEWHERE = {
    "pipx": "installs: `make stranger`",
    "pip": "installs: `make stranger`",
    "make": "`make test` is what runs here",
    ".venv/bin/pytest": "`make test` is what runs here",
    "pytest": "half an hour: `make stress`",
    "python": "minutes: `make bench`",
    "curl": "tests/serve/test_doors.py sends what it says",
    "zetaroute serve": "waits for clients: tests/serve",
    "zetaroute demo": "a minute: tests/cli/test_contract.py",
    "zetaroute init": "looks at the ports of this machine: tests/setup/test_detect.py",
    "dask": "starts a cluster: tests/learn/test_cluster.py",
    "--cluster": "needs that cluster",
    "claude": "a program of others: `make clients`",
    "aider": "a program of others: `make clients`",
    "docker": "a container",
    "ollama": "a server of models",
    "llama-server": "a server of models",
    "vllm": "a server of models",
    "systemctl": "needs systemd",
    "journalctl": "needs systemd",
}
"""What is not run here, and why."""
SHORTER = {
    "practice generate": ("--rows", "80"),
    "grade": ("--limit", "3"),
    "log forget": ("--yes",),
    "recorded.toml retrain": ("--promote", "force"),
    "replay": ("--rounds", "1", "--rows", "60"),
}
"""Options behind a command that make it small, or settle what a person or more rows would."""
STANDS_FOR = {
    "s3://logs/zetaroute": "shared-folder",
    "=openai/gpt-4o-mini": "=practice/large",
    'judge = "openai/gpt-4.1-mini"': 'judge = "practice/large"',
}
"""What pages name and this machine has not, and what takes its place."""
AN_ID = "0192f0c1-7d3e-7a3b-8c1d-2e3f4a5b6c7d"
CONFIGS = {"guards.md": Path("walk/config.toml"), "grading.md": BASE / "config.toml"}
"""Pages whose blocks in TOML are parts of one config."""
PYTHON = {"python.md", "recipes.md"}
"""Pages whose blocks in Python are run, those of pandas where it is installed."""
PANDAS = find_spec("pandas") is not None and find_spec("pyarrow") is not None


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, instant_config: str) -> Path:
    """A home with a conversation, graded rows and a version that took over from another."""
    home = tmp_path_factory.mktemp("docs") / "home"
    home.mkdir()
    judge = '[graders.my-judge]\njudge = "practice/large"\n'
    (home / "config.toml").write_text(f"{instant_config}\n{judge}", encoding="utf-8")
    queries = home / "made.jsonl"
    for rows_, seed in (("120", "3"), ("40", "4")):
        ok(home, "practice", "generate", "--rows", rows_, "--seed", seed, "-o", str(queries))
        ok(home, "batch", str(queries), "-o", str(home / f"{seed}.jsonl"))
        if seed == "3":
            ok(home, "retrain", "--promote", "force")
    ok(home, "ask", "--cid", "talk", "What is 2 + 3?")
    return home


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """One server for every service that the configs name."""
    running = Running()
    server = running.start()
    server.reply(answers)
    yield server
    running.stop()


def answers(seen: Seen) -> Reply:
    if "/chat/" in seen.target:
        return says("Because of the air.")(seen)
    return http({"object": "list", "data": []})


@pytest.fixture
def folder(prepared: Path, server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with homes and with the files that pages name."""
    for home in (BASE, Path(".demo")):
        shutil.copytree(prepared, tmp_path / home)
    for name in ("walk", "seed", "mine", "rec"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.toml").write_text(instant(default_config_text()), encoding="utf-8")
    (tmp_path / "configs").mkdir()
    for config in (ROOT / "configs").glob("*.toml"):
        text = re.sub(r"https?://[\w.]+(:\d+)?", server.url, config.read_text("utf-8"))
        (tmp_path / "configs" / config.name).write_text(text, encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("ZETAROUTE_HOME", str(tmp_path / BASE))
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENROUTER_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    lay_out(tmp_path)
    return tmp_path


def lay_out(folder: Path) -> None:
    """Write the files of the pages."""
    page = (ROOT / "docs" / "start-here.md").read_text("utf-8")
    (lines,) = [text for kind, text in BLOCK.findall(page) if kind == "jsonl"]
    for name in ("my-queries.jsonl", "queries.jsonl"):
        (folder / name).write_text(lines, encoding="utf-8")
    (folder / "data").mkdir()
    some = (ROOT / "data" / "practice.jsonl").read_text("utf-8").splitlines()[:20]
    (folder / "data" / "practice.jsonl").write_text("\n".join(some), encoding="utf-8")
    (folder / "README.md").write_text("four words are here", encoding="utf-8")
    (folder / BASE / "schema.json").write_text('{"type": "object"}', encoding="utf-8")
    config = '[[models]]\nid = "a/b"\nprovider = "practice"\nmodel = "small"\nprior_acuracy = 0.5\n'
    (folder / "my.toml").write_text(config, encoding="utf-8")
    made(folder / "logs.db", OLDER, responses=[response("01a", "2 + 2?", "4")])
    write_lines(folder / "batch_output.jsonl", [batch_line("a", "4")])
    write_lines(folder / "batch_input.jsonl", [request_line("a", "2 + 2?")])
    write_lines(folder / "router_rows.jsonl", [ROW])
    label = {"outcome_id": "last", "metric": "accuracy", "value": 1, "source": "truth"}
    write_lines(folder / "labels.jsonl", [label])


class Shell:
    """Runs the lines of a page in a folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.home = folder / BASE
        self.patch = monkeypatch

    def line(self, line: str, shown: str = "") -> None:
        """Run a line; the page may show what it says: an error, or tables whose headings must be there."""
        fails = shown.startswith("error")
        for mark, real in STANDS_FOR.items():
            line = line.replace(mark, real)
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|<>")
        lexer.whitespace_split = True
        said = Said(code=0, out="", err="")
        for pipe, part in groupby(lexer, "|".__eq__):
            words = list(part)
            if not pipe and elsewhere(words):
                return
            if not pipe:
                said = self.redirected(words, said.out.encode())
        assert fails or said.code == 0, f"{line}: exit code {said.code}\n{said.out}\n{said.err}"
        assert not fails or "error" in said.out + said.err, f"{line}: no error\n{said.out}\n{said.err}"
        assert "Traceback" not in said.err, said.err
        shows = tables(shown)
        for first, names in tables(said.out).items():
            assert names <= shows.get(first, names), f"{line}: a table of the page is another\n{said.out}"

    def redirected(self, words: list[str], given: bytes) -> Said:
        """Run a command with its input or output in a file."""
        if len(words) > 2 and words[-2] == "<":
            return self.command(words[:-2], (self.folder / words[-1]).read_bytes())
        if len(words) > 2 and words[-2] == ">":
            said = self.command(words[:-2], given)
            (self.folder / words[-1]).write_text(said.out, encoding="utf-8")
            return said
        return self.command(words, given)

    def command(self, words: list[str], given: bytes) -> Said:
        """Run one command."""
        words = [str(Path(word).expanduser()) if word.startswith("~/") else word for word in words]
        program, *rest = words
        if program == "zetaroute":
            return self.zetaroute(rest, given)
        if program == "export":
            for word in rest:
                name, _, value = word.partition("=")
                self.patch.setenv(name, value)
            return Said(code=0, out="", err="")
        if program == "duckdb":
            return in_duckdb(rest, given.decode())
        if shutil.which(program) is None:
            return Said(code=0, out=given.decode(), err="")
        done = subprocess.run(words, input=given, capture_output=True, check=False)
        return Said(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())

    def zetaroute(self, words: list[str], given: bytes) -> Said:
        """Run the program, in the home that the line names."""
        home = self.home
        if "--home" in words:
            at = words.index("--home")
            home = self.folder / words[at + 1]
            words = words[:at] + words[at + 2 :]
        if AN_ID in words:
            named = "conversation" if "--conversation" in words else "id"
            found = rows(home, f"SELECT min({named}) FROM outcomes WHERE forgotten IS NULL")[0][0]
            words = [found if word == AN_ID else word for word in words]
        spoken = " ".join(word for word in words if not word.startswith("-"))
        more = next((more for key, more in SHORTER.items() if spoken.startswith(key)), ())
        return run(home, *words, *more, stdin=given)


def tables(text: str) -> dict[str, set[str]]:
    """Return the headings of the tables in a text by the first of each (columns without figures are left out)."""
    heads = re.findall(r"^ (.*?) *\n +─+ *$", text, re.MULTILINE)
    return {re.split(r" {2,}", head)[0]: set(re.split(r" {2,}", head)) for head in heads}


def elsewhere(words: list[str]) -> bool:
    """Return whether a command is one that is not run here."""
    while re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    if words[1:2] in (["--home"], ["--config"]):
        words = words[:1] + words[3:]
    return bool({words[0], " ".join(words[:2]), *words[2:]} & set(ELSEWHERE))


def in_duckdb(words: list[str], given: str) -> Said:
    """Do what DuckDB's own command would with these words and this input."""
    file = next((word for word in words if word.endswith(".duckdb")), ":memory:")
    if "-c" in words:
        given = words[words.index("-c") + 1]
    with duckdb.connect(file, read_only=file != ":memory:") as connection:
        connection.execute(given or "SELECT count(*) FROM rounds")
    return Said(code=0, out="", err="")


def play(page: Path, shell: Shell) -> None:
    """Run a page from its first block to its last."""
    text = page.read_text("utf-8")
    names: dict[str, object] = {}
    for block in BLOCK.finditer(text):
        kind, content = block.groups()
        named = NAMED.search(text[: block.start()][-400:])
        if kind == "toml" and page.name in CONFIGS:
            configure(shell.folder / CONFIGS[page.name], content)
        elif named:
            (shell.folder / named[1]).write_text(content, encoding="utf-8")
        elif kind in {"sh", ""}:
            for line in content.replace("\\\n", " ").splitlines():
                shell.line(line)
        elif kind == "console":
            for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", content, re.MULTILINE):
                shell.line(command, output)
        elif kind == "sql":
            in_duckdb([str(shell.folder / ".demo/zetaroute.duckdb")], content)
        elif kind == "python" and "pandas" in content and not PANDAS:
            read_as_polars(shell.folder, content)
        elif kind == "python" and page.name in PYTHON:
            exec(content, names)  # noqa: S102  - the page's own words


def read_as_polars(folder: Path, recipe: str) -> None:
    """Without pandas: read the folder that the recipe reads, and find every column that it names."""
    (place,) = re.findall(r'read_parquet\("(.*)"\)', recipe)
    found = set(polars.read_parquet(folder / place).columns)
    named = set(re.findall(r'rows\["(\w+)"\]|=\("(\w+)", ', recipe))
    assert {one or other for one, other in named} <= found


def configure(config: Path, block: str) -> None:
    """Begin a config with a block of models, or add another block to it."""
    block = re.sub(r'(?m)^provider = "practice"$', 'provider = "practice"\ndelay = 0', block)
    for mark, real in STANDS_FOR.items():
        block = block.replace(mark, real)
    before = "" if "[[models]]" in block else config.read_text("utf-8") + "\n"
    config.write_text(before + block, encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_runs(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(page, Shell(folder, monkeypatch))
