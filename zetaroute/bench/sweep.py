"""Bench at a ladder of values of an answer: one fit, many decisions, the curve between cost and quality."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from zetaroute.arrays import Array, Index
from zetaroute.bench.chain_bench import ChainBench, chain_bench
from zetaroute.bench.datasets import Recordings
from zetaroute.bench.datasets.recordings import utility
from zetaroute.bench.full_information import (
    arms_of,
    fit_full,
    forecast_of,
    marked,
    sides,
)
from zetaroute.bench.way import Way
from zetaroute.config import Objective
from zetaroute.domain import Arm
from zetaroute.errors import UsageError
from zetaroute.evaluate.frontier import Hull, aiq, hull, regret_fraction
from zetaroute.evaluate.intervals import mean_figure, standard_error
from zetaroute.learn.fit import Fitted
from zetaroute.learn.routing_gain import fold_predictors, forecast_crossed
from zetaroute.policy import Forecast, Policy
from zetaroute.policy.learned import with_lengths

STEPS = 8
HIGHEST_FACTOR = 100.0
"""The highest value in costs of the most expensive model: one more right answer in a hundred pays for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecasts:
    """What one fit expects, for every decision at any value."""

    policy: Policy
    test: Forecast
    average: Forecast
    """Of the average training query, one row: what chooses where routing does not pay."""
    crossed: Forecast | None
    """Of every training query by heads that have not seen its fold; None where there are too few."""


def sweep(
    recordings: Recordings,
    *,
    objective: Objective,
    seed: int = 0,
    jobs: int = 2,
    use_task: bool = False,
    chain: bool = True,
) -> dict[str, Any]:
    """Return the JSON of `bench` with `sweep`: the router, the best single model and the oracle at every value.

    Raises UsageError when a side of the split is empty, or when the recordings hold no cost.
    """
    train, test = sides(recordings)
    values = ladder(train)
    arms = arms_of(recordings)
    start = time.perf_counter()
    fitted = fit_full(train, arms, objective=objective, seed=seed, jobs=jobs, use_task=use_task)
    fit_s = time.perf_counter() - start
    looking = chain_bench(train, test, arms, fitted, objective, use_task=use_task) if chain else None
    found = marked(train, test, arms, fitted, objective, use_task=use_task, looking=looking) | {
        "fit_s": fit_s
    }
    forecasts = _forecasts(train, test, arms, fitted, use_task=use_task)
    points = [
        _point(train, test, arms, forecasts, replace(objective, answer_value_usd=value), looking)
        for value in values
    ]
    return found | {"sweep": {"points": points, **_frontiers(points, found["singles"], train)}}


def ladder(train: Recordings) -> list[float]:
    """Return values of an answer in USD, from the mean cost of the cheapest model upwards in equal ratios.

    Rounded to two digits. Raises UsageError when no model has a known cost above zero.
    """
    means = train.mean_costs()
    paid = means[means > 0]
    if not len(paid):
        raise UsageError(f"{train.dataset} holds no costs: --sweep needs cost_usd, leave it out.")
    return [float(f"{value:.1e}") for value in np.geomspace(paid.min(), HIGHEST_FACTOR * paid.max(), STEPS)]


def _forecasts(
    train: Recordings, test: Recordings, arms: tuple[Arm, ...], fitted: Fitted, *, use_task: bool
) -> Forecasts:
    routed = replace(fitted.predictor, centre=None)
    rows = train.full_sample(use_task=use_task)
    vectors = with_lengths(train.texts, fitted.vectors(train.texts, train.labels(use_task=use_task)))
    average = replace(routed, centre=vectors.mean(axis=0)).forecast(vectors[:1], arms)
    crossed: Forecast | None = None
    if fitted.routing_gain is not None:
        x, group = np.repeat(vectors[:, 1:], len(arms), axis=0), rows.group[:: len(arms)]
        crossed = forecast_crossed(fold_predictors(x, rows, arms, fitted.map), vectors, group, arms)
    return Forecasts(
        policy=Policy(version="sweep", predictor=routed),
        test=forecast_of(routed, test, arms, use_task=use_task),
        average=average,
        crossed=crossed,
    )


def _point(
    train: Recordings,
    test: Recordings,
    arms: tuple[Arm, ...],
    forecasts: Forecasts,
    objective: Objective,
    looking: ChainBench | None,
) -> dict[str, Any]:
    """Return what the fit brings at one value of an answer."""
    known, truth = utility(train, objective), utility(test, objective)
    single = int(np.argmax(known.mean(axis=0)))
    routes = _routes(forecasts, arms, known, objective)
    if routes:
        routed = _exploit(forecasts.policy, forecasts.test, arms, objective)
    else:
        routed = np.repeat(_exploit(forecasts.policy, forecasts.average, arms, objective), len(test.texts))
    one_hot = np.eye(len(arms))
    chosen = {
        "router": one_hot[routed],
        "best_single": one_hot[np.full(len(test.texts), single)],
        "oracle": one_hot[np.argmax(truth, axis=1)],
    }
    results = {name: Way(weights=weights).row(test, objective) for name, weights in chosen.items()}
    if looking is not None:
        results["chain"] = looking.chain(objective, Way(weights=chosen["router"])).row(test, objective)
    change = chosen["router"] - chosen["best_single"]
    gains = {
        "score": (change * test.score).sum(axis=1),
        "cost_usd": np.where(change == 0.0, 0.0, change * test.cost_usd).sum(axis=1),
        "utility_usd": Way(weights=change).utility(test, objective),
    }
    return {
        "answer_value_usd": objective.answer_value_usd,
        "routes": routes,
        "best_single": test.models[single],
        "results": results,
        "gain_over_best_single": {
            name: mean_figure(gain).json() | {"se": standard_error(gain[~np.isnan(gain)])}
            for name, gain in gains.items()
        },
        "regret_fraction": regret_fraction(
            results["router"]["utility_usd"],
            oracle=results["oracle"]["utility_usd"],
            single=results["best_single"]["utility_usd"],
        ),
    }


def _routes(forecasts: Forecasts, arms: tuple[Arm, ...], known: Array, objective: Objective) -> bool:
    """Return whether cross-validated routing beats the best single model by more than one standard error."""
    if forecasts.crossed is None:
        return False
    best = int(np.argmax(forecasts.average.utility(objective, arms)[0][0]))
    chosen = _exploit(forecasts.policy, forecasts.crossed, arms, objective)
    gain = known[np.arange(len(known)), chosen] - known[:, best]
    return bool(gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)))


def _exploit(policy: Policy, forecast: Forecast, arms: tuple[Arm, ...], objective: Objective) -> Index:
    eligible = np.ones(forecast.accuracy.shape, dtype=bool)
    return policy.exploit(forecast, arms=arms, objective=objective, eligible=eligible)


def _frontiers(points: list[dict[str, Any]], singles: dict[str, Any], train: Recordings) -> dict[str, Any]:
    """Return AIQ, and what the best single model's score costs, for the router, the single models, the oracle.

    Every hull of AIQ holds the cheapest single model; at equal quality any single model may be mixed with.
    """
    priced = {model: row for model, row in singles.items() if row["cost_usd"] is not None}
    cheapest = min(priced.values(), key=lambda row: float(row["cost_usd"]))
    hulls = {"singles": _hull(list(priced.values()))}
    mixed = {"singles": hulls["singles"]}
    for name in ("router", "oracle", *(("chain",) if "chain" in points[0]["results"] else ())):
        rows = [point["results"][name] for point in points]
        rows = [row for row in rows if row["cost_usd"] is not None]
        hulls[name], mixed[name] = _hull([cheapest, *rows]), _hull([*priced.values(), *rows])
    costs = [float(row["cost_usd"]) for row in priced.values()]
    low, high = min(costs), max(costs)
    best = train.models[int(np.argmax(train.score.mean(axis=0)))]
    return {
        "aiq": {name: aiq(one, low=low, high=high) if low < high else None for name, one in hulls.items()},
        "aiq_range_usd": [low, high],
        "equal_quality": {
            "model": best,
            "score": singles[best]["score"],
            "cost_usd": singles[best]["cost_usd"],
            **{f"{name}_cost_usd": one.cost_at(singles[best]["score"]) for name, one in mixed.items()},
        },
        "hulls": {
            name: [
                {"cost_usd": cost, "score": score}
                for cost, score in zip(one.cost.tolist(), one.quality.tolist(), strict=True)
            ]
            for name, one in hulls.items()
        },
    }


def _hull(rows: list[dict[str, Any]]) -> Hull:
    return hull(np.array([row["cost_usd"] for row in rows]), np.array([row["score"] for row in rows]))
