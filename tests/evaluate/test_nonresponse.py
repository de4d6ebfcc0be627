"""Who rates is not who was asked: what can be corrected is covered, what cannot is bounded."""

from __future__ import annotations

import numpy as np
import pytest

from zetaroute.evaluate.nonresponse import Invitation, after_columns, rated_difference, response_propensity
from zetaroute.evaluate.ope import LoggedRows, PairedDR

TRUTH = 0.1
"""Arm 1 satisfies 0.2 more on one half of the queries, and nothing on the other."""


def answered(rng, n: int = 1500, floor: float = 0.3):
    """Make rows whose candidate uses arm 1, with every satisfaction known."""
    kind = rng.integers(2, size=n)
    arm = (rng.random(n) < floor).astype(np.int64)
    liked = (rng.random(n) < 0.4 + 0.2 * kind * arm).astype(float)
    rows = LoggedRows(
        x=np.column_stack([kind, 1 - kind]).astype(float),
        arm=arm,
        pmf=np.tile([1.0 - floor, floor], (n, 1)),
        before=np.zeros(n, dtype=np.int64),
        after=np.ones(n, dtype=np.int64),
        fold=rng.integers(5, size=n),
        stratum=np.ones(n, dtype=np.int64),
    )
    return rows, kind, liked


def rated_by_what_we_see(rng, rows, kind, liked):
    """Queries of the kind where arm 1 is better are rated far less often, least of all after arm 0."""
    chance = np.where(kind == 1, 0.15 + 0.1 * rows.arm, 0.8 - 0.2 * rows.arm)
    return np.where(rng.random(len(liked)) < chance, liked, np.nan)


def rated_by_mood(rng, rows, liked, odds):
    """Satisfied and unsatisfied people rate with other odds (unrated to rated), opposite for the two arms."""
    one = np.where(rows.arm == 1, odds, 1.0 / odds)
    silent = np.where(liked == 1, one / (1.0 + one), 0.5)
    return np.where(rng.random(len(liked)) < silent, np.nan, liked)


def test_ratings_that_depend_on_what_we_see_are_covered_and_leaving_them_out_is_not():
    rng = np.random.default_rng(41)
    inside = naive = 0
    errors = []
    for _ in range(120):
        rows, kind, liked = answered(rng)
        ratings = rated_by_what_we_see(rng, rows, kind, liked)
        figure = rated_difference(rows, ratings).difference.figure()
        inside += figure.low <= TRUTH <= figure.high
        errors.append(figure.value - TRUTH)
        figure = PairedDR(rows, ratings, bounded=True).difference().figure()
        naive += figure.low <= TRUTH <= figure.high
    assert inside / 120 >= 0.92
    assert abs(np.mean(errors)) < 3.5 * np.std(errors) / np.sqrt(120)
    assert naive / 120 <= 0.8


@pytest.mark.parametrize("odds", [2.0, 0.5])
def test_ratings_that_depend_on_the_mood_are_held_by_the_band_and_not_by_the_interval(odds):
    rng = np.random.default_rng(42)
    band = interval = 0
    for _ in range(100):
        rows, _, liked = answered(rng, 3000)
        found = rated_difference(rows, rated_by_mood(rng, rows, liked, odds))
        figure = found.difference.figure()
        interval += figure.low <= TRUTH <= figure.high
        band += found.band.low <= TRUTH <= found.band.high
    assert band >= 93
    assert interval <= 60


def test_chance_of_a_rating_is_learned_per_kind_and_arm():
    rng = np.random.default_rng(43)
    rows, kind, _ = answered(rng, 6000)

    def chance_of(here):
        return response_propensity(rows.x, rows.arm, here, rows.fold, arms=2)

    chance = chance_of(rng.random(6000) < 0.2 + 0.5 * kind)
    assert chance[kind == 0].mean() == pytest.approx(0.2, abs=0.03)
    assert chance[kind == 1].mean() == pytest.approx(0.7, abs=0.03)
    assert chance_of(np.zeros(6000, dtype=bool)).min() == 0.05


def test_break_even_is_where_the_bound_reaches_zero():
    rows, kind, _ = answered(np.random.default_rng(44), 6000)
    rng = np.random.default_rng(45)
    liked = (rng.random(6000) < 0.2 + 0.6 * rows.arm).astype(float)
    ratings = np.where(rng.random(6000) < 0.5, liked, np.nan)
    found = rated_difference(rows, ratings)
    assert found.break_even is not None
    assert found.break_even > 2
    assert found.band.low > 0
    swapped = rated_difference(rows, 1.0 - ratings)
    assert swapped.difference.mean == pytest.approx(-found.difference.mean)
    assert swapped.break_even == pytest.approx(found.break_even, rel=1e-6)
    same = rated_difference(rows, np.where(rng.random(6000) < 0.5, (kind == 1).astype(float), np.nan))
    assert same.break_even is None


def test_few_ratings_say_nothing():
    rows, _, liked = answered(np.random.default_rng(46), 200)
    ratings = np.where(np.arange(200) < 30, liked, np.nan)
    found = rated_difference(rows, ratings)
    assert (found.band.value, found.break_even, found.known) == (None, None, 30)
    nothing = rated_difference(rows, np.full(200, np.nan))
    assert (nothing.band.value, nothing.share) == (None, 0.0)


def test_ratings_that_depend_on_the_answer_are_covered_when_that_is_seen():
    """Wrong answers are rated three times as often; whether it was right decides what is thought."""
    rng = np.random.default_rng(47)
    inside = blind = 0
    for _ in range(80):
        rows, _, right = answered(rng, 2500)
        liked = np.where(rng.random(2500) < 0.9, right, 1 - right)
        ratings = np.where(rng.random(2500) < np.where(right == 1, 0.2, 0.2 + 0.5 * rows.arm), liked, np.nan)
        figure = rated_difference(rows, ratings, after=after_columns({"accuracy": right})).difference.figure()
        inside += figure.low <= 0.8 * TRUTH <= figure.high
        figure = rated_difference(rows, ratings).difference.figure()
        blind += figure.low <= 0.8 * TRUTH <= figure.high
    assert inside >= 0.88 * 80
    assert blind <= 0.5 * 80


def test_ratings_asked_by_lot_are_believed_and_volunteers_beside_them_are_not():
    rng = np.random.default_rng(48)
    inside = volunteers = 0
    for _ in range(80):
        rows, _, liked = answered(rng, 3000)
        asked = rng.random(3000) < 0.3
        answers = asked & (rng.random(3000) < 0.5)
        ratings = np.where(answers, liked, np.nan)
        eager = ~asked & (rng.random(3000) < np.where((liked == 1) == (rows.arm == 0), 0.6, 0.1))
        lots = Invitation(chance=np.full(3000, 0.3), asked=asked, answered=answers)
        found = rated_difference(rows, np.where(eager, liked, ratings), asking=lots)
        assert found.asked
        assert found.known == answers.sum()
        figure = found.difference.figure()
        inside += figure.low <= TRUTH <= figure.high
        figure = rated_difference(rows, np.where(eager, liked, ratings)).difference.figure()
        volunteers += figure.low <= TRUTH <= figure.high
    assert inside >= 0.88 * 80
    assert volunteers <= 0.1 * 80


def test_too_few_who_were_asked_leave_all_ratings():
    rows, _, liked = answered(np.random.default_rng(49), 1500)
    few = np.arange(1500) < 15
    found = rated_difference(
        rows, liked, asking=Invitation(chance=np.full(1500, 0.5), asked=few, answered=few)
    )
    assert (found.asked, found.known) == (False, 1500)
