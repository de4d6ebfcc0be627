"""The views of the log: what its rows say together, such as the attempts that a person got an answer from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zetaroute.domain import CONFIG_ERRORS, OUTAGE_ERRORS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

VIEWS = ("served", "rounds", "graded", "judgements", "latest_feedback")
"""In the order in which they can be dropped."""
_LAST = 1_000_000
"""More attempts than any query had: an answer counts before a failure that came after it."""
_FAILED = f"status = 'error' AND reference IS NOT NULL AND error_kind NOT IN {CONFIG_ERRORS}"
"""A call that failed gave no right answer; one that could not be made says nothing of the model."""
_OUTAGE = f"error_kind IN {OUTAGE_ERRORS} OR (error_kind = 'timeout' AND ttft_s IS NULL)"
"""`Outcome.is_outage` in SQL, of a row with an error."""
_WRONG = f"{_FAILED} AND NOT ({_OUTAGE})"
"""An outage says nothing of how good a model is either."""
LOST = f"coalesce(accuracy IS NULL AND {_FAILED}, false)"
"""Whether an outage left the user of a row of `graded` without the right answer: it counts as 0 where policies are
judged by what users get, and teaches nothing of the model."""

OF_USERS = "role NOT IN ('audit', 'seed')"
"""Which rows of `graded` were asked for a user, and not to learn from."""
GIVEN = "role IS DISTINCT FROM 'audit' AND chain.returned IS NOT FALSE"
"""Which rows of `outcomes` are answers that a user or a program may have got; older ones have no role."""
FIRST = "fallback_of IS NULL AND role IS DISTINCT FROM 'seed'"
"""Which rows of `outcomes` are the first that was asked for a user, or imported."""
_ROLE = """coalesce(role, CASE WHEN fallback_of IS NOT NULL THEN 'attempt'
                            WHEN recorded IS TRUE AND policy_version IS NULL THEN 'import'
                            ELSE 'served' END)"""
"""The role of a row; those of older versions tell it by what else they say."""
_FALLBACKS = "SELECT id FROM outcomes WHERE fallback_of IS NOT NULL AND role IS DISTINCT FROM 'audit'"
WAITED = "coalesce(chain.waited_s, response_s)"
"""What of a row's time its user waited for."""
_SCORE = (
    "CASE metric WHEN 'rating' THEN (value - 1) / 4 WHEN 'thumbs' THEN value WHEN 'verdict' THEN value END"
)
"""Every scale on 0..1 by its fixed map; what is known better is calibrated where it is read."""
GRADED = f"""(({_WRONG}) OR id IN (
    SELECT outcome_id FROM feedback
    WHERE metric = 'accuracy' AND source IN ('truth', 'judge', 'user') AND value IS NOT NULL
))"""
"""Whether `graded` has an accuracy for a row of `outcomes`, without asking which."""

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


_LATEST = """
    WITH several AS (
        -- Sorting takes most of the time, and few outcomes were told the same thing twice: those where fewer kinds of
        -- feedback than rows are seen, or seem to be, since two kinds may share a number.
        SELECT outcome_id FROM {feedback} GROUP BY outcome_id
        HAVING count(*) > bit_count(bit_or(1::BIGINT << (hash(metric, author) % 62)::INT))
    )
    SELECT * FROM {feedback} ANTI JOIN several USING (outcome_id)
    UNION ALL
    SELECT * FROM {feedback} SEMI JOIN several USING (outcome_id)
    QUALIFY row_number() OVER (PARTITION BY outcome_id, metric, author ORDER BY time DESC, id DESC) = 1
"""
"""The last word of each author on each outcome, by metric."""
_JUDGEMENTS = f"""
    WITH scored AS (
        SELECT *, {_SCORE} AS score, source IN ('user', 'truth') AS of_people FROM ({_LATEST})
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
"""
_GRADED = f"""
    WITH judging AS (
        SELECT outcome_id, CASE WHEN bool_and(cost_usd IS NOT NULL) THEN sum(cost_usd) END AS usd
        FROM {{feedback}} WHERE source = 'judge' AND response_s IS NOT NULL GROUP BY outcome_id
    )
    SELECT outcomes.* REPLACE ({_ROLE} AS role),
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
    FROM {{outcomes}} AS outcomes LEFT JOIN ({_JUDGEMENTS}) AS judgements ON judgements.outcome_id = outcomes.id
                                LEFT JOIN judging ON judging.outcome_id = outcomes.id
"""


def latest_of(feedback: str) -> str:
    """Return the SELECT of `latest_feedback` for some of its rows: with one, all of the same outcome and metric."""
    return _LATEST.format(feedback=f"({feedback})")


def judgements_of(ids: str) -> str:
    """Return the SELECT of `judgements` for the outcomes whose ids another SELECT names."""
    return _JUDGEMENTS.format(feedback=f"(SELECT * FROM feedback WHERE outcome_id IN ({ids}))")


def graded_of(ids: str) -> str:
    """Return the SELECT of `graded` for the outcomes whose ids another SELECT names.

    The view itself judges all outcomes before any of them can be chosen.
    """
    return _GRADED.format(
        outcomes=f"(SELECT * FROM outcomes WHERE id IN ({ids}))",
        feedback=f"(SELECT * FROM feedback WHERE outcome_id IN ({ids}))",
    )


def graded_from(first: str) -> str:
    """Return the SELECT of `graded` for the outcomes from an id on, which the SQL `first` names."""
    return _GRADED.format(
        outcomes=f"(SELECT * FROM outcomes WHERE id >= {first})",
        feedback=f"(SELECT * FROM feedback WHERE outcome_id >= {first})",
    )


def make_views(connection: DuckDBPyConnection, *, temporary: bool = False) -> None:
    """Create the views over the tables of the log; `temporary` ones are for this connection alone."""
    create = "CREATE OR REPLACE TEMP VIEW" if temporary else "CREATE VIEW"
    whole = {"outcomes": "outcomes", "feedback": "feedback"}
    for view, select in (("latest_feedback", _LATEST), ("judgements", _JUDGEMENTS), ("graded", _GRADED)):
        connection.execute(f"{create} {view} AS {select.format(**whole)}")
    connection.execute(f"{create} rounds AS SELECT * FROM graded WHERE {OF_USERS}")
    connection.execute(f"""
        {create} served AS
        WITH others AS (
            SELECT *, attempt + CASE status WHEN 'ok' THEN {_LAST} ELSE 0 END
                   + CASE WHEN chain.returned THEN 2 * {_LAST} ELSE 0 END AS place
            FROM ({graded_of(_FALLBACKS)})
        ),
        later AS (
            SELECT fallback_of, sum({WAITED}) AS response_s, sum(cost_usd) AS cost_usd,
                   max_by({{'model': model, 'status': status, 'cost_usd': cost_usd, {_pairs("'{0}': {0}")}}}, place)
                       AS last,
                   CASE WHEN bool_and(judge_cost_usd IS NOT NULL) THEN sum(judge_cost_usd) END AS judge_cost_usd,
                   bool_or(rating_simulated) AS rating_simulated
            FROM others GROUP BY fallback_of
        ),
        chains AS (
            SELECT r.*, f.last, f.response_s AS later_s, f.cost_usd AS later_usd, f.judge_cost_usd AS later_judge_usd,
                   f.rating_simulated AS later_simulated, f.fallback_of IS NOT NULL AS has_later,
                   -- An answer that failed a check is kept where no model gave another.
                   f.fallback_of IS NOT NULL AND (r.status <> 'ok' OR f.last.status = 'ok')
                       AND r.chain.returned IS NOT TRUE AS replaced
            FROM rounds r LEFT JOIN later f ON f.fallback_of = r.id
            WHERE r.fallback_of IS NULL AND (r.status <> 'cancelled' OR r.chain IS NOT NULL)
        )
        SELECT id, time, policy_version, task, query, store, forgotten, conversation, custom_id, run, forced,
               explored, recorded, propensity, router_s, ttft_s, embedding, embedding_model, router_cost_usd,
               CASE WHEN replaced THEN last.model ELSE model END AS model,
               CASE WHEN replaced THEN last.status ELSE status END AS status,
               has_later AND status = 'error' AS fell_back,
               has_later AND status <> 'error' AS escalated,
               coalesce({WAITED}, 0) + coalesce(later_s, 0) AS response_s,
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
