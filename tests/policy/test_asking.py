"""Which models an audit asks: known answers."""

from __future__ import annotations

import numpy as np
import pytest

from zetaroute.config import Objective
from zetaroute.domain import Arm, Standing, Tally
from zetaroute.policy.asking import HORIZON, MOST_BESIDE, fewest_first, usual_charge, worth_asking

ROWS = np.array([20.0, 20.0, 20.0])
ALL = np.ones(3, dtype=bool)
FREE = np.zeros(3)


def test_what_cannot_be_the_best_is_not_asked() -> None:
    mean, se = np.array([0.8, 0.79, 0.2]), np.array([0.05, 0.05, 0.05])
    assert worth_asking(mean, se, np.full(3, 0.001), ROWS, ALL).tolist() == [True, True, False]


def test_what_costs_more_than_it_teaches_is_not_asked() -> None:
    mean, se = np.array([0.8, 0.79, 0.2]), np.array([0.05, 0.05, 0.05])
    dear = np.array([0.001, HORIZON, 0.001])
    assert worth_asking(mean, se, dear, ROWS, ALL).tolist() == [True, False, False]


def test_a_model_nobody_knows_is_asked_although_it_costs() -> None:
    mean, se = np.array([0.8, 0.6, 0.2]), np.array([0.05, 0.2, 0.05])
    assert worth_asking(mean, se, np.full(3, 0.5), np.array([20.0, 0.0, 20.0]), ALL)[1]


def test_what_may_not_answer_is_not_asked() -> None:
    mean, se = np.array([0.8, 0.79, 0.9]), np.full(3, 0.05)
    assert not worth_asking(mean, se, FREE, ROWS, np.array([True, True, False]))[2]


def test_a_single_model_has_none_to_be_compared_with() -> None:
    only = np.array([True, False, False])
    assert not worth_asking(np.full(3, 0.5), np.full(3, 0.1), np.full(3, 0.01), ROWS, only).any()


def test_few_are_drawn_and_those_with_few_rows_more_often() -> None:
    asked, rows = np.arange(8) > 0, np.array([0.0, 0, 100, 100, 100, 100, 100, 100])
    drawn = [fewest_first(asked, rows, MOST_BESIDE, seed=seed) for seed in range(200)]
    assert {len(set(one)) for one in drawn} == {MOST_BESIDE}
    assert not any(0 in one for one in drawn)
    assert sum(1 in one for one in drawn) > 190


def test_the_usual_charge_counts_money_and_time_of_models_with_a_record() -> None:
    arms = [Arm(id=name, provider="recorded", model=name) for name in ("a", "b", "c")]
    record = Tally(calls=5, cost_usd=0.002, response_s=3.0)
    standings = {name: Standing(model=name, record=record) for name in ("a", "b")}
    objective = Objective(answer_value_usd=0.01, second_value_usd=0.001)
    assert usual_charge(arms, standings, objective) == pytest.approx(0.005)
    assert usual_charge(arms, {}, objective) == 0.0
