"""The key figures of what was really served, for one set of queries and between two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Mask
from zetaroute.config import Objective
from zetaroute.domain import Figure
from zetaroute.evaluate.intervals import NOTHING, Moments, difference_figure, quantile_figures, ratio
from zetaroute.evaluate.satisfaction import SatisfactionChange, SatisfactionEstimate, satisfaction_change


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Seconds of single queries, for what sums cannot tell: the quantiles."""

    seconds: Array
    """(n,)"""
    group: NDArray[np.int32]
    """(n,) the group that each query is of."""

    def take(self, chosen: Mask) -> Times:
        """Return those of some groups, which are numbered anew."""
        here = chosen[self.group]
        number = np.cumsum(chosen, dtype=np.int32) - np.int32(1)
        return Times(seconds=self.seconds[here], group=number[self.group[here]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What was served, in g groups of queries that are alike in all but times and costs; arrays (g,), NaN unknown."""

    rows: Array
    """Queries in each group."""
    accuracy: Array
    opinion: SatisfactionEstimate
    response_s: Moments
    times: Times
    """The response times themselves."""
    ttft_s: Moments
    cost_usd: Moments
    """Cost of the whole chain of attempts."""
    charged_usd: Moments
    """The same with unknown costs replaced as decisions do; used in the utility alone."""
    charged_with_response: Array
    """Sums of the products of the deviations of what is charged and of the response time."""
    router_s: Moments
    router_cost_usd: Moments
    """What deciding cost: embeddings."""
    failed: Array
    """1 where no model answered."""
    judge_cost_usd: Moments
    """What judging the answers cost, without the cost of the answers."""
    escalated: Array
    """1 where an answer failed a check and another model was asked."""
    fell_back: Array
    rated: Array
    """1 where somebody rated the answer."""
    segment: NDArray[np.str_]
    """Task label, or another grouping of queries."""

    @classmethod
    def of_rows(cls, *, response_s: Array, **columns: Any) -> Served:
        """Return single queries as groups of one: of each field an array (n,) as it stands in the log."""
        n = len(response_s)
        measured: dict[str, Any] = {name: Moments.of(columns.pop(name)) for name in _MEASURED}
        return cls(
            rows=np.ones(n),
            response_s=Moments.of(response_s),
            times=Times(seconds=response_s, group=np.arange(n, dtype=np.int32)),
            charged_with_response=np.zeros(n),
            **measured,
            **columns,
        )

    @property
    def judged(self) -> bool:
        """Whether judging any of the answers cost money, be it known or not."""
        cost = self.judge_cost_usd
        return bool(((cost.n < self.rows) | (cost.mean != 0) | (cost.squares != 0)).any())

    def take(self, chosen: Mask) -> Served:
        """Return the chosen groups."""
        parts: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        for name, part in parts.items():
            parts[name] = part[chosen] if isinstance(part, np.ndarray) else part.take(chosen)
        return Served(**parts)

    def share(self, values: Array) -> Figure:
        """Return the share over all queries of what is 0..1 and equal within each group, (g,)."""
        return Moments.of(values, self.rows).share()

    def utility(self, objective: Objective) -> Moments:
        """Return the realised utility in USD; unknown where accuracy is.

        A missing rating is not a bad one: satisfaction enters completed for who rates, and as it is expected where
        that cannot be.
        """
        score = np.where(np.isnan(self.opinion.score), self.opinion.expected, self.opinion.score)
        second = objective.second_value_usd
        charged, waited = self.charged_usd, self.response_s
        mean = (
            objective.answer_value_usd * self.accuracy
            + objective.satisfaction_value_usd * score
            - np.where(charged.n > 0, charged.mean, 0.0)
            - second * waited.mean
        )
        return Moments(
            n=np.where(np.isnan(mean), 0.0, waited.n),
            mean=mean,
            squares=charged.squares + second**2 * waited.squares + 2.0 * second * self.charged_with_response,
        )


_MEASURED = ("ttft_s", "cost_usd", "charged_usd", "router_s", "router_cost_usd", "judge_cost_usd")


def figures(served: Served, objective: Objective) -> dict[str, Figure]:
    """Return every KPI of the rows, by the names of the contract."""
    answered = served.failed != 1.0
    median, p95 = quantile_figures(served.times.take(answered).seconds, 0.5, 0.95)
    return {
        "mean_response_s": served.response_s.where(answered).figure(least=0.0),
        "median_response_s": median,
        "p95_response_s": p95,
        "ttft_s": served.ttft_s.figure(least=0.0),
        "accuracy_rate": served.share(served.accuracy),
        "satisfaction_score": served.opinion.satisfaction(),
        "satisfied_share": served.opinion.satisfied(),
        "rating_rate": served.share(np.where(answered, served.rated, np.nan)),
        "cost_per_query_usd": served.cost_usd.figure(least=0.0),
        "cost_per_correct_usd": ratio(served.cost_usd, served.accuracy),
        "error_rate": served.share(served.failed),
        "fallback_rate": served.share(served.fell_back),
        "escalation_rate": served.share(served.escalated),
        "router_s": served.router_s.figure(least=0.0),
        "router_cost_usd": served.router_cost_usd.figure(least=0.0),
        "judge_cost_usd": served.judge_cost_usd.figure(least=0.0) if served.judged else NOTHING,
        "utility_usd": served.utility(objective).figure(most=_most_usd(objective)),
    }


def _most_usd(objective: Objective) -> float:
    """Return what a query is worth at most: right at once, for nothing, to somebody who likes it."""
    return objective.answer_value_usd + objective.satisfaction_value_usd


def mix_weights(before: Served, after: Served) -> Array:
    """Return weights for the queries of `before` (g,) that give its segments the shares they have in `after`.

    Segments that only one side has get no weight on that side's figures: they cannot be compared.
    """
    sizes, target = (_sizes(side) for side in (before, after))
    total = float(after.rows.sum())
    return np.array(
        [target.get(name, 0.0) / total / sizes[name] for name in before.segment.tolist()], dtype=np.float64
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OneMix:
    """The KPIs of two sets of queries, of the kinds that both have, as on one mix of them."""

    before: Mapping[str, Figure]
    after: Mapping[str, Figure]

    @property
    def difference(self) -> dict[str, Figure]:
        """Return after - before per KPI."""
        return {name: difference_figure(new, self.before[name]) for name, new in self.after.items()}


def on_one_mix(before: Served, after: Served, objective: Objective) -> OneMix:
    """Return the KPIs of both sides with the rows of `before` re-weighted to the query mix of `after`.

    Post-stratified means; for medians, quantiles and ratios the rows of shared segments are compared as they
    are. Not causal: a shift inside a segment is not covered.
    """
    before, after, weights = _shared_kinds(before, after)
    old, new = figures(before, objective), figures(after, objective)
    if len(weights) and len(after.segment):
        old |= {
            name: _weighted(name, part, weights, objective)
            for name, part in _means(before, objective).items()
        }
        old["satisfaction_score"] = before.opinion.satisfaction(weights)
    return OneMix(before=old, after=new)


def unrated(before: Served, after: Served) -> SatisfactionChange | None:
    """Return what those who do not rate could make of the change in satisfaction on one mix.

    None while a side has hardly any ratings.
    """
    before, after, weights = _shared_kinds(before, after)
    return satisfaction_change(before.opinion, after.opinion, weights)


def _sizes(side: Served) -> dict[str, float]:
    """Return the queries of each segment."""
    names, place = np.unique(side.segment, return_inverse=True)
    counts = np.bincount(place, weights=side.rows, minlength=len(names))
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def _shared_kinds(before: Served, after: Served) -> tuple[Served, Served, Array]:
    """Return the rows of the segments that both sides have, and the weights of those before."""
    shared = sorted(set(before.segment.tolist()) & set(after.segment.tolist()))
    before, after = (side.take(np.isin(side.segment, shared)) for side in (before, after))
    if not len(before.segment) or not len(after.segment):
        return before, after, np.zeros(len(before.segment))
    return before, after, mix_weights(before, after)


def _weighted(name: str, part: Moments, weights: Array, objective: Objective) -> Figure:
    """Return a mean of re-weighted rows with an interval that does not leave the range of the KPI."""
    if name in {"accuracy_rate", "error_rate"}:
        return part.share(weights)
    if name == "utility_usd":
        return part.figure(weights, most=_most_usd(objective))
    return part.figure(weights, least=0.0)


def _means(served: Served, objective: Objective) -> Mapping[str, Moments]:
    return {
        "mean_response_s": served.response_s.where(served.failed != 1.0),
        "ttft_s": served.ttft_s,
        "accuracy_rate": Moments.of(served.accuracy, served.rows),
        "cost_per_query_usd": served.cost_usd,
        "error_rate": Moments.of(served.failed, served.rows),
        "judge_cost_usd": served.judge_cost_usd,
        "utility_usd": served.utility(objective),
    }
