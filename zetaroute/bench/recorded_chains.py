"""Chains over recorded answers: what one asks and returns there, and what it is worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zetaroute.answers.read import ReadAnswer, read_answer
from zetaroute.arrays import Array, Index, Mask
from zetaroute.bench.datasets import Recordings
from zetaroute.bench.datasets.recordings import charged
from zetaroute.config import Objective
from zetaroute.domain import Arm, Query, run_chain
from zetaroute.learn.chain_log import AnsweredQueries
from zetaroute.learn.chains import see_recorded
from zetaroute.policy import Policy
from zetaroute.policy.chain.plan import ChainState
from zetaroute.policy.opinion import opinion_of
from zetaroute.policy.policy import Expectation


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainRun:
    """What a chain did with one query."""

    returned: int
    """The model whose answer was given."""
    paid: Index
    """All models that were asked."""
    right: float
    utility_usd: float


class RecordedAnswers:
    """Recorded answers of K models, each read once."""

    def __init__(self, recordings: Recordings, objective: Objective) -> None:
        """Take recordings that hold what was answered."""
        self.recordings, self.objective = recordings, objective
        self._charged = charged(recordings)
        self._seconds = np.nan_to_num(recordings.latency_s)
        self._known: dict[tuple[int, int], ReadAnswer] = {}

    def read(self, query: int, model: int) -> ReadAnswer:
        """Return what is read of one answer."""
        found = self._known.get((query, model))
        if found is None:
            said = (self.recordings.responses or ())[query][model]
            found = self._known[query, model] = read_answer(said, self.recordings.texts[query])
        return found

    def run(self, chain: ChainState, query: int) -> ChainRun:
        """Let a chain answer a query."""
        models, value_usd = self.recordings.models, self.objective.answer_value_usd
        places = {model: models.index(model) for model in chain.plan.models}
        seconds = {model: float(self._seconds[query, place]) for model, place in places.items()}
        see = see_recorded({model: self.read(query, place) for model, place in places.items()})
        state, asked, waited_s = run_chain(chain, seconds, see)
        paid = np.array([place for model, place in places.items() if model in asked], dtype=np.int64)
        returned = models.index(state.best())
        right = float(self.recordings.score[query, returned])
        spent_usd = float(self._charged[query, paid].sum()) + self.objective.second_value_usd * waited_s
        return ChainRun(returned=returned, paid=paid, right=right, utility_usd=value_usd * right - spent_usd)

    def chain_of(
        self, policy: Policy, query: int, expected: Expectation, arms: tuple[Arm, ...]
    ) -> ChainState | None:
        """Return the chain by which a policy answers a query; None where it asks one model."""
        asked = Query(text=self.recordings.texts[query])
        opinion = opinion_of(policy, asked, arms, self.objective, {}, {policy.version: expected})
        return opinion.with_chain(asked, np.ones(len(arms), dtype=bool), np.inf).chain

    def answered(self, queries: Index, asked: Mask, vectors: Array) -> AnsweredQueries:
        """Return queries (n,) with the answers of the models that were `asked` (n, K)."""
        side = self.recordings

        def seen(values: Array) -> Array:
            return np.where(asked, values[queries], np.nan)

        return AnsweredQueries(
            texts=[side.texts[query] for query in queries.tolist()],
            group=side.groups()[queries],
            vectors=vectors,
            accuracy=seen(side.score),
            cost_usd=seen(side.cost_usd),
            response_s=seen(side.latency_s),
            answers=tuple(
                tuple(self.read(query, model) if known else None for model, known in enumerate(row))
                for query, row in zip(queries.tolist(), asked.tolist(), strict=True)
            ),
        )
