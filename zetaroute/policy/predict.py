"""What to expect of every arm for a query: from the config before any data, from fitted heads after.

Two predictors with one interface, so that the cold start and every learned version decide by the same code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zetaroute.config import Objective
from zetaroute.domain import Arm, Prices
from zetaroute.features import AnyMap, EmbeddedMap, Embeddings
from zetaroute.policy.heads import ClassHead, LinearHead, LogHead, within

Array = NDArray[np.float64]

PRIOR_ACCURACY = 0.6
PRIOR_SATISFACTION = 0.6
PRIOR_RESPONSE_S = 2.0
PRIOR_SE = 0.2
"""Standard error of an accuracy or a satisfaction that only the config claims."""
PRIOR_RELATIVE_SE = 0.5
"""The same for times and costs, as a share."""
PRIOR_OUTPUT_TOKENS = 200.0
CHARACTERS_PER_TOKEN = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Predictions for n queries and K arms; every array has the shape (n, K)."""

    accuracy: Array
    accuracy_se: Array
    satisfaction: Array
    satisfaction_se: Array
    response_s: Array
    response_se: Array
    response_p95_s: Array
    """Time that 95 of 100 answers would stay within; NaN before any was seen."""
    cost_usd: Array
    """NaN where the price is unknown."""
    cost_se: Array
    satisfied: Array
    """Probability of a good rating; NaN before any rating was seen."""
    rows: Array
    """(K,) training rows behind each arm; 0 when only the config speaks."""

    def each(self) -> list[Forecast]:
        """Return the predictions for every query alone, each (1, K)."""
        if len(self.accuracy) == 1:
            return [self]
        arrays = {name: getattr(self, name) for name in self.__slots__ if name != "rows"}
        return [
            Forecast(**{name: array[row : row + 1] for name, array in arrays.items()}, rows=self.rows)
            for row in range(len(self.accuracy))
        ]

    def utility(self, objective: Objective, arms: Sequence[Arm]) -> tuple[Array, Array]:
        """Return mean and standard error of the utility in USD, each (n, K).

        An unknown cost counts as free for a local model and as the dearest known one for any other.
        """
        cost = self.charged(arms)
        mean = (
            objective.answer_value_usd * self.accuracy
            + objective.satisfaction_value_usd * self.satisfaction
            - cost
            - objective.second_value_usd * self.response_s
        )
        variance = (
            (objective.answer_value_usd * self.accuracy_se) ** 2
            + (objective.satisfaction_value_usd * self.satisfaction_se) ** 2
            + np.where(np.isnan(self.cost_se), 0.0, self.cost_se) ** 2
            + (objective.second_value_usd * self.response_se) ** 2
        )
        return mean, np.sqrt(variance)

    def charged(self, arms: Sequence[Arm]) -> Array:
        """Return the costs (n, K) that a decision counts with, unknown ones replaced."""
        unknown = np.isnan(self.cost_usd)
        if not unknown.any():
            return self.cost_usd
        dearest = np.max(np.nan_to_num(self.cost_usd, nan=0.0), axis=1, keepdims=True)
        local = np.array([arm.local for arm in arms])
        return np.where(unknown, np.where(local, 0.0, dearest), self.cost_usd)


class Predictor(Protocol):
    """Anything that forecasts every arm for a query."""

    def vectors(self, texts: Sequence[str], tasks: Sequence[str | None] | None = None) -> Array:
        """Return what `forecast` wants to know of each text and its task label, shape (n, anything)."""
        ...

    def forecast(self, vectors: Array, arms: Sequence[Arm]) -> Forecast:
        """Return the predictions for n vectors and the given arms, in their order."""
        ...

    def knowing(self, given: Embeddings) -> Predictor:
        """Return the same with these embeddings at hand for `vectors`."""
        ...


class PriorPredictor:
    """What the config claims: prior accuracy, price, speed. The same for every query but for its length."""

    def vectors(self, texts: Sequence[str], tasks: Sequence[str | None] | None = None) -> Array:
        """Return the length of each text in characters, shape (n, 1)."""
        return np.array([[float(len(text))] for text in texts]).reshape(len(texts), 1)

    def knowing(self, given: Embeddings) -> PriorPredictor:
        """Return the same: priors read no query."""
        return self

    def forecast(self, vectors: Array, arms: Sequence[Arm]) -> Forecast:
        """Return the priors of the arms, spread over n queries."""
        n = len(vectors)
        accuracy = _row([_known(arm.prior_accuracy, PRIOR_ACCURACY) for arm in arms], n)
        response = _row([_known(arm.prior_response_s, PRIOR_RESPONSE_S) for arm in arms], n)
        per_input = _row([arm.prices.input if arm.prices else np.nan for arm in arms], n)
        per_output = _row([arm.prices.output if arm.prices else np.nan for arm in arms], n)
        cost = (per_input * vectors / CHARACTERS_PER_TOKEN + per_output * PRIOR_OUTPUT_TOKENS) / 1e6
        return Forecast(
            accuracy=accuracy,
            accuracy_se=np.full_like(accuracy, PRIOR_SE),
            satisfaction=np.full_like(accuracy, PRIOR_SATISFACTION),
            satisfaction_se=np.full_like(accuracy, PRIOR_SE),
            response_s=response,
            response_se=response * PRIOR_RELATIVE_SE,
            response_p95_s=np.full_like(accuracy, np.nan),
            cost_usd=cost,
            cost_se=cost * PRIOR_RELATIVE_SE,
            satisfied=np.full_like(accuracy, np.nan),
            rows=np.zeros(len(arms)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """At which prices an arm's costs were learned, and for how many tokens on average."""

    prices: Prices
    input_tokens: float
    output_tokens: float

    def factor(self, prices: Prices | None) -> float:
        """Return by how much costs change with the prices of now."""
        if prices is None or prices == self.prices:
            return 1.0
        old, new = (
            self.input_tokens * price.input + self.output_tokens * price.output
            for price in (self.prices, prices)
        )
        return new / old if old > 0 else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedPredictor:
    """A feature map and four heads; an arm that they have never seen is forecast from the config."""

    map: AnyMap
    models: tuple[str, ...]
    """Ids of the arms in the order of the heads."""
    accuracy: LinearHead | None
    satisfaction: LinearHead | None
    response: LogHead | None
    cost: LogHead | None
    rating: ClassHead | None
    priced: Mapping[str, Priced] = field(default_factory=dict)
    """By arm id: a price that changes in the config counts at once, not after the next retrain."""
    centre: Array | None = None
    """(1 + size,) the average query. When it is given every query is forecast as that one: the log did not show
    that telling queries apart pays, so the best single model at the prices and values of now answers."""

    def vectors(self, texts: Sequence[str], tasks: Sequence[str | None] | None = None) -> Array:
        """Return the length in characters and then the feature vector of each text, shape (n, 1 + size)."""
        return np.concatenate([PriorPredictor().vectors(texts), self.map.vectors(texts, tasks)], axis=1)

    def knowing(self, given: Embeddings) -> LearnedPredictor:
        """Return the same with these embeddings at hand, where its map reads any."""
        if not isinstance(self.map, EmbeddedMap):
            return self
        return replace(self, map=self.map.knowing(given))

    def forecast(self, vectors: Array, arms: Sequence[Arm]) -> Forecast:
        """Return the predictions of the heads, and the config's where a head or an arm is new."""
        if self.centre is not None:
            vectors = np.tile(self.centre, (len(vectors), 1))
        prior = PriorPredictor().forecast(vectors[:, :1], arms)
        x = vectors[:, 1:]
        place = {model: index for index, model in enumerate(self.models)}
        heads = np.array([place.get(arm.id, -1) for arm in arms], dtype=np.int64)
        known, doubts = heads >= 0, _Doubts(x)

        def learned(head: LinearHead | LogHead | None, mean: Array, se: Array) -> tuple[Array, Array]:
            return _fill(head, doubts, heads, mean, se)

        accuracy, accuracy_se = learned(self.accuracy, prior.accuracy, prior.accuracy_se)
        liking, liking_se = learned(self.satisfaction, prior.satisfaction, prior.satisfaction_se)
        response, response_se = learned(self.response, prior.response_s, prior.response_se)
        cost, cost_se = learned(self.cost, prior.cost_usd, prior.cost_se)
        factor = np.array(
            [self.priced[arm.id].factor(arm.prices) if arm.id in self.priced else 1.0 for arm in arms]
        )
        satisfied, rows, p95 = prior.satisfied, prior.rows, prior.response_p95_s
        if self.rating is not None:
            satisfied = np.where(known, self.rating.good(x)[:, heads], satisfied)
        if self.response is not None:
            rows = np.where(known, self.response.linear.rows[heads], rows)
            p95 = np.where(rows > 0, response * self.response.tail[heads], p95)
        return Forecast(
            accuracy=within(accuracy, 0.0, 1.0),
            accuracy_se=accuracy_se,
            satisfaction=within(liking, 0.0, 1.0),
            satisfaction_se=liking_se,
            response_s=response,
            response_se=response_se,
            response_p95_s=p95,
            cost_usd=cost * factor,
            cost_se=cost_se * factor,
            satisfied=satisfied,
            rows=rows,
        )


class _Doubts:
    """The standard errors of n vectors in units of the noise, computed once for all heads that share a spread."""

    def __init__(self, x: Array) -> None:
        self.x = x
        self._found: dict[int, Array] = {}

    def of(self, head: LinearHead) -> Array:
        """Return those of one head, (n, K)."""
        key = id(head.spread)
        if key not in self._found:
            self._found[key] = head.doubt(self.x)
        return self._found[key]


def _fill(
    head: LinearHead | LogHead | None,
    doubts: _Doubts,
    heads: NDArray[np.int64],
    mean: Array,
    se: Array,
) -> tuple[Array, Array]:
    """Return a head's predictions for the arms it has rows of and the priors for the others, each (n, K).

    `heads` (K,) is the place of each arm among the head's own, -1 where it has none.
    """
    if head is None:
        return mean, se
    linear = head.linear if isinstance(head, LogHead) else head
    seen = (heads >= 0) & (linear.rows[heads] > 0)
    if not seen.any():
        return mean, se
    learned_mean, learned_se = head.estimate(doubts.x, doubts.of(linear))
    learned_mean, learned_se = learned_mean.take(heads, axis=1), learned_se.take(heads, axis=1)
    return np.where(seen, learned_mean, mean), np.where(seen, learned_se, se)


def _known(value: float | None, default: float) -> float:
    return default if value is None else value


def _row(values: Sequence[float], n: int) -> Array:
    return np.full((n, len(values)), values, dtype=np.float64)
