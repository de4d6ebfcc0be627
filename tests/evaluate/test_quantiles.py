"""The p95 of what was not served: covered with many hits, silent with few."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from zetaroute.evaluate.ope import LoggedRows
from zetaroute.evaluate.quantiles import quantile_difference

SIGMA = 0.5


def timed(rng, n: int, *, floor: float, differ: float = 1.0, slower: float = 2.0):
    """Make rows where the candidate uses arm 1, `slower` times as slow, for a share `differ` of the queries."""
    moved = (np.arange(n) < differ * n).astype(np.int64)
    arm = (rng.random(n) < floor).astype(np.int64)
    rows = LoggedRows(
        x=np.ones((n, 1)),
        arm=arm,
        pmf=np.tile([1.0 - floor, floor], (n, 1)),
        before=np.zeros(n, dtype=np.int64),
        after=moved,
        fold=rng.integers(5, size=n),
        stratum=np.ones(n, dtype=np.int64),
    )
    return rows, np.exp(SIGMA * rng.normal(size=n)) * np.where(arm == 1, slower, 1.0)


@pytest.mark.parametrize("floor", [0.1, 0.3])
def test_difference_of_p95_is_covered(floor):
    rng = np.random.default_rng(51)
    truth = float(stats.lognorm.ppf(0.95, SIGMA))
    inside = 0
    for _ in range(300):
        figure = quantile_difference(*timed(rng, 2000, floor=floor), 0.95)
        inside += figure.low <= truth <= figure.high
    assert 0.92 <= inside / 300 <= 0.99


def test_rows_that_both_policies_share_do_not_widen_the_interval():
    rng = np.random.default_rng(52)
    spread = stats.lognorm(SIGMA)
    grid = np.linspace(1.0, 8.0, 20001)
    mixed = float(np.interp(0.95, 0.8 * spread.cdf(grid) + 0.2 * spread.cdf(grid / 1.1), grid))
    truth = mixed - float(spread.ppf(0.95))
    inside, halves, errors = 0, [], []
    for _ in range(200):
        rows, values = timed(rng, 3000, floor=0.3, differ=0.2, slower=1.1)
        figure = quantile_difference(rows, values, 0.95)
        inside += figure.low <= truth <= figure.high
        halves.append((figure.high - figure.low) / 2)
        errors.append(figure.value - truth)
    assert inside / 200 >= 0.92
    assert np.mean(halves) < 1.5 * 1.96 * np.std(errors)


def test_too_few_hits_give_no_figure():
    figure = quantile_difference(*timed(np.random.default_rng(53), 500, floor=0.1), 0.95)
    assert (figure.value, figure.low, figure.n) == (None, None, 500)


def test_unknown_times_are_left_out():
    rows, values = timed(np.random.default_rng(54), 3000, floor=0.3)
    blank = np.where(np.arange(3000) < 500, np.nan, values)
    known = np.arange(3000) >= 500
    assert quantile_difference(rows, blank, 0.95) == quantile_difference(
        rows.take(known), values[known], 0.95
    )


def test_a_policy_whose_arms_were_never_drawn_has_no_figure():
    rows, values = timed(np.random.default_rng(54), 500, floor=0.3)
    rows, values = rows.take(rows.arm == 1), values[rows.arm == 1]
    assert len(values) > 100
    assert quantile_difference(rows, values, 0.95).value is None
