"""The tables and views of the DuckDB file, as steps that are only ever appended.

Each step runs in one transaction and its name is kept in the table `migrations`; a name that this version does
not know means that a newer zetaroute wrote the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zetaroute.domain import UNTRIED
from zetaroute.errors import StoreError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ESTIMATE = "STRUCT(mean DOUBLE, se DOUBLE)"
_CANDIDATE = (
    f"STRUCT(model VARCHAR, eligible BOOLEAN, reason VARCHAR, accuracy {_ESTIMATE}, satisfaction {_ESTIMATE}, "
    f"response_s {_ESTIMATE}, cost_usd {_ESTIMATE}, utility_usd {_ESTIMATE}, probability DOUBLE, satisfied DOUBLE)"
)

_WRONG = f"status = 'error' AND reference IS NOT NULL AND error_kind NOT IN {UNTRIED}"
"""A call that failed gave no right answer; one that could not be made says nothing of the model."""

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
    "duel": (
        "STRUCT(canary VARCHAR, share DOUBLE, least DOUBLE, before VARCHAR, after VARCHAR, before_usd DOUBLE, "
        "after_usd DOUBLE, before_accuracy DOUBLE, after_accuracy DOUBLE)"
    ),
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
CANARY_COLUMNS = {
    "id": "VARCHAR",
    "time": "TIMESTAMP",
    "canary": "VARCHAR",
    "step": "VARCHAR",
    "version": "VARCHAR",
    "champion": "VARCHAR",
    "share": "DOUBLE",
    "promote_at": "DOUBLE",
    "evidence": "DOUBLE",
    "accuracy_margin": "DOUBLE",
    "answer_value_usd": "DOUBLE",
    "second_value_usd": "DOUBLE",
    "lowest_usd": "DOUBLE",
    "highest_usd": "DOUBLE",
    "unknown_usd": "DOUBLE",
    "free": "VARCHAR[]",
    "reason": "VARCHAR",
    "author": "VARCHAR",
}


def struct(columns: dict[str, str]) -> str:
    """Return the DuckDB STRUCT type with these columns."""
    return "STRUCT(" + ", ".join(f'"{name}" {kind}' for name, kind in columns.items()) + ")"


def _columns(columns: dict[str, str]) -> str:
    return ", ".join(f'"{name}" {kind}' for name, kind in columns.items())


def _tables(connection: DuckDBPyConnection) -> None:
    connection.execute(f"CREATE TABLE outcomes ({_columns(OUTCOME_COLUMNS)}, pmf DOUBLE[])")
    connection.execute(f"CREATE TABLE feedback ({_columns(FEEDBACK_COLUMNS)})")
    connection.execute(f"CREATE TABLE promotions ({_columns(PROMOTION_COLUMNS)})")


def _views(connection: DuckDBPyConnection) -> None:
    connection.execute("""
        CREATE VIEW latest_feedback AS
        SELECT * FROM feedback
        QUALIFY row_number() OVER (PARTITION BY outcome_id, metric, author ORDER BY time DESC, id DESC) = 1
    """)
    connection.execute("""
        CREATE VIEW judgements AS
        SELECT outcome_id,
               avg(value) FILTER (metric = 'accuracy' AND source = 'truth') AS truth,
               avg(value) FILTER (metric = 'accuracy' AND source = 'judge') AS judge,
               avg(value) FILTER (metric = 'accuracy' AND source = 'user') AS user_says,
               avg(CASE metric WHEN 'rating' THEN (value - 1) / 4 WHEN 'thumbs' THEN value END) AS satisfaction,
               avg(value) FILTER (metric = 'rating') AS rating,
               bool_or(author = 'simulated') FILTER (metric IN ('rating', 'thumbs')) AS rating_simulated
        FROM latest_feedback
        GROUP BY outcome_id
    """)
    connection.execute(f"""
        CREATE VIEW rounds AS
        WITH judging AS (
            SELECT outcome_id, CASE WHEN bool_and(cost_usd IS NOT NULL) THEN sum(cost_usd) END AS usd
            FROM feedback WHERE source = 'judge' AND response_s IS NOT NULL GROUP BY outcome_id
        )
        SELECT outcomes.*,
               CASE WHEN truth IS NOT NULL THEN truth
                    WHEN {_WRONG} THEN 0.0
                    ELSE coalesce(judge, user_says) END AS accuracy,
               CASE WHEN truth IS NOT NULL OR ({_WRONG}) THEN 'truth'
                    WHEN judge IS NOT NULL THEN 'judge'
                    WHEN user_says IS NOT NULL THEN 'user' END AS accuracy_source,
               satisfaction, rating, coalesce(rating_simulated, false) AS rating_simulated,
               CASE WHEN judging.outcome_id IS NULL THEN 0.0 ELSE judging.usd END AS judge_cost_usd
        FROM outcomes LEFT JOIN judgements ON judgements.outcome_id = outcomes.id
                      LEFT JOIN judging ON judging.outcome_id = outcomes.id
    """)
    connection.execute("""
        CREATE VIEW served AS
        WITH fallbacks AS (
            SELECT fallback_of, sum(response_s) AS response_s, sum(cost_usd) AS cost_usd,
                   max_by(model, attempt) AS model, max_by(status, attempt) AS status,
                   max_by({'value': accuracy}, attempt) AS accuracy,
                   max_by({'value': accuracy_source}, attempt) AS accuracy_source,
                   max_by({'value': satisfaction}, attempt) AS satisfaction,
                   max_by({'value': cost_usd}, attempt) AS last_cost,
                   CASE WHEN bool_and(judge_cost_usd IS NOT NULL) THEN sum(judge_cost_usd) END AS judge_cost_usd,
                   bool_or(rating_simulated) AS rating_simulated
            FROM rounds WHERE fallback_of IS NOT NULL GROUP BY fallback_of
        )
        SELECT r.id, r.time, r.policy_version, r.task, r.query, r.conversation, r.custom_id, r.run,
               r.forced, r.explored, r.recorded, r.propensity, r.router_s, r.ttft_s,
               coalesce(f.model, r.model) AS model, coalesce(f.status, r.status) AS status,
               f.fallback_of IS NOT NULL AS fell_back,
               coalesce(r.response_s, 0) + coalesce(f.response_s, 0) AS response_s,
               CASE WHEN f.fallback_of IS NULL THEN r.cost_usd
                    WHEN f.last_cost.value IS NOT NULL THEN coalesce(r.cost_usd, 0) + f.cost_usd
                    END AS cost_usd,
               CASE WHEN f.fallback_of IS NULL THEN r.accuracy ELSE f.accuracy.value END AS accuracy,
               CASE WHEN f.fallback_of IS NULL THEN r.accuracy_source ELSE f.accuracy_source.value END
                   AS accuracy_source,
               CASE WHEN f.fallback_of IS NULL THEN r.satisfaction ELSE f.satisfaction.value END AS satisfaction,
               r.rating_simulated OR coalesce(f.rating_simulated, false) AS rating_simulated,
               CASE WHEN f.fallback_of IS NULL THEN r.judge_cost_usd ELSE r.judge_cost_usd + f.judge_cost_usd END
                   AS judge_cost_usd
        FROM rounds r LEFT JOIN fallbacks f ON f.fallback_of = r.id
        WHERE r.fallback_of IS NULL AND r.status <> 'cancelled'
    """)


def _canaries(connection: DuckDBPyConnection) -> None:
    connection.execute(f"CREATE TABLE canaries ({_columns(CANARY_COLUMNS)})")
    _bring_up(connection)


def _judging(connection: DuckDBPyConnection) -> None:
    _bring_up(connection)


def _bring_up(connection: DuckDBPyConnection) -> None:
    """Give the tables the columns that they lack, and make the views anew.

    Every step that adds columns does so for all of them: the views know those of this version, whichever step of
    an old file makes them.
    """
    for table, columns in (("outcomes", OUTCOME_COLUMNS), ("feedback", FEEDBACK_COLUMNS)):
        for name, kind in columns.items():
            connection.execute(f'ALTER TABLE {table} ADD COLUMN IF NOT EXISTS "{name}" {kind}')
    # A view keeps the columns that its table had.
    for view in ("served", "rounds", "judgements", "latest_feedback"):
        connection.execute(f"DROP VIEW {view}")
    _views(connection)


STEPS = {
    "0001_tables": _tables,
    "0002_views": _views,
    "0003_canaries": _canaries,
    "0006_judging": _judging,
}


def migrate(connection: DuckDBPyConnection) -> None:
    """Bring the file to this version's schema; raise StoreError when a newer version wrote it."""
    connection.execute("CREATE TABLE IF NOT EXISTS migrations (name VARCHAR, time TIMESTAMP)")
    applied = {name for (name,) in connection.execute("SELECT name FROM migrations").fetchall()}
    unknown = applied - set(STEPS)
    if unknown:
        raise StoreError("the log was written by a newer zetaroute: upgrade to use it; nothing was changed.")
    for name, step in STEPS.items():
        if name in applied:
            continue
        connection.execute("BEGIN")
        try:
            step(connection)
            connection.execute(
                "INSERT INTO migrations VALUES (?, current_timestamp AT TIME ZONE 'UTC')", [name]
            )
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
