"""The tables and views of the DuckDB file, as steps that are only ever appended.

Each step runs in one transaction and its name is kept in the table `migrations`; a name that this version does
not know means that a newer zetaroute wrote the file.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
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

_LAST = 1_000_000
"""More attempts than any query had: an answer counts before a failure that came after it."""
_WRONG = f"status = 'error' AND reference IS NOT NULL AND error_kind NOT IN {UNTRIED}"
"""A call that failed gave no right answer; one that could not be made says nothing of the model."""

_SCORE = (
    "CASE metric WHEN 'rating' THEN (value - 1) / 4 WHEN 'thumbs' THEN value WHEN 'verdict' THEN value END"
)
"""Every scale on 0..1 by its fixed map; what is known better is calibrated where it is read."""

_OF_THE_ANSWER = (
    "accuracy",
    "accuracy_source",
    "truth",
    "judge",
    "user_says",
    "satisfaction",
    "satisfaction_source",
    "rating",
    "thumbs",
    "verdict",
    "prompted",
    "asked",
    "ask_probability",
)
"""What is known of the answer that a person got: after a fallback, of the last attempt."""

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
    "embedding": "FLOAT[]",
    "embedding_model": "VARCHAR",
    "router_cost_usd": "DOUBLE",
    "tags": "VARCHAR[]",
    "store": "VARCHAR",
    "forgotten": "TIMESTAMP",
    "ask_probability": "DOUBLE",
    "asked": "BOOLEAN",
    "escalated": "BOOLEAN",
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
EXPORT_COLUMNS = {"id": "VARCHAR", "time": "TIMESTAMP", "path": "VARCHAR", "run": "VARCHAR"}


def struct(columns: dict[str, str]) -> str:
    """Return the DuckDB STRUCT type with these columns."""
    return "STRUCT(" + ", ".join(f'"{name}" {kind}' for name, kind in columns.items()) + ")"


def columns_of(columns: dict[str, str]) -> str:
    """Return the columns as CREATE TABLE wants them."""
    return ", ".join(f'"{name}" {kind}' for name, kind in columns.items())


def _tables(connection: DuckDBPyConnection) -> None:
    connection.execute(f"CREATE TABLE outcomes ({columns_of(OUTCOME_COLUMNS)}, pmf DOUBLE[])")
    connection.execute(f"CREATE TABLE feedback ({columns_of(FEEDBACK_COLUMNS)})")
    connection.execute(f"CREATE TABLE promotions ({columns_of(PROMOTION_COLUMNS)})")


def make_views(connection: DuckDBPyConnection) -> None:
    """Create the views over the tables of the log."""
    connection.execute("""
        CREATE VIEW latest_feedback AS
        SELECT * FROM feedback
        QUALIFY row_number() OVER (PARTITION BY outcome_id, metric, author ORDER BY time DESC, id DESC) = 1
    """)
    connection.execute(f"""
        CREATE VIEW judgements AS
        WITH scored AS (
            SELECT *, {_SCORE} AS score, source IN ('user', 'truth') AS of_people FROM latest_feedback
        )
        SELECT outcome_id,
               avg(value) FILTER (metric = 'accuracy' AND source = 'truth') AS truth,
               avg(value) FILTER (metric = 'accuracy' AND source = 'judge') AS judge,
               avg(value) FILTER (metric = 'accuracy' AND source = 'user') AS user_says,
               coalesce(avg(score) FILTER (of_people), avg(score) FILTER (source = 'judge'),
                        avg(score) FILTER (source = 'implicit')) AS satisfaction,
               CASE WHEN count(score) FILTER (of_people) > 0 THEN 'user'
                    WHEN count(score) FILTER (source = 'judge') > 0 THEN 'judge'
                    WHEN count(score) FILTER (source = 'implicit') > 0 THEN 'implicit' END
                   AS satisfaction_source,
               avg(value) FILTER (metric = 'rating' AND of_people) AS rating,
               avg(value) FILTER (metric = 'thumbs' AND of_people) AS thumbs,
               avg(value) FILTER (metric = 'verdict' AND of_people) AS verdict,
               max_by(label, time) FILTER (metric = 'verdict') AS verdict_label,
               bool_or(prompted) AS prompted,
               bool_or(author = 'simulated') FILTER (score IS NOT NULL) AS rating_simulated
        FROM scored
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
               truth, judge, user_says,
               satisfaction, satisfaction_source, rating, thumbs, verdict, verdict_label,
               coalesce(prompted, false) AS prompted, coalesce(rating_simulated, false) AS rating_simulated,
               CASE WHEN judging.outcome_id IS NULL THEN 0.0 ELSE judging.usd END AS judge_cost_usd
        FROM outcomes LEFT JOIN judgements ON judgements.outcome_id = outcomes.id
                      LEFT JOIN judging ON judging.outcome_id = outcomes.id
    """)
    connection.execute(f"""
        CREATE VIEW served AS
        WITH others AS (
            SELECT *, attempt + CASE status WHEN 'ok' THEN {_LAST} ELSE 0 END AS place
            FROM rounds WHERE fallback_of IS NOT NULL
        ),
        later AS (
            SELECT fallback_of, sum(response_s) AS response_s, sum(cost_usd) AS cost_usd,
                   max_by({{'model': model, 'status': status, 'cost_usd': cost_usd, {_pairs("'{0}': {0}")}}}, place)
                       AS last,
                   CASE WHEN bool_and(judge_cost_usd IS NOT NULL) THEN sum(judge_cost_usd) END AS judge_cost_usd,
                   bool_or(rating_simulated) AS rating_simulated
            FROM others GROUP BY fallback_of
        ),
        chains AS (
            SELECT r.*, f.last, f.response_s AS later_s, f.cost_usd AS later_usd, f.judge_cost_usd AS later_judge_usd,
                   f.rating_simulated AS later_simulated, f.fallback_of IS NOT NULL AS has_later,
                   -- An answer that failed a check is kept where nobody gave another.
                   f.fallback_of IS NOT NULL AND (r.status <> 'ok' OR f.last.status = 'ok') AS replaced
            FROM rounds r LEFT JOIN later f ON f.fallback_of = r.id
            WHERE r.fallback_of IS NULL AND r.status <> 'cancelled'
        )
        SELECT id, time, policy_version, task, query, store, forgotten, conversation, custom_id, run, forced,
               explored, recorded, propensity, router_s, ttft_s, embedding, embedding_model, router_cost_usd,
               CASE WHEN replaced THEN last.model ELSE model END AS model,
               CASE WHEN replaced THEN last.status ELSE status END AS status,
               has_later AND status <> 'ok' AS fell_back,
               has_later AND status = 'ok' AS escalated,
               coalesce(response_s, 0) + coalesce(later_s, 0) AS response_s,
               CASE WHEN NOT has_later THEN cost_usd
                    WHEN (CASE WHEN replaced THEN last.cost_usd ELSE cost_usd END) IS NOT NULL
                    THEN coalesce(cost_usd, 0) + coalesce(later_usd, 0) END AS cost_usd,
               {_pairs("CASE WHEN replaced THEN last.{0} ELSE {0} END AS {0}")},
               rating_simulated OR coalesce(later_simulated, false) AS rating_simulated,
               CASE WHEN has_later THEN judge_cost_usd + later_judge_usd ELSE judge_cost_usd END AS judge_cost_usd
        FROM chains
    """)


def _pairs(form: str) -> str:
    """Return `form` with the name of every judgement, as a list."""
    return ", ".join(form.format(name) for name in _OF_THE_ANSWER)


def _canaries(connection: DuckDBPyConnection) -> None:
    connection.execute(f"CREATE TABLE canaries ({columns_of(CANARY_COLUMNS)})")
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
    make_views(connection)


def _exports(connection: DuckDBPyConnection) -> None:
    connection.execute(f"CREATE TABLE IF NOT EXISTS exports ({columns_of(EXPORT_COLUMNS)})")


STEPS = {
    "0001_tables": _tables,
    "0002_views": make_views,
    "0003_canaries": _canaries,
    "0004_columns": _bring_up,
    "0005_exports": _exports,
}


def migrate(connection: DuckDBPyConnection) -> None:
    """Bring the file to this version's schema; raise StoreError when a newer version wrote it."""
    connection.execute("CREATE TABLE IF NOT EXISTS migrations (name VARCHAR, time TIMESTAMP)")
    applied = {name for (name,) in connection.execute("SELECT name FROM migrations").fetchall()}
    unknown = applied - set(STEPS)
    if unknown:
        raise StoreError("the log was written by a newer zetaroute: upgrade to use it; nothing was changed.")
    if not applied:
        _apply(connection, _fresh, list(STEPS))
        return
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
        for name in names:
            connection.execute(
                "INSERT INTO migrations VALUES (?, current_timestamp AT TIME ZONE 'UTC')", [name]
            )
        connection.execute("COMMIT")
    except BaseException:
        # Where there is no room, DuckDB has ended the transaction itself, and that must not hide the reason.
        with suppress(Exception):
            connection.execute("ROLLBACK")
        raise


def _fresh(connection: DuckDBPyConnection) -> None:
    """Make everything at once: step by step a new file would take several times the room."""
    _tables(connection)
    connection.execute(f"CREATE TABLE canaries ({columns_of(CANARY_COLUMNS)})")
    _exports(connection)
    make_views(connection)
