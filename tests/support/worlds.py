"""Worlds whose truth is known: kinds of query told apart by their words, models right with a set probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zetaroute.config import Objective
from zetaroute.domain import Arm, Prices, unit_of
from zetaroute.learn.fit import fit
from zetaroute.learn.samples import Sample, joined
from zetaroute.policy import Policy
from zetaroute.practice.generator import generate

OBJECTIVE = Objective(answer_value_usd=0.01, satisfaction_value_usd=0.0, second_value_usd=0.0)
KINDS = ("dates", "sorting", "stories")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Models with a price and, per kind of query, the probability that they are right."""

    right: Mapping[str, Sequence[float]]
    """Kind -> one probability per model."""
    cost_usd: Sequence[float]

    @property
    def count(self) -> int:
        """Number of models."""
        return len(self.cost_usd)

    def arms(self, count: int | None = None) -> tuple[Arm, ...]:
        """Return the models as arms."""
        number = self.count if count is None else count
        return tuple(Arm(id=f"m{k}", provider="practice", model="small") for k in range(number))

    def queries(self, rows: int, seed: int) -> list[tuple[str, str]]:
        """Return (text, kind) of `rows` queries, the kinds evenly mixed."""
        return [
            (one.query.text, one.query.task or "")
            for one in generate(rows=rows, seed=seed, families=list(self.right))
        ]

    def log(
        self, rows: int, seed: int, *, pmf: Sequence[float] | None = None, start_s: float = 0.0
    ) -> Sample:
        """Return a log of `rows` queries whose models were drawn from `pmf` (default: uniform)."""
        rng = np.random.default_rng(seed)
        chances = np.full(self.count, 1 / self.count) if pmf is None else np.asarray(pmf)
        queries = self.queries(rows, seed)
        arm = rng.choice(self.count, size=rows, p=chances)
        p = np.array([self.right[kind][k] for (_, kind), k in zip(queries, arm, strict=True)])
        return Sample(
            texts=[text for text, _ in queries],
            tasks=[None] * rows,
            key=np.array([unit_of(None, text) for text, _ in queries], dtype=np.uint64),
            arm=arm,
            accuracy=(rng.random(rows) < p).astype(float),
            lost=np.zeros(rows, dtype=bool),
            satisfaction=np.full(rows, np.nan),
            response_s=np.exp(rng.normal(-1.0, 0.3, rows)),
            cost_usd=np.asarray(self.cost_usd)[arm] * np.exp(rng.normal(0.0, 0.2, rows)),
            tokens=np.full((rows, 2), np.nan),
            time_s=start_s + np.arange(rows, dtype=float),
            answered=np.ones(rows, dtype=bool),
            pmf=np.tile(chances, (rows, 1)),
            eligible=np.ones((rows, self.count), dtype=bool),
            decision=np.arange(rows, dtype=np.uint64) + np.uint64(1_000_003 * seed),
            shadow=np.zeros(rows, dtype=bool),
            seeded=np.zeros(rows, dtype=bool),
            audited=np.zeros(rows, dtype=bool),
            audit_probability=np.zeros(rows),
            live=np.zeros(rows, dtype=bool),
            group=np.array([unit_of(None, text) for text, _ in queries], dtype=np.uint64),
            weight=np.ones(rows),
            trust=np.ones(rows),
        )


def together(*logs: Sample) -> Sample:
    """Return several logs as one."""
    return joined(logs)


def learned(log: Sample, arms: Sequence[Arm], objective: Objective = OBJECTIVE) -> Policy:
    """Fit a policy on a log."""
    return fit(log, arms, objective=objective, seed=0).policy("fitted")


def choices(
    policy: Policy, queries: Sequence[tuple[str, str]], arms: Sequence[Arm], objective: Objective = OBJECTIVE
) -> np.ndarray:
    """Return the arm that the policy prefers for every query."""
    vectors = policy.predictor.vectors([text for text, _ in queries])
    eligible = np.ones((len(queries), len(arms)), dtype=bool)
    return policy.exploit(
        policy.predictor.forecast(vectors, arms), arms=arms, objective=objective, eligible=eligible
    )


def shares(chosen: np.ndarray, queries: Sequence[tuple[str, str]], arm: int) -> dict[str, float]:
    """Return, per kind of query, how often `arm` was chosen."""
    kinds = np.array([kind for _, kind in queries])
    return {str(kind): float((chosen[kinds == kind] == arm).mean()) for kind in np.unique(kinds)}


def value(chosen: np.ndarray, queries: Sequence[tuple[str, str]], world: World) -> float:
    """Return the true utility per query of the chosen arms."""
    return float(
        np.mean(
            [
                OBJECTIVE.answer_value_usd * world.right[kind][k] - world.cost_usd[k]
                for (_, kind), k in zip(queries, chosen, strict=True)
            ]
        )
    )


def best_single(world: World) -> float:
    """Return the true utility per query of the best single model."""
    return max(
        OBJECTIVE.answer_value_usd * float(np.mean([right[k] for right in world.right.values()]))
        - world.cost_usd[k]
        for k in range(world.count)
    )


def arms_with(world: World, prices: Sequence[Prices | None]) -> tuple[Arm, ...]:
    """Return the models as arms with prices."""
    return tuple(
        Arm(id=f"m{k}", provider="practice", model="small", prices=price) for k, price in enumerate(prices)
    )
