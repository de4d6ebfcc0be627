"""The key figures of what was really served, for one set of rows and between two.

Arrays in, figures out; where the rows come from is the business of `store` and the flows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zetaroute.config import Objective
from zetaroute.domain import Figure
from zetaroute.evaluate.confidence import (
    NOTHING,
    difference_figure,
    mean_figure,
    quantile_figure,
    ratio_figure,
    share_figure,
)
from zetaroute.evaluate.opinion import Change, Opinion, opinion_change

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What was served, one entry per query (all arrays (n,)); NaN where nothing is known."""

    accuracy: Array
    opinion: Opinion
    response_s: Array
    ttft_s: Array
    cost_usd: Array
    """Cost of the whole chain of attempts."""
    charged_usd: Array
    """The same with unknown costs replaced as decisions do; used in the utility alone."""
    router_s: Array
    router_cost_usd: Array
    """What deciding cost: embeddings."""
    failed: Array
    """1 where no model answered."""
    judge_cost_usd: Array
    """What judging the answers cost, apart from the cost of the answers."""
    escalated: Array
    """1 where an answer failed a check and another model was asked."""
    fell_back: Array
    rated: Array
    """1 where somebody rated the answer."""
    segment: NDArray[np.str_]
    """Task label, or another grouping of queries."""

    @property
    def judged(self) -> bool:
        """Whether judging any of the answers cost money, be it known or not."""
        return bool((self.judge_cost_usd != 0).any())

    def take(self, rows: NDArray[np.bool_]) -> Served:
        """Return the chosen rows."""
        parts = {name: getattr(self, name)[rows] for name in self.__slots__ if name != "opinion"}
        return Served(**parts, opinion=self.opinion.take(rows))

    def utility(self, objective: Objective) -> Array:
        """Return the realised utility in USD; NaN where accuracy is unknown.

        A missing rating is not a bad one: satisfaction enters completed for who rates, and as it is expected where
        that cannot be.
        """
        score = np.where(np.isnan(self.opinion.score), self.opinion.expected, self.opinion.score)
        return (
            objective.answer_value_usd * self.accuracy
            + objective.satisfaction_value_usd * score
            - np.nan_to_num(self.charged_usd)
            - objective.second_value_usd * self.response_s
        )


def figures(served: Served, objective: Objective) -> dict[str, Figure]:
    """Return every KPI of the rows, by the names of the contract."""
    answered = np.where(served.failed == 1.0, np.nan, served.response_s)
    rated = np.where(served.failed == 1.0, np.nan, served.rated)
    return {
        "mean_response_s": mean_figure(answered, least=0.0),
        "median_response_s": quantile_figure(answered, 0.5),
        "p95_response_s": quantile_figure(answered, 0.95),
        "ttft_s": mean_figure(served.ttft_s, least=0.0),
        "accuracy_rate": share_figure(served.accuracy),
        "satisfaction_score": served.opinion.satisfaction(),
        "satisfied_share": served.opinion.satisfied(),
        "rating_rate": share_figure(rated),
        "cost_per_query_usd": mean_figure(served.cost_usd, least=0.0),
        "cost_per_correct_usd": ratio_figure(served.cost_usd, served.accuracy),
        "error_rate": share_figure(served.failed),
        "fallback_rate": share_figure(served.fell_back),
        "escalation_rate": share_figure(served.escalated),
        "router_s": mean_figure(served.router_s, least=0.0),
        "router_cost_usd": mean_figure(served.router_cost_usd, least=0.0),
        "judge_cost_usd": mean_figure(served.judge_cost_usd, least=0.0) if served.judged else NOTHING,
        "utility_usd": mean_figure(served.utility(objective)),
    }


def mix_weights(before: NDArray[np.str_], after: NDArray[np.str_]) -> Array:
    """Return weights for the rows of `before` that give its segments the shares they have in `after`.

    Segments that only one side has get no weight on that side's figures: they cannot be compared.
    """
    names, counts = np.unique(after, return_counts=True)
    target = dict(zip(names.tolist(), (counts / len(after)).tolist(), strict=True))
    mine, place, own = np.unique(before, return_inverse=True, return_counts=True)
    weights = [target.get(name, 0.0) / count for name, count in zip(mine.tolist(), own.tolist(), strict=True)]
    return np.asarray(np.array(weights, dtype=np.float64)[place])


def differences(before: Served, after: Served, objective: Objective) -> dict[str, Figure]:
    """Return after - before per KPI, with the rows of `before` re-weighted to the query mix of `after`.

    Post-stratified means; for medians, quantiles and ratios the rows of shared segments are compared as they
    are. Not causal: a shift inside a segment is not covered.
    """
    before, after, weights = _on_one_mix(before, after)
    old, new = figures(before, objective), figures(after, objective)
    if len(weights) and len(after.segment):
        old |= {name: mean_figure(column, weights) for name, column in _means(before, objective).items()}
        old["satisfaction_score"] = before.opinion.satisfaction(weights)
    return {name: difference_figure(new[name], old[name]) for name in new}


def unrated(before: Served, after: Served) -> Change | None:
    """Return what those who do not rate could make of the change in satisfaction that `differences` returns.

    None while a side has hardly any ratings.
    """
    before, after, weights = _on_one_mix(before, after)
    return opinion_change(before.opinion, after.opinion, weights)


def _on_one_mix(before: Served, after: Served) -> tuple[Served, Served, Array]:
    """Return the rows of the segments that both sides have, and the weights of those before."""
    shared = sorted(set(before.segment.tolist()) & set(after.segment.tolist()))
    before, after = (side.take(np.isin(side.segment, shared)) for side in (before, after))
    if not len(before.segment) or not len(after.segment):
        return before, after, np.zeros(len(before.segment))
    return before, after, mix_weights(before.segment, after.segment)


def _means(served: Served, objective: Objective) -> Mapping[str, Array]:
    return {
        "mean_response_s": np.where(served.failed == 1.0, np.nan, served.response_s),
        "ttft_s": served.ttft_s,
        "accuracy_rate": served.accuracy,
        "cost_per_query_usd": served.cost_usd,
        "error_rate": served.failed,
        "judge_cost_usd": served.judge_cost_usd,
        "utility_usd": served.utility(objective),
    }
