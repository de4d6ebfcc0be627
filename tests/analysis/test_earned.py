"""What the loop earned is the share of each gain since contests began, added up, less what audits cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zetaroute.analysis.earned import earned
from zetaroute.config import Home
from zetaroute.domain import ContestEvent, EvidenceLine, new_id
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log

LINE = EvidenceLine(
    id="",
    time="2026-01-01T00:00:00",
    epoch="e",
    challenger="v0001",
    unit="0",
    own=True,
    share=0.5,
    paired=True,
    champion_model="a",
    challenger_model="b",
    champion_outcome=None,
    challenger_outcome=None,
    champion_p=1.0,
    challenger_p=1.0,
    audit_probability=1.0,
    champion_usd=0.0,
    challenger_usd=0.0,
    gain_usd=0.0,
    loss_usd=0.0,
    gain_accuracy=0.0,
    variance_usd=None,
    variance_accuracy=None,
    worst_gain_usd=1.0,
    worst_loss_usd=1.0,
    worst_accuracy=1.0,
    clipped=False,
    missing=False,
    next_share=0.5,
)

BEGAN = ContestEvent(
    id="e",
    time="2026-01-01T00:00:00",
    epoch="e",
    step="began",
    champion="v0000",
    anchor="a",
    challenger="v0001",
    ranges=(),
    answer_value_usd=1.0,
    second_value_usd=0.0,
    unknown_usd=0.0,
    free=(),
    accuracy_margin=0.02,
    max_regret_usd=None,
    evidence=1.0,
    harm=1.0,
    reason="made",
    author="test",
)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    log = Log(Home(tmp_path))
    gains = [(0.5, 0.04), (0.5, -0.02), (0.9, 0.03), (0.0, 5.0)]
    lines = [
        replace(LINE, id=new_id(), share=share, gain_usd=gain, time=f"2026-01-0{day}T00:00:00")
        for day, (share, gain) in enumerate(gains, start=1)
    ]
    past = replace(LINE, id=new_id(), share=0.9, gain_usd=7.0, time="2025-12-01T00:00:00")
    log.append([Entry(evidence=(past, *lines), contests=(BEGAN,))])
    return log


def test_gains_count_by_the_share_that_the_challenger_was_given(log: Log) -> None:
    with log.open() as connection:
        found = earned(connection, since=None, audits_usd=0.007)
    usd = np.array([0.02, -0.01, 0.027, 0.0])
    assert found.value == pytest.approx(usd.sum() - 0.007)
    assert found.n == 4
    assert found.low is not None
    assert found.high is not None
    assert (found.low + found.high) / 2 == pytest.approx(found.value)
    # Student's t with 3 degrees of freedom.
    assert found.high - found.low == pytest.approx(2 * 3.18245 * usd.std(ddof=1) * 2, rel=1e-4)


def test_only_the_window_counts(log: Log) -> None:
    with log.open() as connection:
        found = earned(connection, since="2026-01-03T00:00:00", audits_usd=0.0)
    assert (found.n, found.value) == (2, pytest.approx(0.027))


def test_nothing_is_said_before_two_queries_are_scored(tmp_path: Path) -> None:
    with Log(Home(tmp_path / "new")).open() as connection:
        assert earned(connection, since=None, audits_usd=0.5).value is None
