"""The field's measures against values worked out by hand, and what must hold for any points."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from zetaroute.evaluate.frontier import aiq, call_curve, hull, regret_fraction, routerarena

POINT = st.tuples(st.floats(0.001, 100), st.floats(0, 1))
POINTS = st.lists(POINT, min_size=1, max_size=12)


def columns(points):
    cost, quality = zip(*points, strict=True)
    return np.array(cost), np.array(quality)


def test_hull_leaves_out_what_a_mixture_beats():
    # (2, .3) lies under the line from (1, .2) to (3, .6); (5, .5) costs more for less; (1, .1) is the worse twin.
    found = hull(np.array([5.0, 1.0, 3.0, 2.0, 1.0]), np.array([0.5, 0.2, 0.6, 0.3, 0.1]))
    assert found.cost.tolist() == [1.0, 3.0]
    assert found.quality.tolist() == [0.2, 0.6]
    np.testing.assert_allclose(found.quality_at(np.array([0.5, 1.0, 2.0, 9.0])), [np.nan, 0.2, 0.4, 0.6])
    assert found.cost_at(0.5) == pytest.approx(2.5)
    assert found.cost_at(0.1) == 1.0
    assert found.cost_at(0.61) is None


def test_hull_ignores_points_without_a_cost_and_needs_one_with():
    found = hull(np.array([np.nan, 2.0]), np.array([0.9, 0.4]))
    assert found.cost.tolist() == [2.0]
    with pytest.raises(ValueError, match="at least one point"):
        hull(np.array([np.nan]), np.array([0.9]))


def test_aiq_by_hand():
    found = hull(np.array([1.0, 3.0]), np.array([0.2, 0.6]))
    # From 1 to 3 the mean is .4, from 3 to 5 it is .6.
    assert aiq(found, low=1.0, high=5.0) == pytest.approx(0.5)
    # Below its cheapest point a hull reaches nothing: a quarter of 0 to 4 at 0, half at .4, a quarter at .6.
    assert aiq(found, low=0.0, high=4.0) == pytest.approx(0.35)
    assert aiq(found, low=2.0, high=3.0) == pytest.approx(0.5)
    assert aiq(found, low=0.0, high=0.5) == 0.0
    with pytest.raises(ValueError, match="two different costs"):
        aiq(found, low=1.0, high=1.0)


@given(POINTS)
def test_hull_lies_above_every_point_rises_and_bends_down(points):
    cost, quality = columns(points)
    found = hull(cost, quality)
    assert (found.quality_at(cost) >= quality - 1e-9).all()
    assert (np.diff(found.cost) > 0).all()
    assert (np.diff(found.quality) > 0).all()
    slopes = np.diff(found.quality) / np.diff(found.cost)
    assert (np.diff(slopes) <= 1e-9 * np.abs(slopes[:-1])).all()
    assert found.cost[0] == cost.min()
    assert found.quality[-1] == quality.max()


@given(POINTS, POINT)
def test_one_more_point_never_lowers_the_hull(points, more):
    before, after = hull(*columns(points)), hull(*columns([*points, more]))
    assert (after.quality_at(before.cost) >= before.quality - 1e-9).all()
    assert aiq(after, low=0.0, high=200.0) >= aiq(before, low=0.0, high=200.0) - 1e-9


@given(POINTS, st.floats(0, 1))
def test_cost_at_is_the_way_back(points, quality):
    found = hull(*columns(points))
    cost = found.cost_at(quality)
    if quality > found.quality[-1]:
        assert cost is None
    else:
        assert cost is not None
        assert found.quality_at(np.array([cost + 1e-9]))[0] >= quality - 1e-9


def test_regret_fraction():
    assert regret_fraction(0.9, oracle=0.9, single=0.7) == 0.0
    assert regret_fraction(0.7, oracle=0.9, single=0.7) == pytest.approx(1.0)
    assert regret_fraction(0.75, oracle=0.9, single=0.7) == pytest.approx(0.75)
    assert regret_fraction(0.7, oracle=0.7, single=0.7) is None


def test_routerarena_score():
    # At the cheap end C = 1: S = 1.1 A / (.1 A + 1). At the expensive end C = 0 and so is S.
    assert routerarena(0.5, 0.0044e-3) == pytest.approx(0.55 / 1.05)
    assert routerarena(0.5, 0.2) == 0.0
    assert routerarena(0.5, 0.0) == pytest.approx(0.55 / 1.05)
    middle = math.sqrt(200 * 0.0044) / 1000
    assert routerarena(0.8, middle) == pytest.approx(1.1 * 0.8 * 0.5 / (0.08 + 0.5))
    assert routerarena(0.0, 0.2) == 0.0


def test_call_curve_by_hand():
    weak, strong = np.array([1.0, 0.0, 0.0, 1.0]), np.array([1.0, 1.0, 1.0, 0.0])
    # Gap .25. In the order of preference the gains are +1, +1, 0, -1: recovered 1, 2, 2, 1.
    curve = call_curve(weak, strong, np.array([0.1, 0.9, 0.8, 0.0]))
    assert curve is not None
    assert curve.share.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert curve.recovered.tolist() == [0.0, 1.0, 2.0, 2.0, 1.0]
    assert curve.apgr() == pytest.approx(0.25 * (0.5 + 1.5 + 2.0 + 1.5))
    assert curve.cpt(0.5) == pytest.approx(0.125)
    assert curve.cpt(2.0) == 0.5
    assert curve.cpt(2.1) is None
    assert curve.cpt(0.0) == 0.0


def test_no_curve_where_the_strong_model_is_not_better():
    assert call_curve(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([0.0, 1.0])) is None


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_a_router_without_an_opinion_is_chance(outcomes):
    weak, strong = (np.array(column, dtype=float) for column in zip(*outcomes, strict=True))
    curve = call_curve(weak, strong, np.zeros(len(outcomes)))
    if strong.mean() <= weak.mean():
        assert curve is None
    else:
        assert curve is not None
        assert curve.apgr() == pytest.approx(0.5)
        assert curve.cpt(0.5) == pytest.approx(0.5)
        assert curve.cpt(0.8) == pytest.approx(0.8)


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 4)), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
)
def test_the_curve_does_not_depend_on_the_order_of_the_queries(outcomes, random):
    def curve(rows):
        weak, strong, preference = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
        return call_curve(weak, strong, preference)

    mixed = list(outcomes)
    random.shuffle(mixed)
    one, other = curve(outcomes), curve(mixed)
    if one is None:
        assert other is None
    else:
        assert other is not None
        np.testing.assert_allclose(one.recovered, other.recovered, atol=1e-12)
        assert one.recovered[-1] == pytest.approx(1.0)
