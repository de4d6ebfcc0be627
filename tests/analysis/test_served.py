"""Groups of queries say what the queries say one by one, whatever stands in the log."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from zetaroute.analysis.query_kinds import Kinds
from zetaroute.analysis.served import Scope, as_served, model_shares, provenance, read_served, size, sources
from zetaroute.config import Home, Objective, Settings
from zetaroute.domain import Arm, Feedback, Outcome
from zetaroute.evaluate.key_figures import figures, on_one_mix, unrated
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log

ROWS = 700
OBJECTIVE = Objective()
SETTINGS = Settings(
    arms=(Arm(id="m/0", provider="practice", model="small", tags=("local",)),), objective=OBJECTIVE
)


def entry(number: int, rng: random.Random) -> Entry:
    """Return a query with whatever may be known of it, or not."""
    one = f"{number:05}"
    moment = (datetime(2026, 1, 1) + timedelta(hours=number)).isoformat()
    ok = rng.random() < 0.9
    asked = rng.random() < 0.3
    outcome = Outcome(
        id=one,
        time=moment,
        query=f"query {number}",
        model=f"m/{rng.randrange(2)}",
        task=rng.choice(["sums", None]),
        status="ok" if ok else "error",
        policy_version="v1" if number > ROWS // 2 else "v0",
        response_s=rng.expovariate(1.0),
        ttft_s=rng.choice([None, rng.random()]),
        router_s=0.001 * rng.random(),
        cost_usd=rng.choice([None, 0.001 * rng.random(), 0.002]),
        recorded=rng.random() < 0.1,
        ask_probability=0.3 if rng.random() < 0.9 else None,
        asked=asked,
    )
    said = []
    if ok and rng.random() < 0.8:
        said.append(("accuracy", float(rng.randint(0, 1)), rng.choice(["truth", "judge"]), False))
    if ok and asked and rng.random() < 0.6:
        said.append(("rating", rng.choice([2.0, 5.0]), "user", True))
    if ok and rng.random() < 0.1:
        said.append(("thumbs", float(rng.randint(0, 1)), "user", False))
    feedback = tuple(
        Feedback(
            id=f"{one}{metric}",
            outcome_id=one,
            metric=metric,
            value=value,
            source=source,  # type: ignore[arg-type]  # one of them
            author="test",
            time=moment,
            prompted=prompted,
            cost_usd=rng.choice([None, 0.0001]) if source == "judge" else None,
            response_s=1.0 if source == "judge" else None,
        )
        for metric, value, source, prompted in said
    )
    return Entry(outcomes=(outcome,), feedback=feedback)


@pytest.fixture(params=range(2))
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Log:
    log, rng = Log(Home(tmp_path)), random.Random(request.param)
    log.append([entry(number, rng) for number in range(ROWS)])
    return log


@pytest.fixture
def frames(log: Log) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The groups of a log, and the same with each query as a group of its own."""
    with log.open() as connection:
        grouped = read_served(connection, Scope(), kinds=Kinds())
        ids = [one for (one,) in connection.execute("SELECT id FROM outcomes ORDER BY id").fetchall()]
        single = read_served(connection, Scope(), kinds=Kinds(), edges=ids)
    assert grouped.height < single.height == ROWS
    return grouped, single


def told(frame: pl.DataFrame) -> dict[str, Any]:
    """Return all that is said of the queries of a frame."""
    sides = [as_served(frame.filter(policy_version=version), SETTINGS) for version in ("v0", "v1")]
    change = unrated(*sides)
    assert change is not None
    return {
        "rows": size(frame),
        **sources(frame),
        "provenance": provenance(frame),
        "shares": dict(model_shares(frame)),
        "band": (change.known, change.share, change.band.low, change.band.high),
        **{f"{name} now": one.json() for name, one in figures(as_served(frame, SETTINGS), OBJECTIVE).items()},
        **{f"{name} then": one.json() for name, one in on_one_mix(*sides, OBJECTIVE).difference.items()},
    }


def known(found: Any) -> Any:
    """Return what was said with NaN for what is unknown, so that it can be nearly the same."""
    if isinstance(found, dict):
        return {name: known(one) for name, one in found.items()}
    return float("nan") if found is None else found


def test_grouped_is_rowwise(frames: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    grouped, single = (told(frame) for frame in frames)
    assert grouped.keys() == single.keys()
    assert grouped["satisfaction"]["corrected"]
    for name, found in grouped.items():
        assert known(found) == pytest.approx(known(single[name]), rel=1e-9, abs=1e-12, nan_ok=True), name


def test_days_and_parts_divide_what_was_served(log: Log) -> None:
    with log.open() as connection:
        frame = read_served(
            connection, Scope(since="2026-01-03"), by_day=True, edges=["00000", "00100", "00200"]
        )
    by = {
        column: dict(frame.group_by(column).agg(pl.col("rows").sum()).iter_rows())
        for column in ("day", "part")
    }
    assert by["part"] == {0: 100 - 48, 1: 100, 2: ROWS - 200}
    assert by["day"]["2026-01-05"] == 24
    assert min(by["day"]) == "2026-01-03"


def test_a_log_without_rows_has_empty_figures(tmp_path: Path) -> None:
    with Log(Home(tmp_path)).open() as connection:
        frame = read_served(connection, Scope())
    found = figures(as_served(frame, SETTINGS), OBJECTIVE)
    assert size(frame) == 0
    assert {(one.value, one.n) for one in found.values()} == {(None, 0)}
    assert sources(frame)["accuracy"] == {}
    assert model_shares(frame) == {}
