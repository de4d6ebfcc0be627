"""Contests: begin one, go on with a new challenger, promote one, end one. Their evidence advances at every merge."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.analysis.contest import NUMBERS, Lines
from zetaroute.config import Settings
from zetaroute.domain import ContestEvent, ContestStep, EvidenceLine, UtilityRange, new_id, utc_now
from zetaroute.errors import ArtifactError
from zetaroute.evaluate.evidence import PROMOTES_AT
from zetaroute.learn.incremental.collect import ReadRows
from zetaroute.learn.progressive import Block, Challenged, UtilityBounds, lines_of
from zetaroute.log.contests import running_event
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.policy.serialise import stored_prices
from zetaroute.projections.evidence import ContestStanding, standing_of, step_of
from zetaroute.registry import Registry

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

EARLIER = "earlier"
"""What stands for a challenger that was fitted on a part of past rows alone, and never stored."""


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
    if (event.answer_value_usd, event.second_value_usd) != (
        objective.answer_value_usd,
        objective.second_value_usd,
    ):
        return "what an answer or a second is worth has changed"
    if {one.model for one in event.ranges} != {arm.id for arm in settings.arms}:
        return "the set of models has changed"
    if event.accuracy_margin != settings.gate.accuracy_margin:
        return "the accuracy margin has changed"
    try:
        priced: Mapping[str, Any] = registry.manifest(event.challenger)["priced"]
    except ArtifactError:
        return f"{event.challenger} cannot be read"
    before = {model: stored_prices(one["prices"]) for model, one in priced.items()}
    now = {arm.id: arm.prices.flat() for arm in settings.arms if arm.prices is not None}
    if any(now.get(model) != prices for model, prices in before.items()):
        return "a price has changed"
    return None


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


def past_columns(challenged: Challenged, newest: ReadRows) -> Lines:
    """Return past rows that were scored as `analysis.contest` takes lines."""
    ids = newest.order["id"].to_list()
    columns = lines_of(challenged.blocks, (*NUMBERS, "differ"))
    for side in ("champion", "challenger"):
        rows = [row for block in challenged.blocks for row in getattr(block, f"{side}_row").tolist()]
        columns[f"{side}_outcome"] = np.array([ids[row] if row >= 0 else None for row in rows], dtype=object)
    return columns


def past_lines(
    challenged: Challenged,
    newest: ReadRows,
    models: Sequence[str],
    events: Sequence[ContestEvent],
    *,
    version: str,
) -> tuple[EvidenceLine, ...]:
    """Return past rows as lines of the evidence that a contest begins with, if one of the `events` begins it.

    The challenger that they scored last is the `version` where that is promoted by them. Ids only keep their order.
    """
    begun = [event for event in events if event.step == "began"]
    if not begun or begun[0].anchor != models[challenged.anchor]:
        return ()
    event, scored = begun[0], version if any(one.step == "promoted" for one in events) else EARLIER
    ids, times = newest.order["id"].to_list(), newest.order["time"].to_list()
    count = sum(len(block.unit) for block in challenged.blocks)
    begin_s, number = _seconds(event.id) - 0.001 * (count + 1), 0
    lines = []
    for block in challenged.blocks:
        own = block is challenged.blocks[-1]
        for place in range(len(block.unit)):
            number += 1
            row = int(block.row[place])
            lines.append(
                EvidenceLine(
                    id=new_id(begin_s + 0.001 * number),
                    time=times[row].isoformat(),
                    epoch=event.epoch,
                    challenger=scored if own else EARLIER,
                    unit=f"{int(block.unit[place]):016x}",
                    own=False,
                    share=0.0,
                    paired=bool(block.decided.paired[place]),
                    champion_model=models[int(block.decided.champion[place])],
                    challenger_model=models[int(block.decided.challenger[place])],
                    champion_outcome=_id(ids, block.champion_row, place),
                    challenger_outcome=_id(ids, block.challenger_row, place),
                    audit_probability=float(block.audit_probability[place]),
                    **_floats(block, place),
                    **block.scored.line(place),
                )
            )
    return tuple(lines)


def _floats(block: Block, place: int) -> dict[str, Any]:
    names = ("champion_p", "challenger_p", "champion_usd", "challenger_usd")
    return {name: float(getattr(block.decided, name)[place]) for name in names}


def _id(ids: Sequence[str], rows: np.ndarray[Any, Any], place: int) -> str | None:
    row = int(rows[place])
    return ids[row] if row >= 0 else None


def _seconds(identity: str) -> float:
    """Return the moment in an id, in seconds since the epoch."""
    return int(identity.replace("-", "")[:12], 16) / 1000.0
