"""Intervals cover a known truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from zetaroute.domain import Figure
from zetaroute.evaluate.intervals import (
    Moments,
    difference_figure,
    mean_figure,
    quantile_figures,
    ratio,
    t_quantile,
)


def coverage(figure_of, truth: float, draw, replications: int = 800) -> float:
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(replications):
        figure = figure_of(draw(rng))
        hits += figure.low <= truth <= figure.high
    return hits / replications


def share_figure(values):
    return Moments.of(values).share()


def test_t_quantile_is_scipys():
    assert t_quantile(0.975, 7) == pytest.approx(stats.t.ppf(0.975, 7))
    assert t_quantile(0.975, float("inf")) == pytest.approx(1.96, abs=1e-3)


def test_mean_covers():
    assert 0.93 <= coverage(mean_figure, 1.0, lambda rng: rng.exponential(size=200)) <= 0.97


def test_share_covers_near_the_edge():
    assert coverage(share_figure, 0.97, lambda rng: (rng.random(120) < 0.97).astype(float)) >= 0.93


def test_share_of_all_right_has_a_width():
    figure = share_figure(np.ones(50))
    assert figure.value == 1.0
    assert figure.high == 1.0
    assert figure.low is not None
    assert 0.9 < figure.low < 0.95


@pytest.mark.parametrize("probability", [0.5, 0.95])
def test_quantile_covers(probability):
    truth = float(stats.expon.ppf(probability))
    assert (
        coverage(lambda x: quantile_figures(x, probability)[0], truth, lambda rng: rng.exponential(size=400))
        >= 0.93
    )


def test_ratio_covers():
    def draw(rng):
        right = (rng.random(300) < 0.7).astype(float)
        return rng.exponential(size=300) * 0.01, right

    assert coverage(lambda pair: ratio(Moments.of(pair[0]), pair[1]), 0.01 / 0.7, draw) >= 0.92


def test_difference_of_two_samples_covers_and_knows_its_sign():
    def draw(rng):
        return rng.normal(1.5, 1.0, 150), rng.normal(1.0, 2.0, 90)

    def figure_of(pair):
        return difference_figure(mean_figure(pair[0]), mean_figure(pair[1]))

    assert 0.92 <= coverage(figure_of, 0.5, draw) <= 0.98


def test_missing_values_are_left_out():
    figure = mean_figure(np.array([1.0, np.nan, 3.0]))
    assert (figure.value, figure.n) == (2.0, 2)
    assert mean_figure(np.array([np.nan])) == Figure(value=None, low=None, high=None, n=0)
