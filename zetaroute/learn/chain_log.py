"""What a log says of looking at answers: the queries that a coin or the user let several models answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from zetaroute.answers.read import ReadAnswer, read_answer
from zetaroute.arrays import Array, Index
from zetaroute.domain import Arm, Objective, is_cut
from zetaroute.learn.chains import (
    FEWEST_ROWS,
    USUAL_MODELS,
    Answers,
    ChainRows,
    agreeing_models,
    chain_models,
    fit_chain,
)
from zetaroute.learn.fit import Fitted
from zetaroute.learn.frame import COLUMNS, TEACHING, on_one_scale, sample, with_groups
from zetaroute.learn.incremental.collect import ReadRows
from zetaroute.learn.routing_gain import fold_predictors, forecast_crossed, with_lengths
from zetaroute.learn.samples import Sample
from zetaroute.policy.chain import ChainPlan
from zetaroute.policy.policy import Policy

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MOST_ANSWERS = 6_000
"""The newest are read."""
_SELECT = f"""
    SELECT {COLUMNS}, response, finish_reason FROM graded
    WHERE {TEACHING} AND status = 'ok' AND store IS NULL AND response IS NOT NULL
          AND audited AND role IN ('served', 'chain', 'audit', 'seed')
    ORDER BY time DESC, id DESC LIMIT {MOST_ANSWERS}
"""


def chain_of_log(
    connection: DuckDBPyConnection,
    newest: ReadRows,
    fitted: Fitted,
    arms: Sequence[Arm],
    objective: Objective,
) -> ChainPlan | None:
    """Return the plan that the log's audits teach, with its gain over the fit's own choices; None for too few.

    `newest` are the rows that the heads of other folds are fitted on.
    """
    frame = with_groups(on_one_scale(pl.DataFrame(connection.sql(_SELECT))))
    frame = frame.filter(pl.col("model").is_in([arm.id for arm in arms]))
    if frame.height < 2 * FEWEST_ROWS:
        return None
    rows = sample(frame, arms)
    first, query = _queries(rows)
    outcomes = {
        name: _wide(getattr(rows, name), query, rows) for name in ("accuracy", "cost_usd", "response_s")
    }
    answers = _answers(frame, rows, query)
    places = _chosen(outcomes, answers, objective)
    if places is None:
        return None
    vectors = with_lengths(
        [rows.texts[row] for row in first],
        fitted.vectors([rows.texts[row] for row in first], [rows.tasks[row] for row in first]),
    )
    others = fold_predictors(newest.x.astype(np.float64), newest.rows, arms, fitted.map)
    forecast = forecast_crossed(others, vectors, rows.group[first], arms)
    charged = forecast.charged(arms)
    cost = np.where(np.isnan(outcomes["cost_usd"]), charged, outcomes["cost_usd"])
    seconds = np.nan_to_num(outcomes["response_s"])
    chosen = Policy(
        version="others", predictor=fitted.predictor, anchor=fitted.anchor, average=fitted.average
    ).exploit(forecast, arms=arms, objective=objective, eligible=np.ones(charged.shape, dtype=bool))
    gained = objective.answer_value_usd * outcomes["accuracy"] - cost - objective.second_value_usd * seconds
    found = fit_chain(
        ChainRows(
            texts=tuple(rows.texts[row] for row in first),
            group=rows.group[first],
            forecast=forecast,
            cells=fitted.map.cells(vectors[:, 1:]),
            answers=tuple(tuple(row[place] for place in places) for row in answers),
            right=outcomes["accuracy"][:, places],
            cost_usd=cost[:, places],
            seconds=seconds[:, places],
            places=places,
        ),
        arms,
    )
    if found is None:
        return None
    return found.guarded(arms, objective, otherwise=gained[np.arange(len(first)), chosen])


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


def _chosen(outcomes: Mapping[str, Array], answers: Answers, objective: Objective) -> tuple[int, ...] | None:
    """Return the models of a chain: of those with enough grades, and enough of them together; None without any."""
    graded = ~np.isnan(outcomes["accuracy"])
    enough = graded.sum(axis=0) >= FEWEST_ROWS
    means = {}
    for name in ("accuracy", "cost_usd"):
        known = ~np.isnan(outcomes[name])
        mean = np.nan_to_num(outcomes[name]).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        means[name] = np.where(enough, mean, np.nan)
    for most in range(USUAL_MODELS, 1, -1):
        places = chain_models(means["accuracy"], means["cost_usd"], most)
        if len(places) == most and graded[:, places].all(axis=1).sum() >= FEWEST_ROWS:
            known_usd = means["cost_usd"]
            return agreeing_models(places, outcomes["accuracy"], known_usd, answers, objective)
    return None


def _answers(frame: pl.DataFrame, rows: Sample, query: Index) -> Answers:
    """Return what was read of the answers by query and model (n, K)."""
    found: list[list[ReadAnswer | None]] = [
        [None] * rows.eligible.shape[1] for _ in range(int(query.max()) + 1)
    ]
    for row, (response, reason) in enumerate(frame.select("response", "finish_reason").iter_rows()):
        found[int(query[row])][int(rows.arm[row])] = read_answer(
            response, rows.texts[row], cut=is_cut(reason)
        )
    return tuple(tuple(one) for one in found)
