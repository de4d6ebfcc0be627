"""The trial of a candidate: what it would have done on held-out rows, beside the incumbent and simple baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Index
from zetaroute.config import Objective, PromotionGate, Settings
from zetaroute.domain import Arm, Figure
from zetaroute.evaluate.gate import Margin
from zetaroute.evaluate.nonresponse import (
    FEWEST_RATED,
    Invitation,
    RatingSensitivity,
    after_columns,
    rated_difference,
)
from zetaroute.evaluate.ope import Difference, LoggedRows, PairedDR, Support, support
from zetaroute.evaluate.quantiles import quantile_difference
from zetaroute.evaluate.subgroups import Segment, segments
from zetaroute.learn.clusters import segments as segments_of
from zetaroute.learn.fit import Fitted, single_threaded
from zetaroute.learn.routing_gain import realised_utility, with_lengths
from zetaroute.learn.samples import Sample, compared
from zetaroute.policy import Forecast, LearnedPredictor, Policy
from zetaroute.policy.forecast import Predictor

CHUNK = 50_000
"""Queries that models are chosen for at once."""
BOUNDED = ("accuracy_rate", "satisfaction_score", "error_rate", "slow_share")


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldoutComparison:
    """What was compared, kept so that more can be asked of it without another fit of an outcome model."""

    rows: Sample
    arms: Sequence[Arm]
    before: Index
    """(n,) the incumbent's arm."""
    after: Index
    """(n,) the candidate's arm."""
    compared: LoggedRows
    """The same in the candidate's vectors, as it was compared."""
    forecast: Forecast
    """What the candidate expects of every arm on every row."""
    kpis: Mapping[str, PairedDR]
    kinds: NDArray[np.str_]
    """(n,) task label, else the name of the cell that the query lies in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The candidate against the incumbent on the holdout."""

    trial: HoldoutComparison
    differences: Mapping[str, Difference]
    rated: RatingSensitivity | None
    """Satisfaction, corrected for who rates; None while hardly anybody does."""
    p95_response_s: Figure
    segments: Sequence[Segment]
    before: Mapping[str, Figure]
    after: Mapping[str, Figure]
    support: Support
    baselines: Mapping[str, Figure]
    """Utility in USD per query of the fixed alternatives, by name."""
    share_before: Mapping[str, float]
    share_after: Mapping[str, float]

    def satisfaction_usd(self, objective: Objective) -> Difference | None:
        """Return what the change in satisfaction is worth; None while hardly anybody rates."""
        if self.rated is None:
            return None
        return self.rated.difference.times(objective.satisfaction_value_usd)


@single_threaded
def evaluate(
    rows: Sample,
    x: NDArray[np.floating[Any]],
    arms: Sequence[Arm],
    settings: Settings,
    fitted: Fitted,
    *,
    incumbent: Policy,
    candidate: Policy,
    names: Sequence[str],
    jobs: int = 1,
) -> Evaluation:
    """Compare two policies by their exploit arms on each held-out row's logged eligible set.

    `x` (n, D) are the rows' vectors by the candidate's map, and `names` those of the map's cells, which queries
    without a task label are grouped by.
    """
    # An outage teaches nothing of accuracy, but a policy is judged by what its users get.
    rows = replace(rows, accuracy=np.where(rows.lost, 0.0, rows.accuracy))
    before, after, forecast = _choices(
        rows, x, arms, settings.objective, incumbent=incumbent, candidate=candidate, jobs=jobs
    )
    shared = compared(rows, x, before=before, after=after)
    rewards = _rewards(rows, arms, settings)
    kpis = {name: PairedDR(shared, reward, bounded=name in BOUNDED) for name, reward in rewards.items()}
    utility = kpis["utility_usd"]
    kinds = np.array(segments_of(rows.tasks, fitted.map.cells(x), names), dtype=np.str_)
    differences = {name: kpi.difference() for name, kpi in kpis.items()}
    rated = _rated(shared, rows)
    if rated is not None:
        differences["satisfaction_score"] = rated.difference
        kpis["satisfaction_score"] = rated.comparison
    return Evaluation(
        trial=HoldoutComparison(
            rows=rows,
            arms=arms,
            before=before,
            after=after,
            compared=shared,
            forecast=forecast,
            kpis=kpis,
            kinds=kinds,
        ),
        differences=differences,
        rated=rated,
        p95_response_s=quantile_difference(shared, np.where(rows.answered, rows.response_s, np.nan), 0.95),
        segments=segments(utility, kinds) if len(kinds) else (),
        before={name: kpi.value(before) for name, kpi in kpis.items()},
        after={name: kpi.value(after) for name, kpi in kpis.items()},
        support=support(shared),
        baselines={
            "incumbent": utility.value(before),
            "candidate": utility.value(after),
            f"best single ({fitted.best_single})": utility.value(always(arms, rows, [fitted.best_single])),
            "cheapest": utility.value(always(arms, rows, _by_cost(arms, forecast))),
            "uniform": utility.value(uniform(rows)),
        },
        share_before=shares(before, arms),
        share_after=shares(after, arms),
    )


def _rated(compared: LoggedRows, rows: Sample) -> RatingSensitivity | None:
    """Return the change in satisfaction, corrected for who rates; None while hardly anybody does."""
    if int((~np.isnan(rows.satisfaction)).sum()) < FEWEST_RATED:
        return None
    return rated_difference(
        compared,
        rows.satisfaction,
        after=after_columns({"accuracy": rows.accuracy}),
        asking=Invitation(chance=rows.ask_chance, asked=rows.asked, answered=rows.prompted),
    )


def _choices(
    rows: Sample,
    x: NDArray[np.floating[Any]],
    arms: Sequence[Arm],
    objective: Objective,
    *,
    incumbent: Policy,
    candidate: Policy,
    jobs: int,
) -> tuple[Index, Index, Forecast]:
    """Return what the incumbent and the candidate would choose (n,), and what the candidate expects."""
    from joblib import Parallel, delayed

    predictor = incumbent.predictor
    share_map = _share_map(predictor, candidate.predictor)

    def of(part: slice) -> tuple[Index, Index, Forecast]:
        known = with_lengths(rows.texts[part], x[part])
        expected = candidate.predictor.forecast(known, arms)
        if not share_map:
            known = predictor.vectors(rows.texts[part], rows.tasks[part])
        before, after = (
            policy.exploit(forecast, arms=arms, objective=objective, eligible=rows.eligible[part])
            for policy, forecast in ((incumbent, predictor.forecast(known, arms)), (candidate, expected))
        )
        return before, after, expected

    starts = range(0, max(len(x), 1), CHUNK)
    chosen = Parallel(n_jobs=jobs, prefer="threads")(
        delayed(of)(slice(start, start + CHUNK)) for start in starts
    )
    before, after = (np.concatenate([part[side] for part in chosen]) for side in (0, 1))
    return before, after, _together([part[2] for part in chosen])


def _share_map(one: Predictor, other: Predictor) -> bool:
    return (
        isinstance(one, LearnedPredictor)
        and isinstance(other, LearnedPredictor)
        and one.map.identity() == other.map.identity()
    )


def _together(parts: Sequence[Forecast]) -> Forecast:
    """Return what is expected of the queries of all parts."""
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in Forecast.__slots__
        if name != "rows"
    }
    return Forecast(**columns, rows=parts[0].rows)


def _rewards(rows: Sample, arms: Sequence[Arm], settings: Settings) -> dict[str, Array]:
    limit = settings.gate.response_limit_s
    rewards = {
        "utility_usd": realised_utility(rows, arms, settings.objective),
        "accuracy_rate": rows.accuracy,
        "mean_response_s": rows.response_s,
        "cost_per_query_usd": rows.cost_usd,
        "satisfaction_score": rows.satisfaction,
        "error_rate": (~rows.answered).astype(np.float64),
    }
    if limit is not None:
        rewards["slow_share"] = (rows.response_s > limit).astype(np.float64)
    return rewards


def always(arms: Sequence[Arm], rows: Sample, order: Sequence[str]) -> Index:
    """Return the first eligible model of `order` for every row, any eligible one where none is."""
    place = {arm.id: index for index, arm in enumerate(arms)}
    chosen = np.argmax(rows.eligible, axis=1)
    for model in reversed(order):
        chosen = np.where(rows.eligible[:, place[model]], place[model], chosen)
    return np.asarray(chosen)


def _by_cost(arms: Sequence[Arm], forecast: Forecast) -> list[str]:
    return [arms[k].id for k in np.argsort(forecast.charged(arms).sum(axis=0))]


def uniform(rows: Sample) -> Array:
    """Return the probabilities (n, K) of a draw among the eligible arms of every row."""
    return np.asarray(rows.eligible / np.maximum(rows.eligible.sum(axis=1, keepdims=True), 1))


def shares(chosen: Index, arms: Sequence[Arm]) -> dict[str, float]:
    """Return how often each model was chosen, by its id."""
    counts = np.bincount(chosen, minlength=len(arms)) / max(len(chosen), 1)
    return {arm.id: float(counts[index]) for index, arm in enumerate(arms)}


def margins_of(gate: PromotionGate, evaluation: Evaluation) -> list[Margin]:
    """Return the margins that the user set, each with the difference that must keep it."""

    def share_of(name: str, margin: float) -> float:
        return margin * abs(evaluation.before[name].value or 0.0)

    margins = [("accuracy_rate", gate.accuracy_margin, True)]
    if gate.satisfaction_margin is not None:
        margins.append(("satisfaction_score", gate.satisfaction_margin, True))
    if gate.cost_margin is not None:
        margins.append(("cost_per_query_usd", share_of("cost_per_query_usd", gate.cost_margin), False))
    if gate.response_margin is not None:
        margins.append(("mean_response_s", share_of("mean_response_s", gate.response_margin), False))
    if gate.limit_margin is not None:
        margins.append(("slow_share", gate.limit_margin, False))
    return [
        Margin(name=name, difference=evaluation.differences[name], most=most, higher_is_better=higher)
        for name, most, higher in margins
        if evaluation.differences[name].n >= 2
    ]
