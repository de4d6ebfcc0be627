"""A plan of a chain that goes by agreement alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np

from zetaroute.answers.final import KINDS
from zetaroute.answers.read import SIGNS
from zetaroute.domain import Objective
from zetaroute.policy import Policy
from zetaroute.policy.chain import ChainPlan
from zetaroute.policy.chain_posterior import Posterior, subsets
from zetaroute.router.router import Router

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
        moves=np.tile(np.linspace(-3.0, 3.0, 15), (count, 1)),
        cells=np.zeros(0),
        kinds=np.full(len(KINDS), 1000.0),
        gain_usd=0.001,
        gain_se=0.0001,
        promised_usd=0.0,
        objective=objective,
    )


def _joint(count: int, asked: tuple[int, ...]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    pairs = list(combinations(asked, 2))
    found = np.zeros((count, count + len(asked) + len(pairs) + 2))
    found[:, :count] = np.eye(count)
    for place, pair in enumerate(pairs):
        found[list(pair), count + len(asked) + place] = WEIGHT
    return found


def chained(router: Router, plan: ChainPlan | None = None) -> Router:
    """Return a router whose policy in use has a plan and explores nothing."""
    policy: Policy = replace(router.policy, chain=plan or plan_of(objective=router.settings.objective))
    return replace(
        router,
        policy=policy,
        settings=replace(
            router.settings, explore=replace(router.settings.explore, rate=0.0, cold_start_rate=0.0)
        ),
    )
