"""Logs that are known to be bad, each caught and named by a retrain."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from tests.cli.command import ok
from tests.support.homes import practice_home
from zetaroute.domain import Arm
from zetaroute.evaluate.log_checks import check_propensities
from zetaroute.lifecycle.log_faults import faults_of_draws

ROWS = 700
Spoil = Callable[[duckdb.DuckDBPyConnection], Any]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with graded practice rows and nothing wrong."""
    return practice_home(tmp_path_factory.mktemp("sound"), rows=ROWS, seed=3)


def retrained(home: Path, tmp_path: Path, spoil: Spoil | None) -> Any:
    copy = tmp_path / "home"
    shutil.copytree(home, copy)
    if spoil is not None:
        with duckdb.connect(str(copy / "zetaroute.duckdb")) as log:
            spoil(log)
    return ok(copy, "retrain", "--json").json


def wrong_propensities(log: duckdb.DuckDBPyConnection) -> None:
    log.execute("UPDATE outcomes SET pmf = list_transform(pmf, lambda p: p / 3)")


def repeated_feedback(log: duckdb.DuckDBPyConnection) -> None:
    log.execute("INSERT INTO feedback BY NAME SELECT * REPLACE (id || 'x' AS id) FROM feedback LIMIT 50")


def clock_ahead(log: duckdb.DuckDBPyConnection) -> None:
    log.execute("UPDATE outcomes SET time = time + INTERVAL 400 DAY WHERE hash(id) % 5 = 0")


def late_labels(log: duckdb.DuckDBPyConnection) -> None:
    log.execute(
        "DELETE FROM feedback WHERE outcome_id IN (SELECT id FROM outcomes ORDER BY time DESC LIMIT 80)"
    )


def lost_version(log: duckdb.DuckDBPyConnection) -> None:
    log.execute("UPDATE outcomes SET policy_version = 'v0042-0123456789ab' WHERE hash(id) % 3 = 0")


@pytest.mark.parametrize(
    ("spoil", "word", "refuses"),
    [
        (wrong_propensities, "propensities do not fit", True),
        (repeated_feedback, "repeat an earlier one", False),
        (clock_ahead, "from the future", False),
        (late_labels, "labels come late", False),
        (lost_version, "v0042-0123456789ab", False),
    ],
)
def test_bad_log_is_named_by_what_is_wrong(
    sound: Path, tmp_path: Path, spoil: Spoil, word: str, refuses: bool
) -> None:
    said = retrained(sound, tmp_path, spoil)
    assert any(word in reason for reason in said["reasons"]), said["reasons"]
    if refuses:
        assert (said["verdict"], said["promoted"], said["rows"]["scored"]) == ("INSUFFICIENT", False, 0)


def test_sound_log_has_nothing_to_name(sound: Path, tmp_path: Path) -> None:
    said = retrained(sound, tmp_path, None)
    words = ("do not fit", "repeat", "future", "labels come late", "no version here")
    assert not any(word in reason for reason in said["reasons"] for word in words)


def test_the_log_adds_up_probabilities_as_rows_in_memory_do() -> None:
    rng = np.random.default_rng(5)
    pmf = rng.dirichlet([5.0, 5.0, 5.0], 500)
    arm = (pmf.cumsum(axis=1) > rng.random((500, 1))).argmax(axis=1)
    arms = [Arm(id=name, provider="practice", model=name) for name in "abc"]
    found = []
    for factor in np.linspace(0.3, 1.0, 8):
        logged = pmf * [1.0, factor, 1.0]
        with duckdb.connect() as log:
            log.register(
                "rows", {"model": np.array(["a", "b", "c"])[arm], **dict(zip("abc", logged.T, strict=True))}
            )
            log.execute(
                "CREATE TABLE outcomes AS SELECT model, [a, b, c] AS pmf, 'ok' AS status, NULL AS forgotten, "
                "false AS escalated, 'served' AS role, false AS audited, 0.5 AS propensity, NULL AS fallback_of, "
                "[{'model': 'a'}, {'model': 'b'}, {'model': 'c'}] AS candidates FROM rows"
            )
            found.append(faults_of_draws(log, arms))
        assert found[-1] == check_propensities(arm, logged)
    assert any(found)
    assert not all(found)
