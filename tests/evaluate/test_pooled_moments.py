"""What was added up says the same as the rows: means, spreads, shares, ratios, weights."""

from __future__ import annotations

import numpy as np
import pytest

from zetaroute.domain import Figure
from zetaroute.evaluate.intervals import NOTHING, Moments, mean_figure, ratio

GROUPS = 7


def added_up(values, group) -> Moments:
    """Return the moments of rows by group, as SQL makes them."""
    parts = [values[(group == one) & ~np.isnan(values)] for one in range(GROUPS)]
    return Moments(
        n=np.array([len(part) for part in parts], dtype=float),
        mean=np.array([part.mean() if len(part) else np.nan for part in parts]),
        squares=np.array([((part - part.mean()) ** 2).sum() if len(part) else 0.0 for part in parts]),
    )


def drawn(seed: int, n: int = 300):
    """Return values of which some are unknown, and the group of each; one group knows nothing and one is empty."""
    rng = np.random.default_rng(seed)
    group = rng.integers(GROUPS - 1, size=n)
    values = np.where((rng.random(n) < 0.2) | (group == 0), np.nan, rng.exponential(size=n) + group)
    return values, group


def same(one: Figure, other: Figure) -> bool:
    ends = [(figure.value, figure.low, figure.high) for figure in (one, other)]
    return one.n == other.n and ends[0] == pytest.approx(ends[1], rel=1e-12, nan_ok=True)


@pytest.mark.parametrize("seed", range(5))
def test_grouped_is_rowwise(seed: int) -> None:
    values, group = drawn(seed)
    grouped, rows = added_up(values, group), Moments.of(values)
    assert same(grouped.figure(), rows.figure())
    assert same(grouped.figure(), mean_figure(values))
    assert same(grouped.where(np.arange(GROUPS) > 2).figure(), mean_figure(values[group > 2]))
    weights = np.random.default_rng(seed).random(GROUPS)
    assert same(grouped.figure(weights), rows.figure(weights[group]))
    truth = (group % 3 == 0).astype(float)
    assert same(
        ratio(grouped, (np.arange(GROUPS) % 3 == 0).astype(float)),
        ratio(rows, truth),
    )


def test_rows_that_are_alike_are_as_many_rows() -> None:
    values, rows = np.array([0.0, 0.25, 1.0, np.nan]), np.array([3.0, 4.0, 1.0, 9.0])
    each = Moments.of(np.repeat(values, rows.astype(int)))
    assert same(Moments.of(values, rows).share(), each.share())
    assert same(Moments.of(values, rows).figure(), each.figure())


def test_a_mean_does_not_reach_below_what_can_be() -> None:
    few = Moments.of(np.array([0.0, 0.0, 9.0]))
    assert few.figure().low < 0.0
    assert few.figure(least=0.0).low == 0.0


def test_weights_are_those_of_the_linearised_variance() -> None:
    values, weights = np.array([1.0, 2.0, 4.0]), np.array([1.0, 1.0, 2.0])
    figure = Moments.of(values).figure(weights)
    assert figure.value == pytest.approx(2.75)
    se = np.sqrt((0.25**2 * (1.75**2 + 0.75**2) + 0.5**2 * 1.25**2) * 3 / 2)
    assert figure.high - figure.value == pytest.approx(4.302652729911275 * se)


@pytest.mark.parametrize("values", [[], [np.nan, np.nan]])
def test_nothing_known_is_no_figure(values: list[float]) -> None:
    nothing = Moments.of(np.array(values))
    assert nothing.figure() == nothing.share() == NOTHING
    assert ratio(nothing, np.ones(len(values))).value is None


def test_one_row_has_no_interval() -> None:
    assert Moments.of(np.array([2.0])).figure() == Figure(value=2.0, low=None, high=None, n=1)
