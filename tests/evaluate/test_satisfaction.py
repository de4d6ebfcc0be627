"""Satisfaction of the rated and the unrated together, where it is known what everybody thinks."""

from __future__ import annotations

import numpy as np
import pytest

from zetaroute.evaluate.intervals import mean_figure, wilson
from zetaroute.evaluate.nonresponse import Covariates, Invitation, after_columns
from zetaroute.evaluate.satisfaction import SATISFIED, satisfaction_change, satisfaction_estimate

N = 1500
TRIALS = 60
LIKED = {0: 0.3, 1: 0.8}
"""Chance that somebody likes an answer that is wrong, or right."""


def answers(rng, *, right: float = 0.6, n: int = N):
    """Return whether n answers are right, and what is thought of each (0..1)."""
    accuracy = (rng.random(n) < right).astype(float)
    liked = rng.random(n) < np.where(accuracy == 1, LIKED[1], LIKED[0])
    return accuracy, np.where(liked, 1.0, 0.25)


def truth(right: float = 0.6) -> float:
    liked = right * LIKED[1] + (1 - right) * LIKED[0]
    return liked + 0.25 * (1 - liked)


def told(rng, accuracy, satisfaction, rated, asking=None):
    n = len(accuracy)
    nobody = Invitation(
        chance=np.full(n, np.nan), asked=np.zeros(n, dtype=bool), answered=np.zeros(n, dtype=bool)
    )
    seen = Covariates(
        x=np.ones((n, 1)),
        arm=rng.integers(2, size=n),
        arms=2,
        fold=np.arange(n) % 5,
        after=after_columns({"accuracy": accuracy}),
    )
    return satisfaction_estimate(
        seen, np.where(rated, satisfaction, np.nan), asking or nobody, could=np.ones(n, dtype=bool)
    )


def by_accuracy(rng, accuracy):
    return rng.random(len(accuracy)) < np.where(accuracy == 1, 0.1, 0.4)


def test_ratings_that_depend_on_accuracy_are_corrected_and_as_they_come_they_mislead():
    rng = np.random.default_rng(1)
    inside = liked = naive = 0
    for _ in range(TRIALS):
        accuracy, satisfaction = answers(rng)
        rated = by_accuracy(rng, accuracy)
        found = told(rng, accuracy, satisfaction, rated)
        figure, share, plain = found.satisfaction(), found.satisfied(), mean_figure(satisfaction[rated])
        assert figure.n == rated.sum()
        inside += figure.low <= truth() <= figure.high
        liked += share.low <= (truth() - 0.25) / 0.75 <= share.high
        naive += plain.low <= truth() <= plain.high
    assert inside >= 0.9 * TRIALS
    assert liked >= 0.9 * TRIALS
    assert naive <= 0.3 * TRIALS


def test_ratings_asked_by_lot_count_alone_and_free_from_who_volunteers():
    """Only the unhappy volunteer; of those whom a lot asks, all answer with the same chance."""
    rng = np.random.default_rng(2)
    inside = volunteered = 0
    for _ in range(TRIALS):
        accuracy, satisfaction = answers(rng, n=3000)
        asked = rng.random(3000) < 0.1
        answered = asked & (rng.random(3000) < 0.6)
        unhappy = (satisfaction < SATISFIED) & (rng.random(3000) < 0.5)
        rated = np.where(asked, answered, unhappy)
        lots = Invitation(chance=np.full(3000, 0.1), asked=asked, answered=answered)
        found = told(rng, accuracy, satisfaction, rated, lots)
        figure = found.satisfaction()
        assert found.asked
        assert figure.n == answered.sum()
        inside += figure.low <= truth() <= figure.high
        plain = told(rng, accuracy, satisfaction, rated).satisfaction()
        volunteered += plain.low <= truth() <= plain.high
    assert inside >= 0.9 * TRIALS
    assert volunteered <= 0.1 * TRIALS


def test_rows_that_nobody_could_be_asked_about_are_not_spoken_of():
    rng = np.random.default_rng(3)
    accuracy, satisfaction = answers(rng)
    batch = np.arange(N) >= 1000
    asked = ~batch & (rng.random(N) < 0.3)
    lots = Invitation(chance=np.where(batch, np.nan, 0.3), asked=asked, answered=asked)
    found = told(rng, accuracy, satisfaction, asked | batch, lots)
    assert np.isnan(found.score[batch]).all()
    assert not np.isnan(found.score[~batch]).any()
    assert found.counts.sum() == asked.sum()


def test_few_ratings_are_taken_as_they_are():
    accuracy, satisfaction = answers(np.random.default_rng(4))
    rated = np.arange(N) < 10
    found = told(np.random.default_rng(4), accuracy, satisfaction, rated)
    assert not found.completed
    figure, plain = found.satisfaction(), mean_figure(satisfaction[:10])
    assert (figure.value, figure.low, figure.n) == (pytest.approx(plain.value), pytest.approx(plain.low), 10)
    assert found.satisfied().value == (satisfaction[:10] >= SATISFIED).mean()
    nothing = told(np.random.default_rng(4), accuracy, satisfaction, np.zeros(N, dtype=bool))
    assert (nothing.satisfaction().value, nothing.satisfied().value) == (None, None)
    one = told(np.random.default_rng(4), accuracy, satisfaction, np.arange(N) == 0)
    assert one.satisfaction() == wilson(satisfaction[0], 1, 1)


@pytest.mark.parametrize(("count", "low"), [(1, 0.2065), (2, 0.3424), (9, 0.7009)])
def test_equal_ratings_are_no_certainty(count, low):
    accuracy, _ = answers(np.random.default_rng(4))
    found = told(np.random.default_rng(4), accuracy, np.ones(N), np.arange(N) < count).satisfaction()
    assert (found.value, found.low, found.high) == (1.0, pytest.approx(low, abs=1e-4), 1.0)


def test_share_that_everybody_agrees_on_still_has_a_width():
    rng = np.random.default_rng(5)
    accuracy, _ = answers(rng)
    found = told(rng, accuracy, np.ones(N), rng.random(N) < 0.1).satisfied()
    assert found.value == pytest.approx(1.0)
    assert 0.9 < found.low < 0.99


@pytest.mark.parametrize("tilt", [1.0, 2.0, 0.5])
def test_band_of_what_was_served_holds_the_true_change(tilt):
    """Unrated people have `tilt` times the odds to be satisfied after, and 1 / tilt times before."""
    rng = np.random.default_rng(6)
    change = truth(0.8) - truth(0.6)
    band = interval = 0
    for _ in range(TRIALS):
        sides = []
        for right, odds in ((0.6, 1 / tilt), (0.8, tilt)):
            accuracy, satisfaction = answers(rng, right=right)
            base = np.where(satisfaction >= SATISFIED, odds, 1.0)
            rated = rng.random(N) >= base / (0.7 + base)
            sides.append(told(rng, accuracy, satisfaction, rated))
        found = satisfaction_change(sides[0], sides[1], np.ones(N))
        assert found is not None
        figures = [side.satisfaction() for side in sides]
        value = figures[1].value - figures[0].value
        half = np.hypot(*(figure.high - figure.value for figure in figures))
        interval += abs(value - change) <= half
        band += found.band.low <= change <= found.band.high
    assert band >= 0.93 * TRIALS
    assert (interval >= 0.9 * TRIALS) == (tilt == 1.0)


def test_change_without_ratings_on_a_side_says_nothing():
    rng = np.random.default_rng(7)
    accuracy, satisfaction = answers(rng)
    many = told(rng, accuracy, satisfaction, rng.random(N) < 0.3)
    few = told(rng, accuracy, satisfaction, np.arange(N) < 5)
    assert satisfaction_change(few, many, np.ones(N)) is None
    assert satisfaction_change(many, few, np.ones(N)) is None
