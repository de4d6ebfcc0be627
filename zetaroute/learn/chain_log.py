"""What a log says of looking at answers: the queries that a coin or the user let several models answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zetaroute.answers.read import ReadAnswer, read_answer
from zetaroute.arrays import Array, Index
from zetaroute.domain import SIGNAL, Arm, Objective, is_cut
from zetaroute.learn.chains import (
    FEWEST_ROWS,
    Answers,
    ChainRows,
    agreeing_models,
    fit_chain,
)
from zetaroute.learn.fit import Fitted
from zetaroute.learn.frame import COLUMNS, on_one_scale, sample, with_groups
from zetaroute.learn.incremental.collect import ReadRows
from zetaroute.learn.kept_chain import AUDITED, READABLE
from zetaroute.learn.routing_gain import fold_predictors, forecast_crossed
from zetaroute.learn.samples import Sample
from zetaroute.policy.asking import USUAL_MODELS, chain_models
from zetaroute.policy.chain.plan import ChainPlan
from zetaroute.policy.learned import with_lengths

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MOST_ANSWERS = 6_000
"""The newest are read."""
_SELECT = f"""
    WITH signals AS (
        SELECT outcome_id, max_by(value, time) AS signal FROM feedback WHERE metric = '{SIGNAL}' GROUP BY outcome_id
    )
    SELECT {COLUMNS}, response, finish_reason, logprobs, signal
    FROM graded LEFT JOIN signals ON outcome_id = id
    WHERE {READABLE} AND {AUDITED}
    ORDER BY time DESC, id DESC LIMIT {MOST_ANSWERS}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredQueries:
    """n queries that several of K models have answered."""

    texts: Sequence[str]
    group: NDArray[np.uint64]
    """(n,) rows that share it are in one fold."""
    vectors: Array
    """(n, 1 + size) by the feature map of the fit, after their lengths."""
    accuracy: Array
    """(n, K), as the two that follow; NaN where it is unknown or was not asked."""
    cost_usd: Array
    response_s: Array
    answers: Answers
    """(n, K) what was read."""


def chain_of_log(
    connection: DuckDBPyConnection,
    newest: ReadRows,
    fitted: Fitted,
    arms: Sequence[Arm],
    objective: Objective,
) -> ChainPlan | None:
    """Return the plan that the log's audits teach; None for too few.

    `newest` are the rows that the heads of other folds are fitted on.
    """
    frame = with_groups(on_one_scale(pl.DataFrame(connection.sql(_SELECT))))
    frame = frame.filter(pl.col("model").is_in([arm.id for arm in arms]))
    if frame.height < 2 * FEWEST_ROWS:
        return None
    rows = sample(frame, arms)
    first, query = _queries(rows)
    texts = [rows.texts[row] for row in first]
    seen = AnsweredQueries(
        texts=texts,
        group=rows.group[first],
        vectors=with_lengths(texts, fitted.vectors(texts, [rows.tasks[row] for row in first])),
        accuracy=_wide(rows.accuracy, query, rows),
        cost_usd=_wide(rows.cost_usd, query, rows),
        response_s=_wide(rows.response_s, query, rows),
        answers=_answers(frame, rows, query),
    )
    return chain_of(seen, newest.x.astype(np.float64), newest.rows, fitted, arms, objective)


def chain_of(
    seen: AnsweredQueries,
    x: Array,
    rows: Sample,
    fitted: Fitted,
    arms: Sequence[Arm],
    objective: Objective,
) -> ChainPlan | None:
    """Return the plan that answered queries teach, with its gain over the fit's own choices; None for too few.

    The heads of other folds are fitted on `rows` with their vectors `x`.
    """
    places = _chosen(seen, objective)
    if places is None:
        return None
    others = fold_predictors(x, rows, arms, fitted.map)
    forecast = forecast_crossed(others, seen.vectors, seen.group, arms)
    charged = forecast.charged(arms)
    cost = np.where(np.isnan(seen.cost_usd), charged, seen.cost_usd)
    seconds = np.nan_to_num(seen.response_s)
    everyone = np.ones(charged.shape, dtype=bool)
    chosen = fitted.policy("others").exploit(forecast, arms=arms, objective=objective, eligible=everyone)
    gained = objective.answer_value_usd * seen.accuracy - cost - objective.second_value_usd * seconds
    found = fit_chain(
        ChainRows(
            texts=tuple(seen.texts),
            group=seen.group,
            forecast=forecast,
            cells=fitted.map.cells(seen.vectors[:, 1:]),
            answers=tuple(tuple(row[place] for place in places) for row in seen.answers),
            right=seen.accuracy[:, places],
            cost_usd=cost[:, places],
            seconds=seconds[:, places],
            places=places,
        ),
        arms,
    )
    if found is None:
        return None
    return found.guarded(arms, objective, otherwise=gained[np.arange(len(seen.texts)), chosen])


def _queries(rows: Sample) -> tuple[Index, Index]:
    """Return the first row of every query (n,), and the query of every row."""
    key = np.where(rows.seeded, rows.group, rows.decision)
    _, first, query = np.unique(key, return_index=True, return_inverse=True)
    return first, query


def _wide(values: Array, query: Index, rows: Sample) -> Array:
    """Return values of rows by query and model, (n, K); NaN where there is none."""
    wide = np.full((query.max() + 1, rows.eligible.shape[1]), np.nan)
    wide[query, rows.arm] = values
    return wide


def _chosen(seen: AnsweredQueries, objective: Objective) -> tuple[int, ...] | None:
    """Return the models of a chain: of those with enough grades, and enough of them together; None without any."""
    graded = ~np.isnan(seen.accuracy)
    enough = graded.sum(axis=0) >= FEWEST_ROWS

    def means(values: Array) -> Array:
        known = ~np.isnan(values)
        mean = np.nan_to_num(values).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        return np.where(enough, mean, np.nan)

    accuracy, cost_usd = means(seen.accuracy), means(seen.cost_usd)
    for most in range(USUAL_MODELS, 1, -1):
        places = chain_models(accuracy, cost_usd, most)
        if len(places) == most and graded[:, places].all(axis=1).sum() >= FEWEST_ROWS:
            return agreeing_models(places, seen.accuracy, cost_usd, seen.answers, objective)
    return None


def _answers(frame: pl.DataFrame, rows: Sample, query: Index) -> Answers:
    """Return what was read of the answers by query and model (n, K)."""
    found: list[list[ReadAnswer | None]] = [
        [None] * rows.eligible.shape[1] for _ in range(int(query.max()) + 1)
    ]
    columns = frame.select("response", "finish_reason", "logprobs", "signal")
    for row, (response, reason, logprobs, signal) in enumerate(columns.iter_rows()):
        found[int(query[row])][int(rows.arm[row])] = read_answer(
            response, rows.texts[row], cut=is_cut(reason), logprobs=logprobs, signal=signal
        )
    return tuple(tuple(one) for one in found)
