"""A plan of a chain that goes by agreement alone, and a chain by a script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Self

import numpy as np

from zetaroute.answers.names import KINDS, SIGNS
from zetaroute.domain import Objective, Thought
from zetaroute.policy.chain.plan import ChainPlan
from zetaroute.policy.chain.posterior import Posterior, subsets

PRACTICE = ("practice/small", "practice/medium", "practice/large")
WEIGHT = 3.0
"""Log-odds that agreeing with another answer adds to an answer, and that differing from it takes off."""


def plan_of(models: tuple[str, ...] = PRACTICE, objective: Objective = Objective()) -> ChainPlan:
    """Return a plan by which an answer is as likely right as its model is, and more so where another agrees."""
    count, signs = len(models), len(SIGNS)
    posterior = Posterior(
        centre=np.zeros((count, signs)),
        scale=np.ones((count, signs)),
        single=np.tile(np.eye(count, count + signs + 1), (count, 1, 1)),
        joint={asked: _joint(count, asked) for asked in subsets(count, 3)},
    )
    return ChainPlan(
        models=models,
        posterior=posterior,
        moves={asked: _moves(count, asked) for asked in ((), *subsets(count, 2))},
        cells=np.zeros(0),
        kinds=np.full(len(KINDS), 1000.0),
        gain_usd=0.001,
        gain_se=0.0001,
        promised_usd=0.0,
        objective=objective,
    )


def _joint(count: int, asked: tuple[int, ...]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    pairs = list(combinations(asked, 2))
    found = np.zeros((count, count + len(asked) + 2 * len(pairs) + 2))
    found[:, :count] = np.eye(count)
    for place, pair in enumerate(pairs):
        found[list(pair), count + len(asked) + place] = WEIGHT / 2.0
    return found


def _moves(count: int, asked: tuple[int, ...]) -> np.ndarray[tuple[int, int, int], np.dtype[np.float64]]:
    """Return what an answer that agrees with all others, or with none, says of them and of itself."""
    found = np.zeros((count, 2, count))
    for place in set(range(count)) - set(asked) if asked else ():
        found[place, :, [*asked, place]] = (WEIGHT, -WEIGHT)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted:
    """A chain that asks models in order until it has `enough` answers, each as likely `right` as is said."""

    order: tuple[str, ...] = PRACTICE
    right: Mapping[str, float]
    enough: int = 2
    at_once: bool = False
    asked: tuple[str, ...] = ()
    vetoed: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()

    def next(self) -> str | None:
        if len(self.asked) >= self.enough and set(self.asked) != self.vetoed:
            return None
        return next((one for one in self.order if one not in self.asked and one not in self.lost), None)

    def beside(self) -> str | None:
        return self.order[1] if self.at_once and not self.asked else None

    def with_answer(
        self, model: str, text: str, *, vetoed: bool = False, running: str | None = None, **signs: object
    ) -> Self:
        asked = (*self.asked, model)
        return replace(self, asked=asked, vetoed=self.vetoed | {model} if vetoed else self.vetoed)

    def without(self, model: str) -> Self:
        return replace(self, lost=self.lost | {model})

    def best(self) -> str:
        return max(self.asked, key=lambda one: (one not in self.vetoed, self.right[one]))

    @property
    def thoughts(self) -> tuple[Thought, ...]:
        return tuple(Thought(model=one, probability_right=self.right[one], agrees=None) for one in self.asked)

    @property
    def why(self) -> str:
        return "enough" if self.next() is None else f"{self.next()} is worth asking"

    @property
    def later_usd(self) -> float:
        return 0.0
