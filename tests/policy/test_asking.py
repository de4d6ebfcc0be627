"""Which models an audit asks: known answers."""

from __future__ import annotations

import numpy as np
import pytest

from zetaroute.config import Objective
from zetaroute.domain import Arm, Standing, Tally
from zetaroute.policy.asking import (
    HORIZON,
    LATER,
    MOST_BESIDE,
    TOGETHER,
    fewest_first,
    to_compare,
    usual_charge,
    worth_asking,
)

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


def drawn_to_compare(graded: int, budget_usd: float, *, eligible: np.ndarray = ALL) -> tuple[set, float]:
    """Return what was drawn of three models, the dearest of which is the best, and how often."""
    accuracy, cost = {"a": 0.5, "b": 0.4, "c": 0.9}, {"a": 0.001, "b": 0.002, "c": 0.01}
    standings = {
        name: Standing(
            model=name,
            record=Tally(
                calls=graded, graded=graded, accuracy=accuracy[name], charged=graded, cost_usd=cost[name]
            ),
        )
        for name in "abc"
    }
    arms = [Arm(id=name, provider="practice", model="m") for name in "abc"]
    charge = np.array([0.001, 0.003, 0.0])
    drawn = [
        to_compare(arms, standings, charge, eligible, budget_usd=budget_usd, seed=seed) for seed in range(600)
    ]
    return {one for one in drawn if one}, sum(map(bool, drawn)) / len(drawn)


def test_the_models_of_a_chain_are_asked_together_within_the_budget() -> None:
    assert drawn_to_compare(TOGETHER - 1, 0.004) == ({(0, 1, 2)}, 1.0)
    models, often = drawn_to_compare(TOGETHER - 1, 0.001)
    assert (models, often) == ({(0, 1, 2)}, pytest.approx(0.25, abs=0.07))
    assert drawn_to_compare(TOGETHER, 0.004)[1] == pytest.approx(LATER, abs=0.07)


def test_a_chain_needs_two_models_that_are_known_and_may_answer() -> None:
    assert drawn_to_compare(2, 1.0) == (set(), 0.0)
    assert drawn_to_compare(TOGETHER, 1.0, eligible=np.array([True, False, False]))[0] == set()
