"""Contests: begin one, go on with a new challenger, promote one, end one. Their evidence advances at every merge."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.config import Settings, graders_hash
from zetaroute.domain import ContestEvent, ContestStep, UtilityRange, new_id, utc_now
from zetaroute.errors import ArtifactError
from zetaroute.evaluate.e_process import PROMOTES_AT
from zetaroute.learn.progressive import UtilityBounds
from zetaroute.log.contest_events import running_event
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.policy.serialise import stored_prices
from zetaroute.projections.contest_standing import ContestStanding, standing_of, step_of
from zetaroute.registry import Registry

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def proves_gain(standing: ContestStanding) -> bool:
    """Return whether the evidence promotes the challenger of now: a gain, an accuracy that keeps its margin, and
    nothing that speaks against its own queries."""
    own = standing.own_mean_usd
    return (
        standing.e_value >= PROMOTES_AT and standing.accuracy >= PROMOTES_AT and own is not None and own > 0.0
    )


def begun(
    settings: Settings,
    bounds: UtilityBounds,
    *,
    champion: str,
    anchor: str | None,
    challenger: str,
    max_regret_usd: float | None,
    earlier: float,
    reason: str,
    author: str,
) -> ContestEvent:
    """Return the event with which a contest begins; `earlier` is what contests before have left of the evidence."""
    identity = _later(1)
    objective = settings.objective
    return ContestEvent(
        id=identity,
        time=utc_now(),
        epoch=identity,
        step="began",
        champion=champion,
        anchor=anchor,
        challenger=challenger,
        ranges=tuple(
            UtilityRange(model=arm.id, low_usd=float(low), high_usd=float(high))
            for arm, low, high in zip(settings.arms, bounds.low, bounds.high, strict=True)
        ),
        answer_value_usd=objective.answer_value_usd,
        second_value_usd=objective.second_value_usd,
        unknown_usd=bounds.unknown_usd,
        free=tuple(arm.id for arm in settings.arms if arm.local),
        accuracy_margin=settings.gate.accuracy_margin,
        max_regret_usd=max_regret_usd,
        evidence=min(1.0, earlier),
        harm=1.0,
        reason=reason,
        author=author,
    )


def promoted(event: ContestEvent, standing: ContestStanding, *, reason: str, author: str) -> ContestEvent:
    """Return the event by which the challenger comes to serve; from then on it is tested for harm."""
    identity = _later(2)
    return replace(
        event,
        id=identity,
        time=utc_now(),
        epoch=identity,
        step="promoted",
        evidence=standing.e_value,
        harm=1.0,
        reason=reason,
        author=author,
    )


def _later(millis: int) -> str:
    """Return an id that comes after those of a moment ago: within a millisecond ids have no order."""
    return new_id(time.time() + millis / 1000.0)


def changed_terms(event: ContestEvent, settings: Settings, registry: Registry) -> str | None:
    """Return in words what the contest began with and is no more; None where nothing has changed."""
    objective = settings.objective
    try:
        manifest = registry.manifest(event.challenger)
    except ArtifactError:
        return f"{event.challenger} cannot be read"
    priced: Mapping[str, Any] = manifest["priced"]
    before = {model: stored_prices(one["prices"]) for model, one in priced.items()}
    now = {arm.id: arm.prices.flat() for arm in settings.arms if arm.prices is not None}
    worth = (objective.answer_value_usd, objective.second_value_usd)
    changed = {
        "what an answer or a second is worth": (event.answer_value_usd, event.second_value_usd) != worth,
        "the set of models": {one.model for one in event.ranges} != {arm.id for arm in settings.arms},
        "the accuracy margin": event.accuracy_margin != settings.gate.accuracy_margin,
        "a grader": manifest.get("graders") not in {None, graders_hash(settings.graders, settings.arms)},
        "a price": any(now.get(model) != prices for model, prices in before.items()),
    }
    return next((f"{what} has changed" for what, differs in changed.items() if differs), None)


def take_step(
    log: Log, connection: DuckDBPyConnection, step: ContestStep, *, reason: str, author: str
) -> ContestEvent | None:
    """Let the contest that runs take a step, such as its end; return that, or None where no contest runs."""
    running = running_event(connection)
    if running is None:
        return None
    event = step_of(running, step, standing_of(connection, running), reason=reason, author=author)
    log.write(connection, Entry(contests=(event,)))
    return event


def scored_units(connection: DuckDBPyConnection) -> NDArray[np.uint64]:
    """Return the units that evidence has counted, as `Sample.group` numbers them."""
    units = connection.execute("SELECT DISTINCT unit FROM evidence WHERE unit IS NOT NULL").fetchall()
    return np.array([int(unit, 16) for (unit,) in units], dtype=np.uint64)
