"""A version of the routing policy: what it predicts, and which arm it prefers by that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from zetaroute.arrays import Array, Index, Mask
from zetaroute.config import Objective
from zetaroute.domain import Arm, Query, Standing
from zetaroute.policy.escalation import CheckReliability
from zetaroute.policy.exploration import exploit
from zetaroute.policy.forecast import Forecast, Predictor
from zetaroute.policy.prior import Memo, PriorPredictor
from zetaroute.registry import COLD, Registry

if TYPE_CHECKING:
    from zetaroute.features import Embeddings
    from zetaroute.policy.chain.plan import ChainPlan

DEVIATES = 0.25
"""Standard errors of the difference that another model must be expected to be better by to take the place of the
single one: more of them starve young candidates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a policy expects of K arms for one query."""

    forecast: Forecast
    """(1, K)"""
    segment: str | None
    """The learned kind of the query; None if unnamed."""
    cell: int | None = None
    """The query's cell of the feature map; None where nothing tells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A version of the routing policy: what it predicts, and how it chooses by that."""

    version: str
    predictor: Predictor
    checks: Mapping[str, CheckReliability] = field(default_factory=dict)
    """By grader: how well its checks were measured to tell right answers from wrong ones."""
    kinds: tuple[str | None, ...] = ()
    """Names of the learned kinds of queries, by cell; None where one has none that lasts."""
    anchor: str | None = None
    """The single model that answers unless another is expected to be clearly better; None for a version that goes by
    each model's lower bound."""
    average: Array | None = None
    """(1 + size,) the average query, by which single models are ranked."""
    chain: ChainPlan | None = None
    """What was learned of looking at answers before others are asked; None where that was too little."""
    ranked: Memo[tuple[tuple[Arm, ...], Objective], Array] = field(
        default_factory=Memo, repr=False, compare=False
    )

    @property
    def reads_hashed(self) -> bool:
        """Whether it was learned from hashed terms, which must be made of a query before it is decided."""
        return self.predictor.map is not None and self.predictor.map.reads_hashed

    def kind_of(self, query: Query, vector: Array) -> str | None:
        """Return the learned kind of a query without a task label, whose vector is (1, anything); None if unnamed."""
        cell = self.cell_of(query, vector)
        return None if cell is None or not self.kinds or query.task else self.kinds[cell]

    def cell_of(self, query: Query, vector: Array) -> int | None:
        """Return the cell of the feature map that a query lies in, whose vector is (1, anything); None if unknown."""
        found = self.predictor.map
        return int(found.cells(vector[:, 1:])[0]) if found is not None and found.knows(query.text) else None

    @property
    def reads_words(self) -> bool:
        """Whether the words of a query are all that it goes by: not the record of the arms, nor a given vector."""
        return self.predictor.map is not None and self.predictor.map.reads_words

    def expect(self, queries: Sequence[Query], arms: Sequence[Arm]) -> list[Expectation]:
        """Return what is expected of the arms for each query, for many at once in a third of the time."""
        vectors = self.predictor.vectors([query.text for query in queries], [query.task for query in queries])
        forecasts = self.predictor.forecast(vectors, arms).each()
        return [
            Expectation(
                forecast=forecast,
                segment=self.kind_of(query, vectors[row : row + 1]),
                cell=self.cell_of(query, vectors[row : row + 1]),
            )
            for row, (query, forecast) in enumerate(zip(queries, forecasts, strict=True))
        ]

    def with_embeddings(self, given: Embeddings) -> Policy:
        """Return the same with the embeddings of some texts at hand."""
        return replace(self, predictor=self.predictor.with_embeddings(given))

    def with_record(self, standings: Mapping[str, Standing]) -> Policy:
        """Return the same with the record of every arm at hand, which only a cold start goes by."""
        if not isinstance(self.predictor, PriorPredictor):
            return self
        return replace(self, predictor=self.predictor.with_record(standings))

    def exploit(
        self,
        forecast: Forecast,
        *,
        arms: Sequence[Arm],
        objective: Objective,
        eligible: Mask,
    ) -> Index:
        """Return the arm that this policy prefers for each of n queries; `eligible` is (n, K)."""
        mean, se = forecast.utility(objective, arms)
        return held_best(mean, se, forecast.rows, eligible, self.singles(arms, objective))

    def singles(self, arms: Sequence[Arm], objective: Objective) -> Array | None:
        """Return how the arms rank as single models (K,), the anchor first; None for a version without one."""
        if self.anchor is None or self.average is None:
            return None
        predictor, average, anchor = self.predictor, self.average, self.anchor
        return self.ranked.of(
            (tuple(arms), objective), lambda: ranked_singles(predictor, average, arms, objective, anchor)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """A policy that is tried beside the one in use."""

    epoch: str
    policy: Policy
    """The challenger."""
    share: float
    """Share of the queries that it is given."""
    anchor: str | None = None
    """The single model that the champion always asks; None where it chooses by query."""
    promoted: bool = False
    """Whether the challenger is the version in use, and the champion the one before it."""
    proving: bool = False
    """Whether it is still tested for harm."""


def load_policy(registry: Registry, version: str) -> Policy:
    """Return the policy of a version; COLD is the config's priors."""
    if version == COLD:
        return Policy(version=COLD, predictor=PriorPredictor())
    from zetaroute.policy.serialise import policy_from

    return policy_from(registry.load(version))


def held_best(mean: Array, se: Array, rows: Array, eligible: Mask, singles: Array | None = None) -> Index:
    """Return the arm that is held best for each of n queries; all arrays (n, K) but `rows` and `singles` (K,).

    A model that was never tried is not held best on the config's word while others have a record. With `singles`,
    the eligible arm that ranks first there answers unless the best one is DEVIATES better.
    """
    able = _able(rows, eligible)
    if singles is None:
        return exploit(mean, se, able)
    query, single = np.arange(len(mean)), single_best(singles, rows, eligible)
    best = np.where(able, mean, -np.inf).argmax(axis=1)
    doubt = np.hypot(se[query, best], se[query, single])
    clear = mean[query, best] - mean[query, single] > DEVIATES * doubt
    return np.where(clear, best, single)


def single_best(singles: Array, rows: Array, eligible: Mask) -> Index:
    """Return, for each of n queries, the eligible arm (n, K) that ranks first in `singles` (K,)."""
    return np.asarray(np.where(_able(rows, eligible), singles, -np.inf).argmax(axis=1))


def ranked_singles(
    predictor: Predictor, average: Array, arms: Sequence[Arm], objective: Objective, anchor: str
) -> Array:
    """Return how the arms rank as single models (K,): the anchor first, then by the `average` query (1 + size,)."""
    mean, _ = predictor.forecast(average[None], arms).utility(objective, arms)
    return np.where([arm.id == anchor for arm in arms], np.inf, mean[0])


def _able(rows: Array, eligible: Mask) -> Mask:
    if rows.all():
        return eligible
    tried = eligible & (rows > 0)
    return np.where(tried.any(axis=1, keepdims=True), tried, eligible)
