"""The tables of the DuckDB file, as steps that are only ever appended.

Each step runs in one transaction, and its name is kept in the table `migrations`. A name that this version does not
know means that a newer zetaroute wrote the file.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from zetaroute.errors import StoreError
from zetaroute.log.views import VIEWS, make_views

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ESTIMATE = "STRUCT(mean DOUBLE, se DOUBLE)"
_CANDIDATE = (
    f"STRUCT(model VARCHAR, eligible BOOLEAN, reason VARCHAR, accuracy {_ESTIMATE}, satisfaction {_ESTIMATE}, "
    f"response_s {_ESTIMATE}, cost_usd {_ESTIMATE}, utility_usd {_ESTIMATE}, probability DOUBLE, satisfied DOUBLE)"
)

OUTCOME_COLUMNS = {
    "id": "VARCHAR",
    "time": "TIMESTAMP",
    "run": "VARCHAR",
    "custom_id": "VARCHAR",
    "content_hash": "VARCHAR",
    "conversation": "VARCHAR",
    "query": "VARCHAR",
    "system": "VARCHAR",
    "task": "VARCHAR",
    "reference": "VARCHAR",
    "grader": "VARCHAR",
    "policy_version": "VARCHAR",
    "model": "VARCHAR",
    "served_model": "VARCHAR",
    "propensity": "DOUBLE",
    "forced": "BOOLEAN",
    "explored": "BOOLEAN",
    "recorded": "BOOLEAN",
    "attempt": "INTEGER",
    "fallback_of": "VARCHAR",
    "status": "VARCHAR",
    "error_kind": "VARCHAR",
    "error": "VARCHAR",
    "finish_reason": "VARCHAR",
    "ttft_s": "DOUBLE",
    "response_s": "DOUBLE",
    "router_s": "DOUBLE",
    "input_tokens": "BIGINT",
    "cached_tokens": "BIGINT",
    "output_tokens": "BIGINT",
    "tokens_estimated": "BOOLEAN",
    "cost_usd": "DOUBLE",
    "prices": "STRUCT(input DOUBLE, output DOUBLE, cached_input DOUBLE)",
    "response": "VARCHAR",
    "attachments": "STRUCT(name VARCHAR, media_type VARCHAR, sha256 VARCHAR, size BIGINT)[]",
    "seed": "BIGINT",
    "candidates": f"{_CANDIDATE}[]",
    "embedding": "FLOAT[]",
    "embedding_model": "VARCHAR",
    "router_cost_usd": "DOUBLE",
    "tags": "VARCHAR[]",
    "store": "VARCHAR",
    "forgotten": "TIMESTAMP",
    "ask_probability": "DOUBLE",
    "asked": "BOOLEAN",
    "escalated": "BOOLEAN",
    "segment": "VARCHAR",
    "objective": "STRUCT(answer_value_usd DOUBLE, satisfaction_value_usd DOUBLE, second_value_usd DOUBLE)",
    "reasoning_tokens": "BIGINT",
    "cache_write_tokens": "BIGINT",
    "thinking": "VARCHAR",
    "role": "VARCHAR",
    "audit_probability": "DOUBLE",
    "audited": "BOOLEAN",
    "contest": (
        "STRUCT(epoch VARCHAR, challenger VARCHAR, share DOUBLE, kept DOUBLE, side VARCHAR, champion_model VARCHAR, "
        "challenger_model VARCHAR, champion_p DOUBLE, challenger_p DOUBLE, champion_usd DOUBLE, "
        "challenger_usd DOUBLE, champion_accuracy DOUBLE, challenger_accuracy DOUBLE)"
    ),
    "session": "VARCHAR",
    "chain": "STRUCT(probability_right DOUBLE, agrees DOUBLE, waited_s DOUBLE, returned BOOLEAN, why VARCHAR)",
    "chained": "VARCHAR[]",
    "logprobs": "DOUBLE[]",
}
FEEDBACK_COLUMNS = {
    "id": "VARCHAR",
    "outcome_id": "VARCHAR",
    "metric": "VARCHAR",
    "value": "DOUBLE",
    "source": "VARCHAR",
    "author": "VARCHAR",
    "time": "TIMESTAMP",
    "comment": "VARCHAR",
    "cost_usd": "DOUBLE",
    "response_s": "DOUBLE",
    "label": "VARCHAR",
    "prompted": "BOOLEAN",
}
PROMOTION_COLUMNS = {
    "id": "VARCHAR",
    "time": "TIMESTAMP",
    "version": "VARCHAR",
    "previous": "VARCHAR",
    "reason": "VARCHAR",
    "author": "VARCHAR",
    "forced": "BOOLEAN",
}
CONTEST_COLUMNS = {
    "id": "VARCHAR",
    "time": "TIMESTAMP",
    "epoch": "VARCHAR",
    "step": "VARCHAR",
    "champion": "VARCHAR",
    "anchor": "VARCHAR",
    "challenger": "VARCHAR",
    "ranges": "STRUCT(model VARCHAR, low_usd DOUBLE, high_usd DOUBLE)[]",
    "answer_value_usd": "DOUBLE",
    "second_value_usd": "DOUBLE",
    "unknown_usd": "DOUBLE",
    "free": "VARCHAR[]",
    "accuracy_margin": "DOUBLE",
    "max_regret_usd": "DOUBLE",
    "evidence": "DOUBLE",
    "harm": "DOUBLE",
    "reason": "VARCHAR",
    "author": "VARCHAR",
}
EVIDENCE_COLUMNS = {
    "id": "VARCHAR",
    "time": "TIMESTAMP",
    "epoch": "VARCHAR",
    "challenger": "VARCHAR",
    "unit": "VARCHAR",
    "own": "BOOLEAN",
    "share": "DOUBLE",
    "paired": "BOOLEAN",
    "champion_model": "VARCHAR",
    "challenger_model": "VARCHAR",
    "champion_outcome": "VARCHAR",
    "challenger_outcome": "VARCHAR",
    "champion_cost_usd": "DOUBLE",
    "challenger_cost_usd": "DOUBLE",
    "champion_waited_s": "DOUBLE",
    "challenger_waited_s": "DOUBLE",
    "champion_p": "DOUBLE",
    "challenger_p": "DOUBLE",
    "audit_probability": "DOUBLE",
    "champion_usd": "DOUBLE",
    "challenger_usd": "DOUBLE",
    "gain_usd": "DOUBLE",
    "loss_usd": "DOUBLE",
    "gain_accuracy": "DOUBLE",
    "variance_usd": "DOUBLE",
    "variance_accuracy": "DOUBLE",
    "worst_gain_usd": "DOUBLE",
    "worst_loss_usd": "DOUBLE",
    "worst_accuracy": "DOUBLE",
    "clipped": "BOOLEAN",
    "missing": "BOOLEAN",
    "next_share": "DOUBLE",
}
CHAIN_REPLAY_COLUMNS = {
    "id": "VARCHAR",
    "outcome_id": "VARCHAR",
    "side": "VARCHAR",
    "asked": "VARCHAR[]",
    "returned": "VARCHAR",
    "waited_s": "DOUBLE",
}
TABLES = {
    "outcomes": OUTCOME_COLUMNS,
    "feedback": FEEDBACK_COLUMNS,
    "promotions": PROMOTION_COLUMNS,
    "contests": CONTEST_COLUMNS,
    "evidence": EVIDENCE_COLUMNS,
    "chain_replays": CHAIN_REPLAY_COLUMNS,
    "foreign_units": {"id": "VARCHAR", "time": "TIMESTAMP", "units": "VARCHAR[]"},
    "exports": {"id": "VARCHAR", "time": "TIMESTAMP", "path": "VARCHAR", "run": "VARCHAR"},
}
"""What a segment of the journal holds, by table."""


def struct(columns: dict[str, str]) -> str:
    """Return the DuckDB STRUCT type with these columns."""
    return "STRUCT(" + ", ".join(f'"{name}" {kind}' for name, kind in columns.items()) + ")"


def columns_of(columns: dict[str, str]) -> str:
    """Return the columns as CREATE TABLE wants them."""
    return ", ".join(f'"{name}" {kind}' for name, kind in columns.items())


def _tables(connection: DuckDBPyConnection) -> None:
    _make(connection, *TABLES)
    connection.execute("ALTER TABLE outcomes ADD COLUMN pmf DOUBLE[]")
    make_views(connection)


def _make(connection: DuckDBPyConnection, *tables: str) -> None:
    for table in tables:
        connection.execute(f"CREATE TABLE {table} ({columns_of(TABLES[table])})")


def _bring_up_contests(connection: DuckDBPyConnection) -> None:
    _bring_up(connection)
    _make(connection, "contests", "evidence")


def _bring_up_replays(connection: DuckDBPyConnection) -> None:
    _bring_up(connection)
    _make(connection, "chain_replays")


def _bring_up_foreign(connection: DuckDBPyConnection) -> None:
    _make(connection, "foreign_units")


def _bring_up(connection: DuckDBPyConnection) -> None:
    """Give the tables the columns that they lack, and make the views anew."""
    for table in ("outcomes", "feedback", "evidence"):
        for name, kind in TABLES[table].items():
            connection.execute(f'ALTER TABLE IF EXISTS {table} ADD COLUMN IF NOT EXISTS "{name}" {kind}')
    # A view keeps the columns that its table had.
    for view in VIEWS:
        connection.execute(f"DROP VIEW IF EXISTS {view}")
    make_views(connection)


OLDEST = (
    *("0001_tables", "0002_views", "0003_canaries", "0004_columns", "0005_exports", "0006_segments"),
    *("0007_objectives", "0008_lean_views"),
)
"""The steps that every file names which can be read."""
STEPS = {
    "0009_thinking": _bring_up,
    "0010_outages": _bring_up,
    "0011_contests": _bring_up_contests,
    "0012_chains": _bring_up,
    "0013_sessions": _bring_up,
    "0014_chain_replays": _bring_up_replays,
    "0015_logprobs": _bring_up,
    "0016_foreign_units": _bring_up_foreign,
}


def migrate(connection: DuckDBPyConnection) -> None:
    """Bring the file to this version's schema; raise StoreError when a newer version wrote it, or one too old."""
    connection.execute("CREATE TABLE IF NOT EXISTS migrations (name VARCHAR, time TIMESTAMP)")
    applied = {name for (name,) in connection.execute("SELECT name FROM migrations").fetchall()}
    if applied - {*OLDEST, *STEPS}:
        raise StoreError("the log was written by a newer zetaroute: upgrade to use it; nothing was changed.")
    if not applied:
        # Step by step a new file would take several times the room.
        _apply(connection, _tables, [*OLDEST, *STEPS])
        return
    if not applied >= set(OLDEST):
        raise StoreError(
            "the log was written by a development version before 0.1.0, which cannot be read any more: "
            "move it away and a new one is begun; nothing was changed."
        )
    for name, step in STEPS.items():
        if name not in applied:
            _apply(connection, step, [name])


def _apply(
    connection: DuckDBPyConnection, step: Callable[[DuckDBPyConnection], None], names: list[str]
) -> None:
    """Run a step, whole or not at all, and write its names down."""
    connection.execute("BEGIN")
    try:
        step(connection)
        connection.execute(
            "INSERT INTO migrations SELECT unnest(?), current_timestamp AT TIME ZONE 'UTC'", [names]
        )
        connection.execute("COMMIT")
    except BaseException:
        # Where there is no room, DuckDB has ended the transaction itself, and that must not hide the reason.
        with suppress(Exception):
            connection.execute("ROLLBACK")
        raise
