"""Contests by the commands: a challenger that is proven on live queries comes to serve, and a person can hold it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.command import ok, rows, run
from tests.support.homes import practice_home, route
from zetaroute.config import Home, Settings
from zetaroute.learn.incremental.train import open_source
from zetaroute.lifecycle.log_findings import _with_contest
from zetaroute.lifecycle.verdict import NO_ROWS
from zetaroute.log.log import Log
from zetaroute.registry import COLD


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose first version challenges the best single model."""
    home = practice_home(tmp_path_factory.mktemp("begun"), rows=50, seed=5, audited=True)
    said = ok(home, "retrain", "--json").json
    assert (said["verdict"], said["promoted"], said["serves"]) == ("INSUFFICIENT", False, "v0000")
    assert 0.25 <= said["share"] <= 0.9
    assert said["audits_needed"] > 0
    assert said["audit_usd_needed"] > 0
    return home


@pytest.fixture
def home(begun: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(begun, tmp_path / "home"))


@pytest.fixture(scope="module")
def won(begun: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same after its challenger was proven on live queries."""
    home = Path(shutil.copytree(begun, tmp_path_factory.mktemp("won") / "home"))
    for seed in (6, 7):
        route(home, rows=200, seed=seed)
    return home


def steps(home: Path) -> list[str]:
    return [step for (step,) in rows(home, "SELECT step FROM contests ORDER BY id")]


def test_a_challenger_proven_on_live_queries_serves_and_is_tested(won: Path) -> None:
    said = ok(won, "retrain", "--json").json
    assert (said["verdict"], said["promoted"]) == ("PROMOTE", True)
    assert said["serves"].startswith("v0001-")
    assert said["artifact"].startswith("v0002-")
    assert said["share"] == 0.5
    assert any("tested for harm first" in reason for reason in said["reasons"])
    assert steps(won) == ["began", "promoted"]
    listed = {row["version"]: row for row in ok(won, "policies", "list", "--json").json}
    assert "tested for harm on 50%" in listed[said["serves"]]["contest"]
    (counts,) = rows(won, "SELECT count(*), count(DISTINCT unit) FROM evidence")
    assert counts[0] == counts[1], "each query counts once"
    promised = ok(won, "kpi", "--compare", "--json").json
    assert promised["before"]["version"] == "v0000"
    assert promised["forecasts"][0]["promised"]["value"] > 0
    again = ok(won, "retrain", "--json").json
    assert (again["promoted"], again["serves"], steps(won)) == (False, said["serves"], ["began", "promoted"])
    assert "v0000" in ok(won, "policies", "rollback").out
    assert steps(won)[-1] == "ended"
    anew = ok(won, "retrain", "--json").json
    assert anew["rows"]["scored"] == 0, "what a contest has scored never counts again"
    assert steps(won)[-1] == "began"


def test_a_later_retrain_sends_a_new_challenger_into_the_same_contest(home: Path) -> None:
    route(home, rows=20, seed=6)
    said = ok(home, "retrain", "--json").json
    assert said["verdict"] == "INSUFFICIENT"
    events = rows(home, "SELECT step, challenger, epoch FROM contests ORDER BY id")
    assert [event[0] for event in events] == ["began", "refitted"]
    assert events[1][1] == said["artifact"]
    assert events[0][2] == events[1][2]


def test_a_pin_stops_the_challenger_until_it_is_taken_away(home: Path) -> None:
    ok(home, "policies", "pin")
    assert steps(home)[-1] == "paused"
    said = ok(home, "retrain", "--json").json
    assert said["share"] == 0.0
    assert any("is pinned" in reason for reason in said["reasons"])
    ok(home, "policies", "pin", "--off")
    assert steps(home) == ["began", "paused", "resumed"]
    assert ok(home, "retrain", "--promote", "never", "--json").json["share"] == 0.0
    assert steps(home)[-1] == "paused"
    assert ok(home, "retrain", "--json").json["share"] > 0.0
    assert steps(home)[-1] == "refitted"


def test_rollback_ends_the_contest_first(home: Path) -> None:
    assert "v0000" in ok(home, "policies", "rollback").out
    assert steps(home)[-1] == "ended"
    assert run(home, "policies", "rollback").code == 2


def test_a_damaged_challenger_gets_no_query(home: Path) -> None:
    (version,) = rows(home, "SELECT challenger FROM contests")[0]
    file = home / "artifacts" / version / "policy.npz"
    file.write_bytes(file.read_bytes()[:-1])
    for _ in range(4):
        assert ok(home, "ask", "--json", "--no-audit", "What is 2 + 3?").json["policy"] == "v0000"


def test_where_no_contest_has_run_the_reason_says_so(tmp_path: Path) -> None:
    log = Log(Home(tmp_path))
    with log.open() as connection:
        source = open_source(connection, log, Settings(arms=()), since=None, sources=(), cluster=False)
        said = [
            _with_contest(connection, source, [], Settings(arms=()), serving=version).unscored
            for version in ("v0007-x", COLD)
        ]
    assert "nothing has challenged v0007-x yet" in said[0]
    assert said[1] == NO_ROWS
