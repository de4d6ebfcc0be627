"""What would have to be otherwise for another model to be held best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from zetaroute.arrays import Array
from zetaroute.domain import Arm, Candidate, Estimate, Objective
from zetaroute.policy import Forecast, Policy, PriorPredictor

HeldBest = Callable[[Forecast, Objective], int]
"""Which of the eligible arms is held best by a forecast, at an objective."""

NO_RECORD = "prior from the config"
"""How the log says that a model had no record when a query was decided."""
_FREE = "counted as free"
"""How it says that an unknown price was not counted."""
_NOT_KNOWN = "what would change the choice is not known"
_ESTIMATES = {
    "accuracy": "accuracy",
    "satisfaction": "satisfaction",
    "response_s": "response",
    "cost_usd": "cost",
}
"""What a candidate holds, and how a forecast's standard error of it is called."""
_SAME_USD = 1e-9
_FARTHEST = 1000.0
"""Factor to which a value is changed in search of another choice."""
_STEPS = 120
_HALVINGS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterfactual:
    """The smallest change of one thing after which another model would be held best."""

    what: str
    """answer_value_usd, second_value_usd, or `cost of MODEL`."""
    now: float
    then: float
    model: str
    """Who would be held best."""


def counterfactuals(
    candidates: Sequence[Candidate], best: str, objective: Objective | None, version: str
) -> tuple[tuple[Counterfactual, ...] | None, str | None]:
    """Return what would change a decision, by its own figures alone; else None and why it is not known.

    The same figures and the same rule give the same choice, so nothing of the version that decided is loaded.
    """
    if objective is None:
        return None, f"{_NOT_KNOWN}: its row does not hold what things were worth"
    forecast = _forecast_of(candidates)
    eligible = np.array([one.eligible for one in candidates], dtype=np.bool_)
    tags = [("local",) if _FREE in one.reason else () for one in candidates]
    arms = [
        Arm(id=one.model, provider="", model="", tags=its) for one, its in zip(candidates, tags, strict=True)
    ]
    mean = forecast.utility(objective, arms)[0][0]
    decided = np.array([one.utility_usd.mean for one in candidates])
    if np.abs(mean - decided)[eligible].max() > _SAME_USD * max(1.0, float(np.abs(decided).max())):
        return (
            None,
            f"{_NOT_KNOWN}: it counted what asking another is worth, after a failed check or by a chain",
        )
    policy = Policy(version=version, predictor=PriorPredictor())

    def held_best(seen: Forecast, values: Objective) -> int:
        return int(policy.exploit(seen, arms=arms, objective=values, eligible=eligible[None, :])[0])

    place = next(index for index, arm in enumerate(arms) if arm.id == best)
    return _turns(forecast, objective, place, [arm.id for arm in arms], held_best), None


def _forecast_of(candidates: Sequence[Candidate]) -> Forecast:
    """Return the forecast (1, K) that the candidates were made of, as far as a choice needs it."""

    figures: dict[str, Array] = {}
    for name, stem in _ESTIMATES.items():
        found = [getattr(one, name) or Estimate(np.nan, np.nan) for one in candidates]
        figures[name] = np.array([[one.mean for one in found]], dtype=np.float64)
        figures[f"{stem}_se"] = np.array([[one.se for one in found]], dtype=np.float64)
    unknown = np.full((1, len(candidates)), np.nan)
    return Forecast(
        **figures,
        response_p95_s=unknown,
        satisfied=unknown,
        rows=np.array([0.0 if one.reason.startswith(NO_RECORD) else 1.0 for one in candidates]),
    )


def _turns(
    forecast: Forecast, objective: Objective, best: int, models: Sequence[str], held_best: HeldBest
) -> tuple[Counterfactual, ...]:
    """Return, for the value of an answer, that of a second and the best model's cost, where the choice turns."""

    cost = float(forecast.cost_usd[0, best])

    def by_cost(value: float) -> int:
        factor = np.ones(len(models))
        factor[best] = value / cost
        changed = replace(forecast, cost_usd=forecast.cost_usd * factor, cost_se=forecast.cost_se * factor)
        return held_best(changed, objective)

    def by_value(name: str) -> Callable[[float], int]:
        return lambda value: held_best(forecast, replace(objective, **{name: value}))

    values = ("answer_value_usd", "second_value_usd")
    tried: list[tuple[str, float, Callable[[float], int], tuple[int, ...]]] = [
        *((name, getattr(objective, name), by_value(name), (-1, 1)) for name in values),
        (f"cost of {models[best]}", cost, by_cost, (1,)),
    ]
    found = []
    for what, now, choose, ways in tried:
        for way in ways:
            turn = switch_point(choose, now, best, way) if now > 0 else None
            if turn is not None:
                found.append(Counterfactual(what=what, now=now, then=turn, model=models[choose(turn)]))
    return tuple(found)


def switch_point(choose: Callable[[float], int], now: float, best: int, way: int) -> float | None:
    """Return the nearest value above (`way` = 1) or below `now` at which another than `best` is chosen."""
    ladder: list[float] = [now * _FARTHEST ** (way * step / _STEPS) for step in range(_STEPS + 1)]
    turned = next((step for step, value in enumerate(ladder) if choose(value) != best), None)
    if not turned:
        return None
    same, other = ladder[turned - 1], ladder[turned]
    for _ in range(_HALVINGS):
        middle = (same + other) / 2.0
        same, other = (middle, other) if choose(middle) == best else (same, middle)
    return other
