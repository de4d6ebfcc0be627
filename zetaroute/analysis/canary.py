"""What a canary has measured so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zetaroute.domain import CanaryEvent
from zetaroute.evaluate.eprocess import ROLLBACK_AT
from zetaroute.evaluate.intervals import mean_figure
from zetaroute.log.canary import last_step, running_canary
from zetaroute.projections.canary import CanaryRows, canary_rows, evidence_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def canary_standing(connection: DuckDBPyConnection) -> dict[str, Any] | None:
    """Return how the canary that runs stands, as JSON; None without one."""
    running = running_canary(connection)
    if running is None:
        return None
    rows = canary_rows(connection, running)
    finding = evidence_of(running, rows)
    return {
        "version": running.version,
        "champion": running.champion,
        "share": running.share,
        "since": running.time,
        "graded": rows.graded,
        "evidence": {
            "gain": finding.gain,
            "promotes_at": running.promote_at,
            "harm": finding.harm,
            "rolls_back_at": ROLLBACK_AT,
        },
        "difference": _differences(running, rows),
    }


def canary_difference(connection: DuckDBPyConnection, version: str, champion: str) -> dict[str, Any] | None:
    """Return the gain in utility that the last canary of `version` against `champion` measured; None without one."""
    last = last_step(connection, version=version, champion=champion)
    return None if last is None else _differences(last, canary_rows(connection, last))["utility_usd"]


def _differences(canary: CanaryEvent, rows: CanaryRows) -> dict[str, dict[str, Any]]:
    """Return the mean gains with ordinary intervals, for people to see: they hold for one look, and do not decide."""
    scale = canary.highest_usd - canary.lowest_usd
    return {
        "utility_usd": mean_figure(scale * rows.utility.gains()).json(),
        "accuracy_rate": mean_figure(rows.accuracy.gains()).json(),
    }
