"""Backward induction, held against sums that are done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from zetaroute.policy.chain.posterior import sigmoid
from zetaroute.policy.chain.value import best_asks, best_step, moved_by

LOGITS = np.array([[0.0, 0.0]])
TELLS = np.array([[-2.0, 2.0], [2.0, -2.0]])
"""Either model is right, and an answer tells which."""
MOVES = {(): np.array([TELLS, TELLS]), (0,): np.zeros((2, 2, 2)), (1,): np.zeros((2, 2, 2))}


def test_an_answer_to_come_does_not_change_the_mean() -> None:
    logits = np.array([[0.0, 1.0, -2.0], [3.0, -3.0, 0.5]])
    moved = moved_by(logits, np.linspace(-2, 2, 15)[:, None] * [1.0, 0.5, 2.0] + 0.3)
    assert sigmoid(moved).mean(axis=1) == pytest.approx(sigmoid(logits), abs=0.01)


def test_values_are_those_of_a_sum_by_hand() -> None:
    right = 1 / (1 + np.exp(-2.0))
    charge = np.array([0.05, 0.1])
    found = best_step(MOVES, (), LOGITS, charge, able=frozenset({0, 1}), vetoed=frozenset())
    # The first is asked; where its answer looks wrong the second is, too: it is then right with `right`.
    assert found.model.tolist() == [0]
    assert found.value[0] == pytest.approx(-0.05 + 0.5 * right + 0.5 * (right - 0.1), abs=1e-6)


def test_what_costs_more_than_it_brings_is_not_asked() -> None:
    charge = np.array([0.05, 0.8])
    found = best_step(MOVES, (0,), np.array([[-2.0, 2.0]]), charge, able=frozenset({1}), vetoed=frozenset())
    assert (found.model.tolist(), found.value[0]) == ([-1], pytest.approx(sigmoid(np.array(-2.0))))


def test_of_two_at_once_the_later_one_is_waited_for_where_it_is_needed_alone() -> None:
    right = 1 / (1 + np.exp(-2.0))
    waiting = np.array([[0.1, 0.12]])
    found = best_asks(
        MOVES,
        (),
        LOGITS,
        waiting + 0.05,
        waiting,
        able=frozenset({0, 1}),
        vetoed=frozenset(),
        pairs=[(0, 1)],
    )
    assert (found.first.tolist(), found.second.tolist()) == ([0], [1])
    # Both are paid, the sooner one is waited for, and half of the time the other one for the rest of its time.
    assert found.value[0] == pytest.approx(right - 0.1 - 0.1 - 0.5 * 0.02, abs=1e-6)
