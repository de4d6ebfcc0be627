"""A way of choosing, and what it is worth on recorded queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from zetaroute.arrays import Array
from zetaroute.bench.datasets import Recordings
from zetaroute.bench.datasets.recordings import charged, utility
from zetaroute.config import Objective
from zetaroute.evaluate.intervals import standard_error


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What a way of choosing does with n queries and K models."""

    weights: Array
    """(n, K) probability that each model's answer is returned."""
    paid: Array | None = None
    """(n, K) how often each model is asked; None for the returned answers alone."""
    seconds: Array | None = None
    """(n,) that are waited; None for those of the returned answers."""

    @property
    def asks(self) -> Array:
        """(n, K) how often each model is asked."""
        return self.weights if self.paid is None else self.paid

    def utility(self, queries: Recordings, objective: Objective) -> Array:
        """Return the utility of each query in USD, (n,)."""
        returned = (self.weights * utility(queries, objective)).sum(axis=1)
        if self.paid is not None:
            returned -= ((self.paid - self.weights) * charged(queries)).sum(axis=1)
        if self.seconds is not None:
            alone = (self.weights * np.nan_to_num(queries.latency_s)).sum(axis=1)
            returned -= objective.second_value_usd * (self.seconds - alone)
        return np.asarray(returned)

    def scores(self, queries: Recordings) -> Array:
        """Return the score of each query, (n,)."""
        return np.asarray((self.weights * queries.score).sum(axis=1))

    def cost_usd(self, queries: Recordings) -> float | None:
        """Return the mean cost of a query, as far as costs are known."""
        if self.paid is None:
            return _mean_known(self.weights, queries.cost_usd)
        if np.isnan(queries.cost_usd).all():
            return None
        return float((self.paid * charged(queries)).sum(axis=1).mean())

    def row(self, queries: Recordings, objective: Objective) -> dict[str, Any]:
        """Return score, cost, time, utility and shares, the score with its standard error."""
        scores, tasks = self.scores(queries), queries.tasks
        by_task = {str(task): float(scores[tasks == task].mean()) for task in np.unique(tasks)}
        shares = zip(queries.models, self.weights.mean(axis=0), strict=True)
        known = not np.isnan(queries.latency_s).all()
        return {
            "score": float(scores.mean()),
            "score_se": standard_error(scores),
            "score_by_task": by_task,
            "score_macro": float(np.mean(list(by_task.values()))),
            "cost_usd": self.cost_usd(queries),
            "response_s": (float(self.seconds.mean()) if known else None)
            if self.seconds is not None
            else _mean_known(self.weights, queries.latency_s),
            "utility_usd": float(self.utility(queries, objective).mean()),
            "share": {model: float(share) for model, share in shares if share > 0},
            **({} if self.paid is None else {"asks": float(self.paid.sum(axis=1).mean())}),
        }


def _mean_known(weights: Array, values: Array) -> float | None:
    known = weights * ~np.isnan(values)
    if not known.any():
        return None
    return float((weights * np.nan_to_num(values)).sum() / known.sum())
