"""A canary by its commands: begun, judged as rows come, promoted or rolled back, and obeyed at once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pytest

from tests.cli.command import ok, refused, rows, run
from tests.support.homes import practice_home, route
from zetaroute.registry import ARRAYS, VOCABULARY, Registry

ROWS = 900


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that explores little, with graded practice rows and a first version that was not promoted."""
    home = tmp_path_factory.mktemp("canary")
    practice_home(home, rows=ROWS, seed=11)
    said = ok(home, "retrain", "--promote", "never", "--json").json
    assert (said["promoted"], said["canary"]) == (False, None)
    return home


@pytest.fixture
def home(seeded: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    shutil.copytree(seeded, tmp_path / "home")
    return tmp_path / "home"


def batch(home: Path, count: int, *, seed: int) -> None:
    route(home, "--concurrency", "2", rows=count, seed=seed)


def steps(home: Path) -> list[str]:
    return [step for (step,) in rows(home, "SELECT step FROM canaries ORDER BY time")]


def current(home: Path) -> str:
    listed = ok(home, "policies", "list", "--json").json
    return next(row["version"] for row in listed if row["current"])


def broken(home: Path) -> str:
    """Publish the first version again with its heads turned round: every model gets another one's forecast."""
    registry = Registry(home / "artifacts")
    name = registry.versions()[0]
    manifest = registry.manifest(name)
    kept = {file: registry.read(name, file) for file in (ARRAYS, VOCABULARY)}
    turned = [*manifest["models"][1:], manifest["models"][0]]
    return registry.publish(manifest | {"models": turned, "priced": {}}, kept)


def test_better_version_is_promoted_over_separate_runs(home: Path) -> None:
    assert "tried from now on" in ok(home, "policies", "canary", "1").out
    assert steps(home) == ["started"]
    for seed in range(20, 32):
        batch(home, 150, seed=seed)
        if "promoted" in steps(home):
            break
    assert steps(home)[-1] == "promoted"
    version = Registry(home / "artifacts").versions()[0]
    assert current(home) == version
    assert rows(home, "SELECT version, previous, author FROM promotions") == [(version, "v0000", "canary")]
    # Both sides were really served, and the logged probability is the one over both.
    served = dict(
        rows(home, "SELECT policy_version, count(*) FROM outcomes WHERE duel IS NOT NULL GROUP BY ALL")
    )
    assert set(served) == {"v0000", version}
    wrong = rows(
        home,
        """SELECT count(*) FROM outcomes WHERE duel IS NOT NULL AND (abs(list_sum(pmf) - 1) > 1e-9 OR propensity <>
               list_extract(pmf, list_position(list_transform(candidates, lambda c: c.model), model)))""",
    )
    assert wrong == [(0,)]
    said = ok(home, "kpi", "--compare", "--json").json
    assert (said["before"]["version"], said["after"]["version"]) == ("v0000", version)
    assert said["canary"]["low"] <= said["canary"]["value"] <= said["canary"]["high"]
    (forecast,) = said["forecasts"]
    assert (forecast["by"], forecast["promised"]) == ("canary", said["canary"])
    shown = ok(home, "kpi", "--compare").out
    assert "What promotions promised" in shown
    assert ok(home, "policies", "verify").out.count("repeats") == 1


def test_broken_version_is_rolled_back(home: Path) -> None:
    good = Registry(home / "artifacts").versions()[0]
    ok(home, "policies", "promote", good)
    bad = broken(home)
    ok(home, "policies", "canary", bad)
    for seed in range(40, 60):
        batch(home, 150, seed=seed)
        if steps(home)[-1] not in {"started", "raised"}:
            break
    assert steps(home)[-1] == "rolled_back"
    assert current(home) == good
    exposed = rows(home, f"SELECT count(*) FROM outcomes WHERE policy_version = '{bad}'")
    everyone = rows(home, "SELECT count(*) FROM outcomes WHERE duel IS NOT NULL")
    assert exposed[0][0] < everyone[0][0] / 2


def test_rollback_ends_a_canary_and_the_next_query_obeys(home: Path) -> None:
    ok(home, "policies", "promote", "1")
    serving = current(home)
    ok(home, "policies", "canary", "v0000")
    listed = {row["version"]: row for row in ok(home, "policies", "list", "--json").json}
    assert "tried on 10%" in listed["v0000"]["canary"]
    assert "tried on 10%" in ok(home, "policies", "list").out.replace("\n", " ")
    ok(home, "policies", "rollback")
    assert steps(home) == ["started", "stopped"]
    assert current(home) == serving
    answered = ok(home, "ask", "--json", "What is 2 + 3?").json
    assert answered["policy"] == serving
    assert rows(home, "SELECT duel FROM outcomes ORDER BY id DESC LIMIT 1") == [(None,)]


def test_retrain_tries_what_is_hopeful_and_tells(home: Path) -> None:
    batch(home, 300, seed=70)
    said = ok(home, "retrain", "--promote", "canary", "--json").json
    assert said["promoted"] is False
    assert said["canary"]["version"] == said["artifact"]
    assert (said["canary"]["share"], said["canary"]["graded"]) == (0.1, 0), (
        "those who are served well are protected"
    )
    again = ok(home, "retrain").out
    assert "a canary tries" in again
    assert steps(home) == ["started"]


def test_another_version_takes_the_place_of_the_one_on_trial(home: Path) -> None:
    first = Registry(home / "artifacts").versions()[0]
    second = broken(home)
    ok(home, "policies", "canary", first)
    ok(home, "policies", "canary", second)
    taken = rows(home, "SELECT step, version, promote_at FROM canaries ORDER BY time")
    assert taken == [("started", first, 80.0), ("stopped", first, 80.0), ("started", second, 80.0)]
    assert {row["version"]: bool(row["canary"]) for row in ok(home, "policies", "list", "--json").json} == {
        "v0000": False,
        first: False,
        second: True,
    }


def test_version_that_serves_cannot_be_tried(home: Path) -> None:
    refused(run(home, "policies", "canary", "current"), 2)
    refused(run(home, "policies", "canary", "v0009"), 1)


def test_settled_log_can_be_judged_again_by_anyone(home: Path) -> None:
    """Everything that the judgement rests on stands in the log: another home with the same rows decides alike."""
    ok(home, "policies", "canary", "1")
    batch(home, 200, seed=80)
    state = json.loads((home / "state.json").read_text())
    (home / "state.json").unlink()
    ok(home, "log", "list", "--limit", "1")
    assert json.loads((home / "state.json").read_text())["canary"] == state["canary"]


def test_pinned_version_stays_until_a_person_says_otherwise(home: Path) -> None:
    ok(home, "policies", "canary", "1")
    assert "serves until you say otherwise" in ok(home, "policies", "pin").out
    assert steps(home) == ["started", "stopped"]
    said = ok(home, "retrain", "--json").json
    assert (said["promoted"], said["canary"]) == (False, None)
    assert any("pinned" in reason for reason in said["reasons"])
    listed = {row["version"]: row["current"] for row in ok(home, "policies", "list", "--json").json}
    assert listed["v0000"] == "serves now, pinned"
    assert "v0000 may be replaced again" in ok(home, "policies", "pin", "--off").out
    assert "nothing was pinned" in ok(home, "policies", "pin", "--off").out


def test_difference_of_two_versions_names_what_would_move(home: Path) -> None:
    found = ok(home, "policies", "diff", "0", "1", "--json").json
    assert found["queries"] == ROWS
    assert 0 < sum(move["queries"] for move in found["moved"]) <= ROWS
    assert found["facts"]["routes"][0] == "by each model's record and the config's priors"
    assert "latest queries" in ok(home, "policies", "diff", "0", "1").out
    assert ok(home, "policies", "diff", "1", "1", "--json").json["moved"] == []


def test_version_that_predicts_otherwise_than_it_did_is_named(home: Path) -> None:
    ok(home, "policies", "promote", "1")
    batch(home, 20, seed=90)
    version = Registry(home / "artifacts").versions()[0]
    with duckdb.connect(str(home / "zetaroute.duckdb")) as log:
        log.execute(
            """UPDATE outcomes SET candidates = list_transform(candidates, lambda c: struct_update(
                   c, accuracy := struct_pack(mean := c.accuracy.mean / 2, se := c.accuracy.se)))
               WHERE policy_version = ?""",
            [version],
        )
    said = refused(run(home, "policies", "verify"), 1)
    assert version in said
    assert "once predicted" in said
