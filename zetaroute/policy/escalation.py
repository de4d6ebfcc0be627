"""Second chances: what it is worth to ask another arm where the answer of the first fails a check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zetaroute.arrays import Array, Mask

AFTER_FAILURE = 0.8
"""How right an arm is on the queries that another failed, as a share of how right it is on all: what one arm fails is
hard for the others too. Medians over the pairs of models of three recorded sets: .70, .80 and .95."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReliability:
    """How well a check tells right answers from wrong ones."""

    passes: float = 0.9
    """Probability that a right answer passes."""
    catches: float = 0.9
    """Probability that a wrong answer fails."""

    def failing(self, accuracy: float) -> float:
        """Return the probability that an answer fails which is right with probability `accuracy`."""
        return accuracy * (1.0 - self.passes) + (1.0 - accuracy) * self.catches

    def right_though_failed(self, accuracy: float) -> float:
        """Return the probability that an answer is right which has failed."""
        failing = self.failing(accuracy)
        return accuracy * (1.0 - self.passes) / failing if failing > 0.0 else accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """What every arm as the first is worth more because others may follow."""

    gain_usd: Array
    """(K,)"""
    after: tuple[tuple[int, ...], ...]
    """For every first arm those that it pays to ask after it, in order, while the check fails."""


def second_chances(
    utility: Array, accuracy: Array, eligible: Mask, *, answer_value_usd: float, reliability: CheckReliability
) -> Chances:
    """Return what escalating is worth for every arm of one query; all arrays (K,).

    `utility` is in USD and without satisfaction: what a kept answer that failed would please counts as much as what
    the next one would. After each failure the next arm's accuracy is taken as AFTER_FAILURE times what it was. A
    chain goes on while its next arm is worth more than keeping the answer that failed; its arms follow by utility.
    """
    ranked = [int(arm) for arm in np.argsort(-utility, kind="stable") if eligible[arm]]
    gains, after = np.zeros(len(utility)), []
    for first in range(len(utility)):
        chain = (first, *(arm for arm in ranked if arm != first))
        gain, follow = _value(chain, utility, accuracy, answer_value_usd, reliability)
        gains[first] = gain
        after.append(chain[1 : 1 + follow])
    return Chances(gain_usd=gains, after=tuple(after))


def _value(
    chain: Sequence[int],
    utility: Array,
    accuracy: Array,
    answer_value_usd: float,
    reliability: CheckReliability,
) -> tuple[float, int]:
    """Return what may follow the first arm of a chain is worth, and how many arms it pays to ask after it."""
    right = [float(accuracy[arm]) * AFTER_FAILURE**place for place, arm in enumerate(chain)]
    worth, follow, gain = 0.0, 0, 0.0
    for place in reversed(range(len(chain))):
        arm = chain[place]
        gain = 0.0
        if place + 1 < len(chain):
            kept = answer_value_usd * reliability.right_though_failed(right[place])
            gain = reliability.failing(right[place]) * max(0.0, worth - kept)
        follow = follow + 1 if gain > 0.0 else 0
        worth = float(utility[arm]) - answer_value_usd * (float(accuracy[arm]) - right[place]) + gain
    return gain, follow
