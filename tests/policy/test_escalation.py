"""Second chances: their value is that of the chain played out, and a chain ends where going on does not pay."""

from __future__ import annotations

import numpy as np
import pytest

from zetaroute.policy.escalation import AFTER_FAILURE, CheckReliability, second_chances

ANSWER_USD = 0.01
RNG = np.random.default_rng(11)


def chances(accuracy, price, reliability=None, eligible=None):
    accuracy, price = np.array(accuracy), np.array(price)
    return second_chances(
        ANSWER_USD * accuracy - price,
        accuracy,
        np.ones(len(accuracy), dtype=bool) if eligible is None else np.array(eligible),
        answer_value_usd=ANSWER_USD,
        reliability=reliability or CheckReliability(),
    )


def played(chain, accuracy, price, reliability, draws=200_000):
    """Return the mean utility of asking the arms of a chain one after the other, played out."""
    earned, going = np.zeros(draws), np.ones(draws, dtype=bool)
    kept = np.zeros(draws)
    for place, arm in enumerate(chain):
        right = RNG.random(draws) < accuracy[arm] * AFTER_FAILURE**place
        chance = np.where(right, 1.0 - reliability.passes, reliability.catches)
        failed = RNG.random(draws) < chance
        earned[going] -= price[arm]
        kept[going] = ANSWER_USD * right[going]
        going &= failed
    return float((earned + kept).mean())


@pytest.mark.parametrize(
    "reliability",
    [
        CheckReliability(passes=1.0, catches=1.0),
        CheckReliability(),
        CheckReliability(passes=0.8, catches=0.95),
    ],
)
@pytest.mark.parametrize("first", [0, 1, 2])
def test_value_is_that_of_the_chain_played_out(reliability, first):
    accuracy, price = [0.55, 0.7, 0.9], [0.0001, 0.0008, 0.003]
    found = chances(accuracy, price, reliability)
    alone = ANSWER_USD * accuracy[first] - price[first]
    expected = played((first, *found.after[first]), accuracy, price, reliability)
    assert alone + found.gain_usd[first] == pytest.approx(expected, abs=4e-5)


def test_cheap_arm_comes_first_exactly_where_it_pays():
    accuracy, perfect = [0.7, 0.9], CheckReliability(passes=1.0, catches=1.0)
    firsts = {}
    for dear in (0.0005, 0.004):
        found = chances(accuracy, [0.0001, dear], perfect)
        total = ANSWER_USD * np.array(accuracy) - np.array([0.0001, dear]) + found.gain_usd
        firsts[dear] = int(np.argmax(total))
    assert firsts == {0.0005: 1, 0.004: 0}


@pytest.mark.parametrize(
    ("reliability", "after"),
    [(CheckReliability(passes=1.0, catches=1.0), (1,)), (CheckReliability(passes=0.5, catches=0.5), ())],
    ids=["perfect", "a coin"],
)
def test_check_that_says_nothing_sends_nobody_on(reliability, after):
    found = chances([0.85, 0.9], [0.0001, 0.002], reliability)
    assert found.after[0] == after
    assert (found.gain_usd[0] > 0.0) == bool(after)


def test_arm_that_may_not_answer_never_follows_and_one_that_is_too_expensive_ends_the_chain():
    perfect = CheckReliability(passes=1.0, catches=1.0)
    found = chances([0.6, 0.9, 0.9], [0.0, 0.001, 0.02], perfect, eligible=[True, False, True])
    assert found.after == ((), (0,), (0,))


def test_check_that_finds_every_answer_wrong_says_nothing_of_it():
    always = CheckReliability(passes=0.0, catches=1.0)
    assert always.failing(0.4) == 1.0
    assert always.right_though_failed(0.4) == pytest.approx(0.4)
    assert CheckReliability(passes=1.0, catches=0.0).right_though_failed(0.4) == 0.4
