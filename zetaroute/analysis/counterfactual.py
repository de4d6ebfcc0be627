"""What would have to be otherwise for another model to be held best: for a decision of now, and for one of the log.

Apart from the rest of an explanation because it needs the figures of a decision alone, which the log keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from zetaroute.arrays import Array, Mask
from zetaroute.domain import Arm, Objective
from zetaroute.policy import Forecast, Policy, PriorPredictor

HeldBest = Callable[[Forecast, Objective, Mask], int]
"""Which of the K arms is held best by a forecast, at an objective, among those of a mask (K,)."""

NO_RECORD = "prior from the config"
"""How the log says that a model had no record when a query was decided."""
_FREE = "counted as free"
"""How it says that an unknown price was not counted."""
_NOT_KNOWN = "what would change the choice is not known"
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


def past_counterfactuals(
    row: Mapping[str, Any], best: str
) -> tuple[tuple[Counterfactual, ...] | None, str | None]:
    """Return what would have changed a logged decision, by its own figures alone; else None and why it is not known.

    The same figures and the same rule give the same choice, so nothing of the version that decided is loaded.
    """
    found = row["candidates"]
    if row.get("objective") is None:
        return None, f"{_NOT_KNOWN}: its row does not hold what things were worth"
    objective, forecast = Objective(**row["objective"]), _forecast_of(found)
    eligible = np.array([one["eligible"] for one in found], dtype=np.bool_)
    tags = [("local",) if _FREE in one["reason"] else () for one in found]
    arms = [
        Arm(id=one["model"], provider="", model="", tags=its) for one, its in zip(found, tags, strict=True)
    ]
    mean = forecast.utility(objective, arms)[0][0]
    logged = np.array([one["utility_usd"]["mean"] for one in found])
    if np.abs(mean - logged)[eligible].max() > _SAME_USD * max(1.0, float(np.abs(logged).max())):
        return None, f"{_NOT_KNOWN}: it counted what asking another after a failed check is worth"
    policy = Policy(version=str(row["policy_version"]), predictor=PriorPredictor())

    def held_best(seen: Forecast, values: Objective, allowed: Mask) -> int:
        return int(policy.exploit(seen, arms=arms, objective=values, eligible=allowed[None, :])[0])

    place = next(index for index, arm in enumerate(arms) if arm.id == best)
    return counterfactuals(forecast, objective, eligible, place, arms, held_best), None


def _forecast_of(found: Sequence[Mapping[str, Any]]) -> Forecast:
    """Return the forecast (1, K) that the candidates of a row were made of, as far as a choice needs it."""

    def figure(name: str, part: str) -> Array:
        return np.array(
            [[np.nan if one[name] is None else one[name][part] for one in found]], dtype=np.float64
        )

    unknown = np.full((1, len(found)), np.nan)
    return Forecast(
        accuracy=figure("accuracy", "mean"),
        accuracy_se=figure("accuracy", "se"),
        satisfaction=figure("satisfaction", "mean"),
        satisfaction_se=figure("satisfaction", "se"),
        response_s=figure("response_s", "mean"),
        response_se=figure("response_s", "se"),
        response_p95_s=unknown,
        cost_usd=figure("cost_usd", "mean"),
        cost_se=figure("cost_usd", "se"),
        satisfied=unknown,
        rows=np.array([0.0 if one["reason"].startswith(NO_RECORD) else 1.0 for one in found]),
    )


def counterfactuals(
    forecast: Forecast,
    objective: Objective,
    eligible: Mask,
    best: int,
    arms: Sequence[Arm],
    held_best: HeldBest,
) -> tuple[Counterfactual, ...]:
    """Return, for the value of an answer, that of a second and the best model's cost, where the choice turns."""

    def by_answer(value: float) -> int:
        return held_best(forecast, replace(objective, answer_value_usd=value), eligible)

    def by_second(value: float) -> int:
        return held_best(forecast, replace(objective, second_value_usd=value), eligible)

    def by_cost(value: float) -> int:
        factor = np.ones(len(arms))
        factor[best] = value / cost
        dearer = replace(forecast, cost_usd=forecast.cost_usd * factor, cost_se=forecast.cost_se * factor)
        return held_best(dearer, objective, eligible)

    cost = float(forecast.cost_usd[0, best])
    tried = [
        ("answer_value_usd", objective.answer_value_usd, by_answer, (-1, 1)),
        ("second_value_usd", objective.second_value_usd, by_second, (-1, 1)),
        (f"cost of {arms[best].id}", cost, by_cost, (1,)),
    ]
    found = []
    for what, now, choose, ways in tried:
        for way in ways:
            turn = switch_point(choose, now, best, way) if now > 0 else None
            if turn is not None:
                found.append(Counterfactual(what=what, now=now, then=turn, model=arms[choose(turn)].id))
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
