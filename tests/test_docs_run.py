"""What the beginner's pages and the recipes say is run as it stands there, in a home with practice models."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import duckdb
import pytest

from tests.cli.command import ok, run
from tests.test_docs import FENCE, ROOT, commands_in
from zetaroute.config import DEFAULT_PRIVACY, Home
from zetaroute.projections import log_of

ELSEWHERE = {"serve", "demo", "init"}
"""Commands that would wait for clients, for a minute, or look at this machine; like `retrain`, which learns for
seconds, they have tests of their own."""
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, instant_config: str) -> Path:
    """A home with a hundred graded rows."""
    folder = tmp_path_factory.mktemp("docs") / "home"
    folder.mkdir()
    (folder / "config.toml").write_text(instant_config, encoding="utf-8")
    queries = folder / "made.jsonl"
    ok(folder, "practice", "generate", "--rows", "100", "--seed", "3", "-o", str(queries))
    ok(folder, "batch", str(queries))
    return folder


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the files that the pages name."""
    page = (ROOT / "docs" / "start-here.md").read_text("utf-8")
    (lines,) = [text for kind, text in BLOCK.findall(page) if kind == "jsonl"]
    for name, text in (
        ("my-queries.jsonl", lines),
        ("queries.jsonl", lines),
        ("README.md", "four words are here"),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_of_the_beginning_runs(home: Path, inside: Path) -> None:
    pages = [(ROOT / page).read_text("utf-8") for page in ("README.md", "docs/start-here.md")]
    lines = [line for page in pages for line in commands_in(page)]
    ran = 0
    for line in dict.fromkeys(line.removeprefix("--home .demo ") for line in lines):
        words = shlex.split(line)
        if "--config" in words or words == ["retrain"] or (words and words[0] in ELSEWHERE):
            continue
        said = run(home, *words)
        # What has nothing to compare, to roll back or to prove yet says so in a sentence.
        assert said.code == 0 or (len(said.errors) == 1 and words[0] in {"kpi", "policies"}), (line, said.err)
        ran += 1
    assert ran >= 25


def recipe(kind: str) -> list[str]:
    return [
        text
        for found, text in BLOCK.findall((ROOT / "docs" / "recipes.md").read_text("utf-8"))
        if found == kind
    ]


def test_the_recipe_in_sql_gives_a_row_per_task_and_model(home: Path) -> None:
    (query,) = recipe("sql")
    with log_of(Home(home), DEFAULT_PRIVACY).open():
        pass
    with duckdb.connect(str(home / "zetaroute.duckdb"), read_only=True) as connection:
        found = connection.execute(query).fetchall()
    assert found
    assert all(0.0 <= accuracy <= 1.0 for _, _, _, accuracy, *_ in found)


def test_the_recipe_in_polars_weighs_every_draw(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZETAROUTE_HOME", str(home))
    names: dict[str, object] = {}
    exec(recipe("python")[0], names)  # noqa: S102  - the page's own words
    alone = names["alone"]
    assert set(alone.columns) == {"model", "queries", "as_given", "on_all", "effective"}  # type: ignore[attr-defined]
    assert (alone["effective"] <= alone["queries"] + 1e-9).all()  # type: ignore[index]
    assert "on_all" in capsys.readouterr().out


def test_the_recipe_in_pandas_reads_the_export(home: Path, inside: Path) -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    ok(home, "log", "export", "--to", "export")
    names: dict[str, object] = {}
    exec(recipe("python")[1], names)  # noqa: S102  - the page's own words
    assert names["days"]["calls"].sum() >= 100  # type: ignore[index]


def test_the_blocks_of_the_recipes_are_found() -> None:
    assert [len(recipe(kind)) for kind in ("sql", "python")] == [1, 2]
    assert len(FENCE.findall((ROOT / "docs" / "recipes.md").read_text("utf-8"))) == 5
