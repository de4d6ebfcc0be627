"""The simulated person: rates now and then, and likes right and quick answers."""

from __future__ import annotations

from random import Random
from statistics import fmean, pstdev

from zetaroute.practice.rater import simulated_rating


def ratings(*, accuracy, response_s, draws=4000):
    rng = Random(8)
    return [simulated_rating(rng, accuracy=accuracy, response_s=response_s) for _ in range(draws)]


def given(drawn):
    return [rating for rating in drawn if rating is not None]


def test_about_two_in_five_answers_are_rated():
    drawn = ratings(accuracy=1.0, response_s=0.01)
    assert 0.37 < len(given(drawn)) / len(drawn) < 0.43


def test_ratings_are_one_to_five_and_noisy():
    for accuracy in (0.0, 1.0):
        drawn = given(ratings(accuracy=accuracy, response_s=0.01))
        assert set(drawn) <= {1, 2, 3, 4, 5}
        assert pstdev(drawn) > 0.3


def test_right_and_quick_answers_are_liked_more():
    quick, slow, wrong = (
        fmean(given(ratings(accuracy=accuracy, response_s=response_s)))
        for accuracy, response_s in ((1.0, 0.005), (1.0, 0.5), (0.0, 0.005))
    )
    assert quick > slow + 0.3 > wrong + 0.8


def test_any_waiting_time_gives_a_rating():
    for response_s in (0.0, 1e-9, 1e9):
        assert given(ratings(accuracy=0.5, response_s=response_s, draws=50))


def test_the_same_seed_rates_the_same():
    assert ratings(accuracy=0.5, response_s=0.02) == ratings(accuracy=0.5, response_s=0.02)
