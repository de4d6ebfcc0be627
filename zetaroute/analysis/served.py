"""What was served, read from the log: groups of queries that are alike, with the sums of what differs between them.

The one place that reads the view `served` for the key figures; comparisons and reports all start from its frame.
DuckDB adds up, so that memory grows with the kinds of answers that there are and not with the log; of single queries
only the response time is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from zetaroute.analysis.query_kinds import Kinds
from zetaroute.config import Settings
from zetaroute.evaluate.intervals import Moments
from zetaroute.evaluate.key_figures import Served, Times
from zetaroute.evaluate.nonresponse import FEWEST_RATED, Covariates, Invitation, after_columns
from zetaroute.evaluate.reward_model import FOLDS
from zetaroute.evaluate.satisfaction import (
    LEVELS,
    SatisfactionEstimate,
    one_scale,
    satisfaction_estimate,
    scales_of,
)
from zetaroute.log.log import OF_ONE
from zetaroute.log.rows import SINCE

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ALIKE = (
    *("policy_version", "model", "task", "forced", "recorded", "fell_back", "escalated"),
    *("accuracy", "accuracy_source", "satisfaction", "satisfaction_source", "rating", "thumbs", "verdict"),
    *("prompted", "asked", "ask_probability", "rating_simulated"),
)
"""What queries of one group have in common, besides whether they failed and whether their cost is known."""
_MEASURED = ("response_s", "ttft_s", "cost_usd", "router_s", "router_cost_usd", "judge_cost_usd")
_SUMS = ", ".join(
    f"count({one}) AS {one}_n, avg({one}) AS {one}_mean, var_pop({one}) * count({one}) AS {one}_squares"
    for one in _MEASURED
)
_GROUPS = f"""
    SELECT {", ".join(ALIKE)}, status <> 'ok' AS failed, cost_usd IS NULL AS unpriced, {{more}},
           count(*) AS rows, min(time) AS since, max(time) AS until, {_SUMS},
           covar_pop(cost_usd, response_s) * count(cost_usd) AS cost_with_response, list(response_s) AS times
    FROM served {{joined}} WHERE time >= {SINCE} AND {OF_ONE} GROUP BY ALL ORDER BY ALL
"""
_FOLD = f"hash(id) % {FOLDS}"
"""By the row alone: no other row, and no other moment to start from, moves it to another fold."""
_RATINGS = "SELECT count(*) FROM feedback WHERE metric IN ('rating', 'thumbs', 'verdict')"
MOST_TASKS = 30
"""Task labels that may make a difference to who rates; rarer ones count as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which rows figures are of."""

    since: str | None = None
    """A moment (ISO 8601, UTC)."""
    version: str | None = None
    """The one that chose the model."""
    run: str | None = None
    """A batch, or a server's."""

    @property
    def whole(self) -> bool:
        """Whether all rows since the moment count."""
        return self.version is None and self.run is None

    def bind(self, connection: DuckDBPyConnection) -> None:
        """Let SINCE and OF_ONE stand for these rows."""
        for name in self.__slots__:
            connection.execute(f"SET VARIABLE {name} = ?", [getattr(self, name)])


def read_served(
    connection: DuckDBPyConnection,
    scope: Scope,
    *,
    by_day: bool = False,
    kinds: Kinds | None = None,
    edges: Sequence[str] = (),
) -> pl.DataFrame:
    """Return what was served: a row per group of queries, with their number as `rows`.

    The groups are divided by `day`, by `kind` and by `part` where asked for; `edges` are the first ids of the parts.
    """
    scope.bind(connection)
    connection.execute("SET VARIABLE edges = ?", [list(edges)])
    kind, joined = ("'all'", "") if kinds is None else kinds.join(connection)
    (ratings,) = connection.execute(_RATINGS).fetchone() or (0,)
    later = (f"(id >= getvariable('edges')[{number + 1}])::INT" for number in range(1, len(edges)))
    columns = {
        "day": "strftime(time, '%Y-%m-%d')" if by_day else "NULL",
        "kind": kind,
        "part": " + ".join(["0", *later]),
        # Ratings too few to be completed need no folds.
        "fold": _FOLD if ratings >= FEWEST_RATED else "0",
    }
    more = ", ".join(f"{column} AS {name}" for name, column in columns.items())
    return with_opinion(pl.DataFrame(connection.sql(_GROUPS.format(more=more, joined=joined))))


def with_opinion(frame: pl.DataFrame) -> pl.DataFrame:
    """Add the column `opinion`: satisfaction on one scale, completed for who rates, by model, task and accuracy.

    Over all rows at once, so that a part and the whole never contradict each other.
    """
    rows = _floats(frame, "rows")
    rating, others = _floats(frame, "rating"), {name: _floats(frame, name) for name in LEVELS}
    scales = scales_of(rating, others, rows)
    satisfaction = one_scale(_floats(frame, "satisfaction"), rating, others, scales)
    usual = frame.drop_nulls("task").group_by("task").agg(pl.col("rows").sum())
    usual = usual.sort("rows", "task", descending=[True, False]).head(MOST_TASKS)
    tasks = frame["task"].to_numpy()
    models, arm = np.unique(frame["model"].to_numpy().astype(np.str_), return_inverse=True)
    found = satisfaction_estimate(
        Covariates(
            x=np.column_stack(
                [np.ones(frame.height), *((tasks == task).astype(float) for task in usual["task"])]
            ),
            arm=arm.astype(np.int64),
            arms=max(len(models), 1),
            fold=frame["fold"].to_numpy().astype(np.int64),
            after=after_columns({"accuracy": _floats(frame, "accuracy")}),
            rows=rows,
        ),
        satisfaction,
        Invitation(
            chance=_floats(frame, "ask_probability"),
            asked=frame["asked"].fill_null(value=False).to_numpy().astype(bool),
            answered=frame["prompted"].to_numpy().astype(bool),
        ),
        could=~frame["failed"].to_numpy().astype(bool),
    )
    parts = pl.DataFrame(
        {name: getattr(found, name) for name in ("score", "liked", "expected", "silent", "counts")}
    )
    parts = parts.with_columns(completed=pl.lit(found.completed), asked=pl.lit(found.asked))
    return frame.with_columns(parts.to_struct("opinion"))


def as_served(frame: pl.DataFrame, settings: Settings) -> Served:
    """Return the groups of a frame as arrays, with their kind as the segment."""
    cost, response = _moments(frame, "cost_usd"), _moments(frame, "response_s")
    known, rows = cost.n > 0, _floats(frame, "rows")
    local = frame["model"].is_in([arm.id for arm in settings.arms if arm.local]).to_numpy().astype(bool)
    charged = Moments(
        n=np.where(known, cost.n, rows),
        mean=np.where(known, cost.mean, np.where(local, 0.0, _highest_cost(frame))),
        squares=np.where(known, cost.squares, 0.0),
    )
    times = frame["times"]
    return Served(
        rows=rows,
        accuracy=_floats(frame, "accuracy"),
        opinion=_opinion(frame),
        rated=frame["satisfaction"].is_not_null().to_numpy().astype(np.float64),
        response_s=response,
        times=Times(
            seconds=times.explode().to_numpy().astype(np.float64),
            group=np.repeat(np.arange(frame.height, dtype=np.int32), times.list.len().to_numpy()),
        ),
        ttft_s=_moments(frame, "ttft_s"),
        cost_usd=cost,
        charged_usd=charged,
        charged_with_response=np.nan_to_num(_floats(frame, "cost_with_response")),
        router_s=_moments(frame, "router_s"),
        router_cost_usd=_moments(frame, "router_cost_usd"),
        failed=_floats(frame, "failed"),
        judge_cost_usd=_moments(frame, "judge_cost_usd"),
        escalated=_floats(frame, "escalated"),
        fell_back=_floats(frame, "fell_back"),
        segment=np.array(frame["kind"].to_list(), dtype=np.str_),
    )


def _highest_cost(frame: pl.DataFrame) -> float:
    """Return the mean cost of the model that costs most."""
    spent = (pl.col("cost_usd_n") * pl.col("cost_usd_mean")).sum() / pl.col("cost_usd_n").sum()
    means = frame.filter(pl.col("cost_usd_n") > 0).group_by("model").agg(spent.alias("mean"))["mean"]
    return float(means.max() or 0.0)  # type: ignore[arg-type]  # the maximum of a float column


def _opinion(frame: pl.DataFrame) -> SatisfactionEstimate:
    """Return the column `opinion` as arrays."""
    parts = frame["opinion"].struct.unnest()
    return SatisfactionEstimate(
        **{name: _floats(parts, name) for name in ("score", "liked", "expected", "silent")},
        counts=parts["counts"].to_numpy().astype(bool),
        rows=_floats(frame, "rows"),
        completed=bool(parts["completed"].any()),
        asked=bool(parts["asked"].any()),
    )


def sources(frame: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Return what accuracy and satisfaction stand on: rows by source, and how satisfaction was corrected."""
    known = _opinion(frame)
    return {
        "accuracy": _counts(frame, "accuracy_source"),
        "satisfaction": {
            **_counts(frame, "satisfaction_source"),
            "simulated": _rows(frame, pl.col("rating_simulated")),
            "prompted": _rows(frame, pl.col("prompted")),
            "corrected": known.completed,
            "asked_only": known.asked,
        },
    }


def provenance(frame: pl.DataFrame) -> dict[str, int]:
    """Return on what the figures stand: rows by kind of model and by source of the judgement."""
    accuracy_source = pl.col("accuracy_source")
    return {
        "recorded": _rows(frame, pl.col("recorded")),
        "imported": _rows(frame, pl.col("policy_version").is_null() & pl.col("recorded")),
        "practice": _rows(frame, pl.col("model").str.starts_with("practice/")),
        "truth": _rows(frame, accuracy_source == "truth"),
        "judge": _rows(frame, accuracy_source == "judge"),
        "user": _rows(frame, accuracy_source == "user"),
        "rated": _rows(frame, pl.col("satisfaction").is_not_null()),
        "simulated_ratings": _rows(frame, pl.col("rating_simulated")),
    }


def size(frame: pl.DataFrame) -> int:
    """Return how many queries the groups of a frame hold."""
    return int(frame["rows"].sum())


def model_shares(frame: pl.DataFrame) -> Mapping[str, float]:
    """Return how often each model answered, by its id."""
    return {model: rows / size(frame) for model, rows in _counts(frame, "model").items()}


def _counts(frame: pl.DataFrame, column: str) -> dict[str, int]:
    """Return the queries of each value of a column, by name."""
    counts = frame.drop_nulls(column).group_by(column).agg(pl.col("rows").sum()).sort(column)
    return {str(name): int(rows) for name, rows in counts.iter_rows()}


def _rows(frame: pl.DataFrame, which: pl.Expr) -> int:
    return size(frame.filter(which))


def _moments(frame: pl.DataFrame, name: str) -> Moments:
    n, mean, squares = (_floats(frame, f"{name}_{part}") for part in ("n", "mean", "squares"))
    return Moments(n=n, mean=mean, squares=np.nan_to_num(squares))


def _floats(frame: pl.DataFrame, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)
