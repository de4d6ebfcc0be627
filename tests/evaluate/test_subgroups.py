"""A harmed kind of query is found behind a good average, and seldom imagined."""

from __future__ import annotations

import numpy as np

from zetaroute.evaluate.ope import LoggedRows, PairedDR
from zetaroute.evaluate.subgroups import Segment, harm_words, segments

KINDS = 5


def checked(rng, n: int, gains, floor: float = 0.1) -> tuple[Segment, ...]:
    """Check a candidate that always uses arm 1, which gains `gains` on each kind of query."""
    kind = rng.integers(KINDS, size=n)
    pmf = np.tile([1.0 - floor, floor], (n, 1))
    arm = (rng.random(n) < floor).astype(np.int64)
    reward = (rng.random(n) < 0.5 + np.asarray(gains)[kind] * arm).astype(float)
    rows = LoggedRows(
        x=np.eye(KINDS)[kind],
        arm=arm,
        pmf=pmf,
        before=np.zeros(n, dtype=np.int64),
        after=np.ones(n, dtype=np.int64),
        fold=rng.integers(5, size=n),
        stratum=np.ones(n, dtype=np.int64),
    )
    return segments(PairedDR(rows, reward, bounded=True), np.array([f"kind {k}" for k in kind]))


def test_no_segment_is_imagined_more_often_than_the_family_level_says():
    rng = np.random.default_rng(31)
    alarms = sum(any(s.harmed for s in checked(rng, 2000, np.zeros(KINDS))) for _ in range(200))
    # 5% are allowed; 19 of 200 would be seen in less than one run of a hundred.
    assert alarms <= 18


def test_harmed_segment_is_found_and_no_other():
    rng = np.random.default_rng(32)
    found = [checked(rng, 5000, [0.2, 0.2, 0.2, 0.2, -0.3]) for _ in range(40)]
    assert sum([s.name for s in one if s.harmed] == ["kind 4"] for one in found) >= 36


def test_every_segment_is_listed_and_small_ones_are_not_tested():
    found = checked(np.random.default_rng(33), 400, np.zeros(KINDS), floor=0.02)
    assert [s.name for s in found] == [f"kind {k}" for k in range(KINDS)]
    assert sum(s.difference.n for s in found) == 400
    assert not any(s.tested or s.harmed for s in found)
    assert "none was checked" in harm_words(found)


def test_words_never_say_that_there_is_no_harm():
    found = checked(np.random.default_rng(34), 3000, np.zeros(KINDS))
    assert harm_words(found) == "no harm was detected in 5 segments (this check is weak below 10,000 rows)"
    assert "kind 2" in harm_words(checked(np.random.default_rng(35), 5000, [0, 0, -0.4, 0, 0]))
