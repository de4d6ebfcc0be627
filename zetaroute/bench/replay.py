"""The closed loop on recorded outcomes with partial feedback, marked by what was recorded.

The loop sees only the outcomes of the models that it asked; what the recordings know beyond that is used for marking
alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zetaroute.arrays import Array
from zetaroute.bench.datasets import Recordings
from zetaroute.bench.datasets.recordings import utility
from zetaroute.bench.full_information import arms_of, fit_full, route
from zetaroute.bench.loop import Loop
from zetaroute.bench.recorded_chains import RecordedAnswers
from zetaroute.bench.steps import Step
from zetaroute.config import Explore, Objective, Settings
from zetaroute.domain import Query
from zetaroute.errors import UsageError
from zetaroute.evaluate.e_process import PROMOTES_AT, ROLLS_BACK_AT
from zetaroute.evaluate.intervals import NOTHING, mean_figure
from zetaroute.features import AnyMap
from zetaroute.policy import Policy
from zetaroute.registry import COLD

FIRST, LATER = 500, 3000
"""Queries of the stream before and after which what came of them is also told alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPlan:
    """How a replay is run."""

    rounds: int
    """Points at which it reports; fits come by the product's own schedule."""
    rows: int
    """Answers that are asked for in all, those of audits included."""
    explore: float | None
    """Floor of both sides; None keeps the product's default."""
    seed: int
    audit: float | None = None
    """Share of the queries that are audited; None keeps the product's schedule."""
    use_task: bool = False
    chain: bool = True
    """Whether answers are looked at, where they were recorded."""


def replay(
    recordings: Recordings, *, objective: Objective, plan: ReplayPlan, jobs: int = 2
) -> dict[str, Any]:
    """Play the loop on the training side of the recordings and mark it on the test side, round by round.

    Returns the JSON of the contract. Raises UsageError when there are fewer rows than rounds.
    """
    train, test = recordings.side(test=False), recordings.side(test=True)
    order = np.random.default_rng(plan.seed).permutation(len(train.texts))
    if min(len(order), plan.rows) < plan.rounds or len(test.texts) == 0:
        raise UsageError(
            f"{recordings.dataset} has {len(train.texts)} training and {len(test.texts)} test queries: "
            f"too few for {plan.rounds} rounds."
        )
    explore = Explore() if plan.explore is None else Explore(rate=plan.explore)
    settings = Settings(arms=arms_of(recordings), objective=objective, explore=explore)
    loop = Loop(train, settings, seed=plan.seed, audit=plan.audit, use_task=plan.use_task, chain=plan.chain)
    stream, marks = _Stream(loop), _Marks(loop, test)
    ends = np.linspace(0, plan.rows, plan.rounds + 1)[1:]
    rounds: list[dict[str, Any]] = []
    for steps in loop.play(order, rows=plan.rows):
        stream.take(steps)
        while len(rounds) < plan.rounds - 1 and loop.rows >= ends[len(rounds)]:
            rounds.append(stream.round() | marks.gained())
    last = stream.round()
    if loop.fitted is None:
        loop.retrain()
    rounds.append(last | marks.gained())
    return {
        "dataset": recordings.dataset,
        "seed": plan.seed,
        "rounds": rounds,
        **_final(marks, plan=plan, jobs=jobs),
        "online_gain_usd": stream.online_gain_usd(),
        "online_first_usd": stream.online_gain_usd(slice(0, FIRST)),
        "online_later_usd": stream.online_gain_usd(slice(LATER, None)),
        "audits": stream.audits(),
        "promotions": loop.promotions,
    }


@dataclass(slots=True, kw_only=False)
class _Stream:
    """What came in, and what it was worth."""

    loop: Loop
    queries: list[int] = field(default_factory=list)
    served: list[float] = field(default_factory=list)
    """Utility of each query's answer in USD."""
    scores: list[float] = field(default_factory=list)
    audits_usd: list[float] = field(default_factory=list)
    """Money and seconds that the audit of each query took, in USD."""

    def take(self, steps: Sequence[Step]) -> None:
        """Take in the queries between two merges."""
        train, value = self.loop.train, self.loop.settings.objective.answer_value_usd
        for step in steps:
            self.queries.append(step.query)
            self.served.append(step.utility_usd(self.loop.gains))
            self.scores.append(float(train.score[step.query, step.returned]))
            beside = step.beside
            self.audits_usd.append(
                float((value * train.score[step.query, beside] - self.loop.gains[step.query, beside]).sum())
            )

    def round(self) -> dict[str, Any]:
        """Return how the loop stands."""
        loop, index = self.loop, np.array(self.queries)
        epoch, standing = loop.epoch, loop.standing()
        gains = loop.gains[index]
        truth = epoch.truth if epoch is not None else []
        estimate = NOTHING if epoch is None else mean_figure(epoch.lines["gain_usd"])
        return {
            "rows": loop.rows,
            "score": float(np.mean(self.scores)),
            "utility_usd": float(np.mean(self.served)),
            "regret_usd": float((gains.max(axis=1) - np.array(self.served)).mean()),
            "verdict": _verdict(standing),
            "estimate": estimate.json(),
            "truth_usd": float(np.mean(truth)) if truth else 0.0,
            "e_value": standing["e_value"],
            "share": loop.share,
            "online_gain_usd": self.online_gain_usd(),
            "audits": self.audits(),
            "promotions": len(loop.promotions),
        }

    def audits(self) -> dict[str, float]:
        """Return how many answers audits have asked for, and what these took."""
        return {"rows": self.loop.audit_rows, "cost_usd": float(sum(self.audits_usd))}

    def online_gain_usd(self, part: slice = slice(None)) -> float | None:
        """Return the utility per query, audits paid for, minus that of the single model that is best on train.

        Over a `part` of the stream; None where no query is in it.
        """
        single = int(np.argmax(self.loop.gains.mean(axis=0)))
        alone = self.loop.gains[np.array(self.queries), single]
        gains = (np.array(self.served) - np.array(self.audits_usd) - alone)[part]
        return float(gains.mean()) if len(gains) else None


def _verdict(standing: dict[str, Any]) -> str:
    if standing["harm"] >= ROLLS_BACK_AT:
        return "REJECT"
    proven = standing["e_value"] >= PROMOTES_AT and standing["accuracy"] >= PROMOTES_AT
    return "PROMOTE" if proven else "INSUFFICIENT"


class _Marks:
    """What the loop's versions are worth on the test side, per query in USD."""

    def __init__(self, loop: Loop, test: Recordings) -> None:
        """Mark by the test side, which the loop never sees."""
        self.loop, self.test = loop, test
        objective = loop.settings.objective
        self.truth = utility(test, objective)
        self.single: Array = self.truth[:, int(np.argmax(loop.gains.mean(axis=0)))]
        self._answers = RecordedAnswers(test, objective) if loop.answers is not None else None
        self._vectors: dict[int, tuple[AnyMap | None, Array]] = {}
        """Of the test queries, by what makes them: most versions share one map."""
        self._routed: dict[str, Array] = {}
        """By version."""

    def values(self) -> dict[str, Array]:
        """Return what all rows teach, what serves, and what users get, each (n,)."""
        loop = self.loop
        champion, anchor, challenger = loop.sides()
        # Without the chain that the challenger may have.
        learned = champion if loop.fitted is None else loop.fitted.policy(f"of {loop.rows} rows")
        return {
            "learned": self.routed(learned),
            "served": self.routed(*loop.serving()),
            "mix": loop.share * self.routed(challenger) + (1.0 - loop.share) * self.routed(champion, anchor),
        }

    def gained(self) -> dict[str, float]:
        """Return the same in the mean, over the single model that is best on train."""
        return {f"{name}_usd": float((value - self.single).mean()) for name, value in self.values().items()}

    def routed(self, policy: Policy, always: str | None = None) -> Array:
        """Return what a policy is worth on every query, (n,), or the single model that it always asks."""
        if always is not None:
            return np.asarray(self.truth[:, self.test.models.index(always)])
        if policy.version == COLD:
            return self._route(policy)
        if policy.version not in self._routed:
            self._routed[policy.version] = self._route(policy)
        return self._routed[policy.version]

    def _route(self, policy: Policy) -> Array:
        loop, test, arms = self.loop, self.test, self.loop.arms
        labels, predictor = test.labels(use_task=loop.use_task), policy.predictor
        found = predictor.map
        if id(found) not in self._vectors:
            self._vectors[id(found)] = found, predictor.vectors(test.texts, labels)
        chosen = route(policy, test, arms, loop.settings.objective, vectors=self._vectors[id(found)][1])
        usd = np.asarray(self.truth[np.arange(len(chosen)), chosen])
        answers = self._answers
        if answers is not None and policy.chain is not None and policy.chain.serves:
            asked = [Query(text=text, task=task) for text, task in zip(test.texts, labels, strict=True)]
            for row, expected in enumerate(policy.expect(asked, arms)):
                if (chain := answers.chain_of(policy, row, expected, arms)) is not None:
                    usd[row] = answers.run(chain, row).utility_usd
        return usd


def _final(marks: _Marks, *, plan: ReplayPlan, jobs: int) -> dict[str, Any]:
    """Return what was learned and what serves in the end, on the test side."""
    loop, single = marks.loop, marks.single
    full = fit_full(
        loop.train,
        loop.arms,
        objective=loop.settings.objective,
        seed=plan.seed,
        jobs=jobs,
        use_task=plan.use_task,
    )
    values = marks.values() | {
        "best_single": single,
        "full_information": marks.routed(full.policy("full")),
        "oracle": marks.truth.max(axis=1),
    }
    gap = values["full_information"] - single
    clear = abs(gap.mean()) > gap.std(ddof=1) / np.sqrt(len(gap))

    def share(name: str) -> float | None:
        return float((values[name] - single).mean() / gap.mean()) if clear else None

    return {
        "final": {name: float(value.mean()) for name, value in values.items()},
        **{f"share_{name}": share(name) for name in ("learned", "served", "mix")},
    }
