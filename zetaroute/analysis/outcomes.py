"""Looking back at outcomes: a list of them, and one whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zetaroute.errors import UsageError
from zetaroute.log.named_outcomes import outcome_named
from zetaroute.log.rows import named_rows
from zetaroute.log.views import GIVEN, graded_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_LISTED = (
    "id, time::VARCHAR AS time, model, status, task, accuracy, satisfaction, response_s, cost_usd, "
    "policy_version, propensity, explored, forced, fallback_of, role, recorded, error_kind, query"
)

_FITTING = graded_of(
    "SELECT id FROM outcomes WHERE model = coalesce($1, model) AND status = coalesce($2, status) "
    "AND ($3::VARCHAR IS NULL OR task = $3) ORDER BY id DESC LIMIT $4"
)


def list_outcomes(
    connection: DuckDBPyConnection,
    *,
    limit: int,
    model: str | None = None,
    task: str | None = None,
    status: str | None = None,
) -> list[dict[str, Any]]:
    """Return the newest outcomes that fit, newest first."""
    select = f"SELECT {_LISTED} FROM ({_FITTING}) ORDER BY id DESC"
    return named_rows(connection.execute(select, [model, status, task, limit]))


def show_outcome(connection: DuckDBPyConnection, outcome_id: str | None) -> dict[str, Any]:
    """Return one outcome with its feedback and its other attempts; the last one of all without an id."""
    if outcome_id is not None:
        outcome_id = outcome_named(connection, outcome_id)
    found = connection.execute(
        "SELECT * REPLACE (time::VARCHAR AS time, forgotten::VARCHAR AS forgotten) "
        f"FROM ({graded_of(f'SELECT coalesce($id, max(id)) FROM outcomes WHERE {GIVEN}')})",
        {"id": outcome_id},
    )
    rows = named_rows(found)
    if not rows:
        raise UsageError("the log is empty: ask first.")
    (outcome,) = rows
    judged = (
        "SELECT metric, value, source, author, time::VARCHAR AS time, comment, label, prompted FROM feedback "
        "WHERE outcome_id = ? ORDER BY id"
    )
    attempts = graded_of("SELECT id FROM outcomes WHERE id = $1 OR fallback_of = $1")
    chain = (
        "SELECT id, model, status, error, role, cost_usd, response_s, chain "
        f"FROM ({attempts}) ORDER BY role = 'audit', attempt, id"
    )
    first = outcome["fallback_of"] or outcome["id"]
    outcome["feedback"] = named_rows(connection.execute(judged, [outcome["id"]]))
    outcome["attempts"] = named_rows(connection.execute(chain, [first]))
    return outcome
