"""Evidence of past rows that were played through: as columns, and as the lines that a contest begins with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zetaroute.analysis.contest_result import NUMBERS, Lines
from zetaroute.domain import ContestEvent, EvidenceLine, ForeignUnits, new_id, unit_of, utc_now
from zetaroute.learn.incremental.collect import ReadRows
from zetaroute.learn.progressive import Block, Challenged, lines_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

UNITS_AT_ONCE = 10_000
EARLIER = "earlier"
"""What stands for a challenger that was fitted on a part of past rows alone, and never stored."""


def past_columns(challenged: Challenged, newest: ReadRows) -> Lines:
    """Return past rows that were scored as `analysis.contest_result` takes lines."""
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


def foreign_units(learned: set[str], own: DuckDBPyConnection) -> tuple[ForeignUnits, ...]:
    """Return the units that were `learned` and that the `own` log neither holds nor has noted before.

    What the own log holds was decided before it was learned.
    """
    noted = own.execute("SELECT unnest(units) FROM foreign_units").fetchall()
    fresh = sorted(learned - units_of(own) - {unit for (unit,) in noted})
    parts = [fresh[start : start + UNITS_AT_ONCE] for start in range(0, len(fresh), UNITS_AT_ONCE)]
    return tuple(ForeignUnits(id=new_id(), time=utc_now(), units=tuple(part)) for part in parts)


def units_of(connection: DuckDBPyConnection) -> set[str]:
    """Return the units of all conversations and of all texts."""
    found = connection.execute("SELECT DISTINCT conversation, query FROM outcomes WHERE query IS NOT NULL")
    rows = found.fetchall()
    return {f"{unit_of(one, text):016x}" for conversation, text in rows for one in {conversation, None}}


def _floats(block: Block, place: int) -> dict[str, Any]:
    names = ("champion_p", "challenger_p", "champion_usd", "challenger_usd")
    return {name: float(getattr(block.decided, name)[place]) for name in names}


def _id(ids: Sequence[str], rows: np.ndarray[Any, Any], place: int) -> str | None:
    row = int(rows[place])
    return ids[row] if row >= 0 else None


def _seconds(identity: str) -> float:
    """Return the moment in an id, in seconds since the epoch."""
    return int(identity.replace("-", "")[:12], 16) / 1000.0
