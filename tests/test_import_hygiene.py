"""Start-up time is a feature: what each command may import, seen from `sys.modules` of a real process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import environment
from tests.cli.conftest import http_config, says
from tests.providers.loopback import ModelServer, Running
from tests.support.waiting import PATIENCE_S

LEARNING = {"sklearn", "scipy", "polars", "pandas", "matplotlib", "joblib", "jinja2", "dask"}
LEARNED = {f"zetaroute.{name}" for name in ("answers.final", "features", "policy.chain", "policy.serialise")}
"""What only a learned policy needs."""
COMMANDS = {
    "ask",
    "batch",
    "bench",
    "doctor",
    "feedback",
    "grade",
    "init",
    "learn",
    "log",
    "models",
    "policies",
}
# Notes what is loaded at the first byte of the answer and at the end, and passes everything on.
WATCHER = """
import json, sys

class Watched:
    def __init__(self, stream):
        self.stream, self.first = stream, None

    def write(self, text):
        if self.first is None:
            self.first = sorted(sys.modules)
        return self.stream.write(text)

    def __getattr__(self, name):
        return getattr(self.stream, name)

watched = sys.stdout = Watched(sys.stdout)
target, sys.argv = sys.argv[1], ["zetaroute", *sys.argv[2:]]
try:
    import runpy
    runpy.run_module("zetaroute", run_name="__main__")
finally:
    with open(target, "w") as file:
        json.dump({"first": watched.first, "last": sorted(sys.modules)}, file)
"""


@pytest.fixture
def server() -> Iterator[ModelServer]:
    running = Running()
    yield running.start()
    running.stop()


def loaded(tmp_path: Path, *arguments: str) -> tuple[set[str], set[str]]:
    """Return the modules that were there when the answer began, and at the end."""
    notes = tmp_path / "modules.json"
    done = subprocess.run(
        [sys.executable, "-c", WATCHER, str(notes), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(),
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout
    found = json.loads(notes.read_text(encoding="utf-8"))
    return set(found["first"]), set(found["last"])


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), ("ask", "--help"), ("retrain", "--help"), ("serve", "--help")]
)
def test_help_loads_nothing_heavy(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    _, last = loaded(tmp_path, *arguments)
    assert last & (LEARNING | {"numpy", "duckdb", "httpx", "rich", "asyncio", "ssl"}) == set()


@pytest.mark.parametrize(
    ("arguments", "rooms"),
    [(("--help",), set()), (("ask", "--help"), {"ask"}), (("kpi", "--help"), {"learn"})],
)
def test_only_the_command_that_is_called_is_loaded(
    tmp_path: Path, arguments: tuple[str, ...], rooms: set[str]
) -> None:
    _, last = loaded(tmp_path, *arguments)
    assert {module for module in COMMANDS if f"zetaroute.cli.commands.{module}" in last} == rooms


@pytest.mark.parametrize("flags", [(), ("--no-stream",), ("--json",)])
def test_asking_a_practice_model(tmp_path: Path, instant_config: str, flags: tuple[str, ...]) -> None:
    (tmp_path / "config.toml").write_text(instant_config, encoding="utf-8")
    first, last = loaded(tmp_path, "--home", str(tmp_path), "ask", *flags, "What is 2 + 3?")
    assert first & (LEARNING | {"httpx", "rich", "jsonschema"}) == set()
    assert last & (LEARNING | {"duckdb"} | LEARNED) == set()


@pytest.mark.parametrize("flags", [(), ("--no-stream",)])
def test_asking_over_http(tmp_path: Path, server: ModelServer, flags: tuple[str, ...]) -> None:
    server.reply(says("yes"))
    (tmp_path / "config.toml").write_text(http_config(server), encoding="utf-8")
    first, last = loaded(tmp_path, "--home", str(tmp_path), "ask", *flags, "hello")
    assert first & (LEARNING | {"jsonschema", "rich", "pygments"}) == set()
    assert last & (LEARNING | {"duckdb"} | LEARNED) == set()


def test_a_dry_run_reads_no_log(tmp_path: Path, instant_config: str) -> None:
    (tmp_path / "config.toml").write_text(instant_config, encoding="utf-8")
    _, last = loaded(tmp_path, "--home", str(tmp_path), "ask", "--dry-run", "--json", "hello")
    marking = {f"zetaroute.grading.{name}" for name in ("number", "choice", "text_graders", "json_schema")}
    assert last & (LEARNING | marking | {"duckdb", "httpx", "rich", "urllib.request"}) == set()


def test_a_batch_on_practice_models_loads_no_learning(tmp_path: Path, instant_config: str) -> None:
    (tmp_path / "config.toml").write_text(instant_config, encoding="utf-8")
    (tmp_path / "q.jsonl").write_text('{"query": "What is 2 + 3?"}\n', encoding="utf-8")
    _, last = loaded(tmp_path, "--home", str(tmp_path), "batch", str(tmp_path / "q.jsonl"), "--json")
    assert last & LEARNING == set()


def test_a_policy_with_a_chain_is_loaded_without_what_reads_answers() -> None:
    code = "import sys, zetaroute.policy.chain.files; sys.exit('zetaroute.answers.final' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, env=environment()).returncode == 0
