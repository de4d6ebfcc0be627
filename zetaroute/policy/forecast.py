"""What is expected of every arm for a query, and what that is worth: the one shape that every predictor fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from zetaroute.arrays import Array
from zetaroute.config import Objective
from zetaroute.domain import Arm, Query

if TYPE_CHECKING:
    from zetaroute.features import AnyMap, Embeddings


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

    def slower(self, times: Array) -> Forecast:
        """Return the same where every arm takes so many `times` (K,) as long."""
        return replace(
            self,
            response_s=self.response_s * times,
            response_se=self.response_se * times,
            response_p95_s=self.response_p95_s * times,
        )

    def utility(self, objective: Objective, arms: Sequence[Arm]) -> tuple[Array, Array]:
        """Return mean and standard error of the utility in USD, each (n, K).

        An unknown cost counts as free for a local model and as the highest known one for any other.
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
        highest = np.max(np.nan_to_num(self.cost_usd, nan=0.0), axis=1, keepdims=True)
        local = np.array([arm.local for arm in arms])
        return np.where(unknown, np.where(local, 0.0, highest), self.cost_usd)


class Predictor(Protocol):
    """Anything that forecasts every arm for a query."""

    @property
    def map(self) -> AnyMap | None:
        """What turns a query into the vector that it goes by; None where queries are not told apart."""
        ...

    def vectors(self, texts: Sequence[str], tasks: Sequence[str | None] | None = None) -> Array:
        """Return what `forecast` wants to know of each text and its task label, shape (n, anything)."""
        ...

    def forecast(self, vectors: Array, arms: Sequence[Arm]) -> Forecast:
        """Return the predictions for n vectors and the given arms, in their order."""
        ...

    def with_embeddings(self, given: Embeddings) -> Predictor:
        """Return the same with these embeddings at hand for `vectors`."""
        ...


def extra_usd(arms: Sequence[Arm], query: Query) -> dict[str, float]:
    """Return by model what reading a query costs beyond the forecast, which is of its words at the usual price.

    That is its files, and what its length adds where the price list has tiers.
    """
    known = {arm.id: arm.prices for arm in arms if arm.prices and (query.attachments or arm.prices.above)}
    if not known:
        return {}
    tokens = query.tokens()
    words = replace(query, attachments=()).tokens() if query.attachments else tokens
    extra = {
        name: (prices.flat(tokens).input * tokens - prices.input * words) / 1e6
        for name, prices in known.items()
    }
    return {name: usd for name, usd in extra.items() if usd}
