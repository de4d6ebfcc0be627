"""Worlds whose truth is known, made from the practice generator: its queries, answered and graded once per model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from zetaroute.config import Objective
from zetaroute.evaluate.ope import FOLDS, LoggedRows
from zetaroute.grading import grade
from zetaroute.practice.families import FAMILIES
from zetaroute.practice.generator import generate
from zetaroute.practice.models import MODELS, PracticeModel

Array = NDArray[np.float64]
Index = NDArray[np.int64]

OBJECTIVE = Objective()
WAIT = 20.0
"""Practice models are slowed down to the pace of hosted ones, so that time matters."""
USD_PER_TOKEN = (2e-6, 10e-6, 30e-6)
NOISE = 0.3
MOOD_WRONG, MOOD_NOISE = 0.2, 0.15
DIFFICULTIES = 5
QUERIES = 2000
SLOW_QUANTILE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Per cell (family x difficulty) and arm: chance to be right, mean cost, median time and chance of a rating."""

    right: Array
    cost_usd: Array
    response_s: Array
    rated: Array

    @property
    def limit_s(self) -> float:
        """The response time above which an answer is slow."""
        return float(np.quantile(self.response_s, SLOW_QUANTILE))

    def truths(self, before: Index, after: Index) -> dict[str, float]:
        """Return the true change of every KPI from one policy (an arm per cell) to another."""
        from scipy.special import ndtr

        tables = {
            "utility": self.utility(),
            "accuracy": self.right,
            "cost": self.cost_usd,
            "response": self.response_s * math.exp(NOISE**2 / 2),
            "slow share": ndtr(np.log(self.response_s / self.limit_s) / NOISE),
            "satisfaction": _mood_step() * self.right,
        }
        cell = np.arange(len(before))
        truth = {
            name: float((table[cell, after] - table[cell, before]).mean()) for name, table in tables.items()
        }
        p95 = [_mixture_quantile(self.response_s[cell, arm], 0.95) for arm in (before, after)]
        return truth | {"p95 response": p95[1] - p95[0]}

    def utility(self) -> Array:
        """Return the mean utility in USD per cell and arm."""
        return (
            OBJECTIVE.answer_value_usd * self.right
            - self.cost_usd
            - OBJECTIVE.second_value_usd * self.response_s * math.exp(NOISE**2 / 2)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Logged rows of a world, with the cell that is hidden."""

    rows: LoggedRows
    cell: Index
    rewards: Mapping[str, Array]
    response_s: Array


@cache
def practice_world(arms: int) -> World:
    """Answer practice queries by the three practice models and by relatives with other limits."""
    rng = np.random.default_rng(7)
    models = [_relative(number, rng) for number in range(arms)]
    names = sorted(FAMILIES)
    cells = len(names) * DIFFICULTIES
    right, cost, time = (np.zeros((cells, arms)) for _ in range(3))
    count = np.zeros(cells)
    for one in generate(rows=QUERIES, seed=7):
        query = one.query
        cell = names.index(query.task or "") * DIFFICULTIES + one.difficulty - 1
        count[cell] += 1
        for k, model in enumerate(models):
            answer = model.answer(query.text)
            right[cell, k] += grade(answer.text, query.reference, query.grader)
            cost[cell, k] += (answer.input_tokens + 4 * answer.output_tokens) * USD_PER_TOKEN[k % 3] / 10
            time[cell, k] += WAIT * (answer.think_s + answer.piece_s * len(answer.pieces))
    size = count[:, None]
    rated = 0.15 + 0.5 * rng.random((cells, 1)) * np.linspace(0.6, 1.0, arms)
    return World(right=right / size, cost_usd=cost / size, response_s=time / size, rated=rated)


@cache
def _mood_step() -> float:
    """Return how much a right answer adds to the mean of a satisfaction that is clipped to 0..1."""
    from scipy.special import ndtr

    z = MOOD_WRONG / MOOD_NOISE
    clipped = MOOD_NOISE * (math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) - z * (1.0 - float(ndtr(z))))
    return 1.0 - 2.0 * (MOOD_WRONG + clipped)


def _mixture_quantile(median_s: Array, probability: float) -> float:
    """Return the quantile of log-normal times whose medians are equally likely."""
    from scipy.special import ndtr

    low, high = 0.0, 10.0 * float(median_s.max())
    for _ in range(60):
        middle = (low + high) / 2
        below = float(ndtr(np.log(middle / median_s) / NOISE).mean())
        low, high = (middle, high) if below < probability else (low, middle)
    return high


def _relative(number: int, rng: np.random.Generator) -> PracticeModel:
    base = list(MODELS.values())[number % 3]
    if number < 3:
        return base
    skills = {name: max(1, limit + int(rng.integers(-2, 3))) for name, limit in base.skills.items()}
    return replace(
        base, name=f"{base.name}-{number}", skills=skills, think_s=base.think_s * rng.uniform(0.5, 2)
    )


def draw(
    world: World, rng: np.random.Generator, n: int, *, floor: float, before: Index, after: Index
) -> Drawn:
    """Log `n` rows by the incumbent with a floor per arm; `before` and `after` choose an arm per cell."""
    cells, arms = world.right.shape
    cell = rng.integers(cells, size=n)
    pmf = np.full((n, arms), floor)
    pmf[np.arange(n), before[cell]] += 1.0 - arms * floor
    arm = np.minimum((np.cumsum(pmf, axis=1) < rng.random((n, 1))).sum(axis=1), arms - 1)
    accuracy = (rng.random(n) < world.right[cell, arm]).astype(np.float64)
    response = world.response_s[cell, arm] * np.exp(NOISE * rng.normal(size=n))
    cost = world.cost_usd[cell, arm] * np.exp(NOISE * rng.normal(size=n) - NOISE**2 / 2)
    family = np.eye(cells // DIFFICULTIES)[cell // DIFFICULTIES]
    difficulty = (cell % DIFFICULTIES) / DIFFICULTIES + 0.2 * rng.normal(size=n)
    middle = MOOD_WRONG + (1.0 - 2.0 * MOOD_WRONG) * accuracy
    mood = np.clip(middle + MOOD_NOISE * rng.normal(size=n), 0.0, 1.0)
    return Drawn(
        rows=LoggedRows(
            x=np.column_stack([np.ones(n), family, difficulty, rng.normal(size=(n, 3))]),
            arm=arm,
            pmf=pmf,
            before=before[cell],
            after=after[cell],
            fold=rng.integers(FOLDS, size=n),
            stratum=np.ones(n, dtype=np.int64),
        ),
        cell=cell,
        rewards={
            "utility": OBJECTIVE.answer_value_usd * accuracy - cost - OBJECTIVE.second_value_usd * response,
            "accuracy": accuracy,
            "cost": cost,
            "response": response,
            "slow share": (response > world.limit_s).astype(np.float64),
            "satisfaction": np.where(rng.random(n) < world.rated[cell, arm], mood, np.nan),
        },
        response_s=response,
    )


def policies(world: World, rng: np.random.Generator) -> tuple[Index, Index]:
    """Return an incumbent that knows the world badly and a candidate that knows it better, an arm per cell each."""
    utility = world.utility()
    before = np.argmax(utility + 0.003 * rng.normal(size=utility.shape), axis=1)
    after = np.argmax(utility + 0.0015 * rng.normal(size=utility.shape), axis=1)
    return before, after
