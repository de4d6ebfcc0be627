"""The evidence of the contest that runs: scored query by query at every merge, and acted on where it shows harm.

Only numpy is needed: `retrain` alone promotes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from zetaroute.config import Home
from zetaroute.domain import ContestEvent, ContestStep, EvidenceLine, Promotion, new_id, utc_now
from zetaroute.errors import ArtifactError
from zetaroute.log.contest_events import running_event
from zetaroute.log.journal import Entry
from zetaroute.projections.evidence_lines import floats, new_lines
from zetaroute.registry import COLD, Registry

if TYPE_CHECKING:
    import numpy as np
    from duckdb import DuckDBPyConnection

    from zetaroute.arrays import Array
    from zetaroute.evaluate.e_process import Belief

_LOST = """
    SELECT share, gain_usd FROM evidence
    WHERE epoch IN (SELECT epoch FROM contests WHERE champion = $champion AND anchor IS NOT DISTINCT FROM $anchor)
          AND time >= date_trunc('month', current_timestamp AT TIME ZONE 'UTC')::TIMESTAMP
"""
"""What challengers of this champion have lost in this month: its limit begins anew with the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestStanding:
    """What the evidence of an epoch says after its last line."""

    units: int
    paired: int
    e_value: float
    """That the challengers of the epoch beat the champion; where it promotes, the highest since the challenger
    of now came."""
    left: float
    """Of that evidence after the last line, at most 1, with which a contest of another champion begins."""
    accuracy: float
    """That their accuracy keeps its margin."""
    harm: float
    """That the challenger of now is worse."""
    belief: Belief
    own_mean_usd: float | None
    """Mean gain of the challenger of now; None before its first line."""


def judge_contest(connection: DuckDBPyConnection, home: Home) -> Entry | None:
    """Score the queries that came in; return their lines and what follows from them, None where nothing does.

    Where a promoted version proves harmful, or loses what it may, the champion of before serves again from now on.
    """
    event = running_event(connection)
    if event is None:
        return None
    registry = Registry(home.artifacts)
    serving = event.challenger if event.step == "promoted" else event.champion
    if registry.current_or_none() != serving:
        return Entry(
            contests=(step_of(event, "ended", reason=f"{registry.current_or_none()} was made current"),)
        )
    past = _columns(connection, event.epoch, [])
    limit = None if event.max_regret_usd is None else _Limit(connection, event, event.max_regret_usd)
    lines = new_lines(connection, event, past, stopped=limit.reached if limit else None)
    if not lines:
        return None
    standing = _standing(connection, event, lines)
    step, reason = _step(event, standing, used_up=limit is not None and limit.used_up)
    if step is None:
        return Entry(evidence=tuple(lines))
    if step == "rolled_back":
        return _rolled_back(registry, event, standing, lines, reason)
    return Entry(evidence=tuple(lines), contests=(step_of(event, step, standing, reason=reason),))


def step_of(
    event: ContestEvent,
    step: ContestStep,
    standing: ContestStanding | None = None,
    *,
    reason: str,
    author: str = "evidence",
) -> ContestEvent:
    """Return the event with which a contest goes on or ends."""
    return replace(
        event,
        id=new_id(),
        time=utc_now(),
        step=step,
        evidence=event.evidence if standing is None else standing.e_value,
        harm=event.harm if standing is None else standing.harm,
        reason=reason,
        author=author,
    )


def standing_of(connection: DuckDBPyConnection, event: ContestEvent) -> ContestStanding:
    """Return what the evidence of the event's epoch says by now."""
    return _standing(connection, event, [])


class _Limit:
    """What the challengers of a champion may lose in a month."""

    def __init__(self, connection: DuckDBPyConnection, event: ContestEvent, limit_usd: float) -> None:
        self._limit_usd, self.used_up = limit_usd, False
        self._lost = connection.execute(
            _LOST, {"champion": event.champion, "anchor": event.anchor}
        ).fetchnumpy()

    def reached(self, gains: Array, shares: Array, in_flight_usd: float) -> bool:
        """Return whether nothing more may be lost after new queries (n,)."""
        import numpy as np

        from zetaroute.evaluate.e_process import loss_is_limited

        self.used_up = not loss_is_limited(
            np.concatenate([self._lost["share"], shares]),
            np.concatenate([self._lost["gain_usd"], gains]),
            self._limit_usd,
            in_flight_usd,
        )
        return self.used_up


def _step(event: ContestEvent, standing: ContestStanding, *, used_up: bool) -> tuple[ContestStep | None, str]:
    """Return the step that follows from the evidence, and why; None where the contest goes on as it is."""
    from zetaroute.evaluate.e_process import ROLLS_BACK_AT

    harm = f"after {standing.units} scored queries the evidence of harm reached {standing.harm:.3g}"
    limit = f"what challengers may lose under max_regret_usd = {event.max_regret_usd} is used up"
    harmful = standing.harm >= ROLLS_BACK_AT
    if event.step == "promoted":
        return ("rolled_back", harm if harmful else limit) if harmful or used_up else (None, "")
    if event.step == "rejected":
        return None, ""
    if harmful:
        return "rejected", harm
    if used_up:
        return (None, "") if event.step == "paused" else ("paused", f"{limit}; audits go on")
    if event.step == "paused" and event.author == "evidence":
        return "resumed", "in a new month challengers may lose something again"
    return None, ""


def _rolled_back(
    registry: Registry,
    event: ContestEvent,
    standing: ContestStanding,
    lines: Sequence[EvidenceLine],
    reason: str,
) -> Entry:
    """Let the champion of before serve again, or the cold start where that cannot be read any more."""
    version = event.champion
    try:
        if version != COLD:
            registry.verify(version)
    except ArtifactError as error:
        version, reason = COLD, f"{reason}; {str(error).rstrip('.')}, so the cold start serves"
    registry.make_current(version)
    back = step_of(event, "rolled_back", standing, reason=reason)
    promotion = Promotion(
        id=new_id(),
        time=back.time,
        version=version,
        previous=event.challenger,
        reason=reason,
        author="evidence",
    )
    return Entry(evidence=tuple(lines), contests=(back,), promotions=(promotion,))


def _columns(
    connection: DuckDBPyConnection, epoch: str, more: Sequence[EvidenceLine]
) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """Return the lines of an epoch with some more behind them, column by column; NULL is NaN."""
    import numpy as np

    from zetaroute.evaluate.scoring import COLUMNS

    found = connection.execute(
        f"SELECT {', '.join(COLUMNS)}, challenger FROM evidence WHERE epoch = ? ORDER BY id", [epoch]
    ).fetchnumpy()
    columns: dict[str, np.ndarray[Any, np.dtype[Any]]] = {}
    for name in COLUMNS:
        stored = np.ma.filled(np.ma.asarray(found[name], dtype=np.float64), math.nan)
        columns[name] = np.concatenate([stored, floats([getattr(line, name) for line in more])])
    versions = [*np.asarray(found["challenger"], dtype=object), *(line.challenger for line in more)]
    columns["challenger"] = np.array(versions, dtype=object)
    return columns


def _standing(
    connection: DuckDBPyConnection, event: ContestEvent, more: Sequence[EvidenceLine]
) -> ContestStanding:
    from zetaroute.evaluate.scoring import found_in

    columns = _columns(connection, event.epoch, more)
    found = found_in(
        columns,
        mine=columns["challenger"] == event.challenger,
        answer_value_usd=event.answer_value_usd,
        margin=event.accuracy_margin,
        # What speaks against the challengers of an epoch before a change of favourite is kept: min(1, E).
        earlier=min(1.0, _before(connection, event)),
    )
    return ContestStanding(**found)


def _before(connection: DuckDBPyConnection, event: ContestEvent) -> float:
    """Return the evidence with which the epoch began."""
    row = connection.execute("SELECT evidence FROM contests WHERE id = ?", [event.epoch]).fetchone()
    return float(row[0]) if row and row[0] is not None else 1.0
