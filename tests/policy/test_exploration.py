"""How much is explored, and where: less as answers come, and the less the worse an answer is for its money."""

from __future__ import annotations

import numpy as np
import pytest

from zetaroute.policy.exploration import cold_rate, explored_shares

ALL = np.ones(3, dtype=np.bool_)


def test_a_quarter_of_an_answer_halves_a_share():
    shares = explored_shares(np.array([0.0, -0.0025, -0.0075]), ALL, answer_value_usd=0.01)
    assert shares.sum() == pytest.approx(1.0)
    assert shares / shares[0] == pytest.approx([1.0, 0.5, 0.25])


def test_excluded_models_get_nothing_and_set_no_standard():
    able = np.array([False, True, True])
    assert explored_shares(np.array([9.0, 0.1, 0.1]), able, answer_value_usd=0.01).tolist() == [0.0, 0.5, 0.5]


def test_where_answers_are_worth_nothing_shares_are_even():
    shares = explored_shares(np.array([0.0, -1.0, -2.0]), ALL, answer_value_usd=0.0)
    assert shares == pytest.approx(np.full(3, 1 / 3))


@pytest.mark.parametrize(
    ("start", "rate", "graded", "share"),
    [
        (0.5, 0.05, 0, 0.5),
        (0.5, 0.05, 90, 0.25),
        (0.5, 0.05, 10_000, 0.05),
        (0.0, 0.05, 0, 0.0),
        (0.2, 0.2, 500, 0.2),
        (1.0, 1.0, 500, 1.0),
    ],
)
def test_cold_start_explores_less_with_every_answer(start, rate, graded, share):
    assert cold_rate(start, rate, graded=graded, arms=3) == pytest.approx(share)
