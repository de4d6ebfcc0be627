"""A command opens the log once, so that what it says is of one moment."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import duckdb
import pytest

from tests.cli.command import Said, ok, run, write_lines
from tests.support.homes import practice_home, route
from zetaroute.config import Home
from zetaroute.domain import Feedback, new_id, utc_now
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.registry import Registry

ROWS = 240
READING = {
    "kpi": ("kpi", "--by", "segment", "--json"),
    "kpi page": ("kpi", "--html", "PAGE"),
    "compare": ("kpi", "--compare", "--json"),
    "compare with examples": ("kpi", "--compare", "--examples", "--html", "PAGE"),
    "policies list": ("policies", "list", "--json"),
    "policies verify": ("policies", "verify"),
    "policies diff": ("policies", "diff", "v0", "current", "--json"),
    "log list": ("log", "list", "--json"),
    "rate": ("rate", "up"),
    "ask in a conversation": ("ask", "-c", "--dry-run", "And 2 + 4?"),
    "log show": ("log", "show", "--json"),
    "doctor": ("doctor", "--json"),
}


def openings(home: Path, *arguments: str) -> tuple[int, Said]:
    """Run a command and return how often it opened a DuckDB file, with what it said."""
    count = 0

    def note(frame: FrameType, event: str, what: Any) -> None:
        nonlocal count
        count += event == "c_call" and what is duckdb.connect

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        said = run(home, *arguments)
    finally:
        sys.setprofile(before)
    return count, said


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a promoted version and rows from before and after it."""
    home = practice_home(tmp_path_factory.mktemp("openings"), rows=ROWS, seed=1)
    ok(home, "retrain", "--promote", "force")
    route(home, rows=ROWS, seed=2)
    ok(home, "ask", "What is 2 + 3?")
    return home


@pytest.fixture
def home(seeded: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    shutil.copytree(seeded, tmp_path / "home")
    return tmp_path / "home"


@pytest.mark.parametrize("name", READING)
def test_a_reading_command_opens_the_log_once(home: Path, tmp_path: Path, name: str) -> None:
    page = str(tmp_path / "page.html")
    count, said = openings(home, *(page if word == "PAGE" else word for word in READING[name]))
    assert (said.code, count) == (0, 1), said.err


def test_the_report_of_a_version_opens_the_log_once_for_what_promoted_it(home: Path) -> None:
    count, said = openings(home, "policies", "show")
    assert (said.code, count) == (0, 1), said.err


@pytest.mark.parametrize("words", [("promote", "v0"), ("pin",), ("rollback",)], ids=lambda words: words[0])
def test_a_command_that_changes_what_serves_opens_the_log_once(home: Path, words: tuple[str, ...]) -> None:
    count, said = openings(home, "policies", *words)
    assert (said.code, count) == (0, 1), said.err


def test_a_batch_opens_the_log_once_in_a_new_home_and_once_more_where_rows_may_be_answered(
    tmp_path: Path, instant_config: str
) -> None:
    (tmp_path / "config.toml").write_text(instant_config, encoding="utf-8")
    for number, wanted in ((1, 1), (2, 2)):
        queries = write_lines(tmp_path / f"{number}.jsonl", [{"query": f"What is {number} + 3?"}])
        count, said = openings(tmp_path, "batch", str(queries))
        assert (said.code, count) == (0, wanted), said.err


@pytest.mark.parametrize(("promote", "wanted"), [("never", 2), ("force", 3)])
def test_a_retrain_reads_once(home: Path, promote: str, wanted: int) -> None:
    """A second opening asks whether a row was forgotten meanwhile and reads the answers that teach a chain; what is
    promoted is written at a third."""
    count, said = openings(home, "retrain", "--promote", promote)
    assert (said.code, count) == (0, wanted), said.err


def test_a_reading_command_says_that_what_came_in_ended_a_contest(home: Path) -> None:
    log = Log(Home(home))
    with log.open() as connection:
        (one,) = connection.execute("SELECT max(id) FROM outcomes").fetchone() or ("",)
    challenger = ok(home, "retrain", "--json").json["artifact"]
    # The champion is gone, which the next row that comes in brings to light.
    Registry(home / "artifacts").make_current("v0000")
    said = Feedback(
        id=new_id(), outcome_id=one, metric="rating", value=4.0, source="user", author="me", time=utc_now()
    )
    log.append([Entry(feedback=(said,))])
    wanted = f"note: by what came in, the contest of {challenger} is ended: v0000 was made current"
    assert wanted in run(home, "log", "list").err
    assert "contest" not in run(home, "log", "list").err
