"""The steps of contests as the log holds them, and how the one that runs stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from zetaroute.domain import (
    FIRST_SHARE,
    PROVING_SHARE,
    PROVING_UNITS,
    ContestEvent,
    Promotion,
    UtilityRange,
)
from zetaroute.log.rated_share import rated_share
from zetaroute.log.rows import named_rows

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_COLUMNS, _PROMOTION = (
    ", ".join(field.name for field in fields(row)).replace(
        "time", "strftime(time, '%Y-%m-%dT%H:%M:%S.%f') AS time", 1
    )
    for row in (ContestEvent, Promotion)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningContest:
    """The contest that runs, and how far its evidence has come."""

    event: ContestEvent
    """Its last step."""
    last_share: float | None
    """What the last line of its evidence says of the share, before the first what ratings do; None without either."""
    units: int
    """Queries that were scored in its epoch."""

    @property
    def share(self) -> float:
        """Share of the queries that the challenger is given."""
        if not self.event.running or self.event.step in {"rejected", "paused"}:
            return 0.0
        if self.last_share is None:
            return PROVING_SHARE if self.event.step == "promoted" else FIRST_SHARE
        return self.last_share

    @property
    def proving(self) -> bool:
        """Whether a promoted version is still tested for harm."""
        return self.event.step == "promoted" and self.units < PROVING_UNITS

    def json(self) -> dict[str, Any]:
        """Return what state.json keeps."""
        return {"event": asdict(self.event), "last_share": self.last_share, "units": self.units}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> RunningContest:
        """Return what `json` has made."""
        return cls(event=event_of(stored["event"]), last_share=stored["last_share"], units=stored["units"])

    def after(self, event: ContestEvent) -> RunningContest:
        """Return how the contest stands after one more step, whose evidence begins anew in another epoch."""
        if event.epoch != self.event.epoch:
            return RunningContest.begun(event)
        return RunningContest(event=event, last_share=self.last_share, units=self.units)

    @classmethod
    def begun(cls, event: ContestEvent) -> RunningContest:
        """Return how a contest stands before its first line of evidence."""
        return cls(event=event, last_share=None, units=0)


def event_of(stored: Mapping[str, Any]) -> ContestEvent:
    """Return the event that JSON or a row holds."""
    values = {field.name: stored[field.name] for field in fields(ContestEvent)}
    ranges = tuple(UtilityRange(**one) for one in values["ranges"])
    return ContestEvent(**{**values, "ranges": ranges, "free": tuple(values["free"])})


def last_step(connection: DuckDBPyConnection) -> ContestEvent | None:
    """Return the last step of all contests; None where there is none."""
    last = named_rows(connection.execute(f"SELECT {_COLUMNS} FROM contests ORDER BY id DESC LIMIT 1"))
    return event_of(last[0]) if last else None


def running_event(connection: DuckDBPyConnection) -> ContestEvent | None:
    """Return the last step of the contest that runs; None where none does."""
    last = last_step(connection)
    return last if last is not None and last.running else None


def running_contest(connection: DuckDBPyConnection) -> RunningContest | None:
    """Return the contest that runs, or None."""
    event = running_event(connection)
    if event is None:
        return None
    units, share = connection.execute(
        "SELECT count(*), max_by(next_share, id) FROM evidence WHERE epoch = ?", [event.epoch]
    ).fetchone() or (0, None)
    if share is None and event.step in {"began", "refitted", "resumed"}:
        share = rated_share(connection, event.epoch)
    return RunningContest(event=event, last_share=share, units=units)


def promotions_since(connection: DuckDBPyConnection, moment: str) -> tuple[Promotion, ...]:
    """Return what came to serve since a moment (UTC, ISO 8601), oldest first."""
    found = connection.execute(
        f"SELECT {_PROMOTION} FROM promotions AS p WHERE p.time >= ?::TIMESTAMP ORDER BY id", [moment]
    )
    return tuple(Promotion(**row) for row in named_rows(found))


def proven_versions(connection: DuckDBPyConnection) -> dict[str, str]:
    """Return the versions that evidence has promoted, each with what it said then; its own retrain came before."""
    found = connection.execute(
        "SELECT version, reason FROM promotions WHERE NOT forced AND starts_with(reason, 'PROMOTE: ') ORDER BY id"
    ).fetchall()
    return {version: reason.removeprefix("PROMOTE: ") for version, reason in found}
