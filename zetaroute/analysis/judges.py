"""The judges of a log: what each is worth beside the truth and beside people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from zetaroute.arrays import Array
from zetaroute.domain import Figure
from zetaroute.evaluate.judge_agreement import TUNING_FOLDS, Agreement, agreement, powered_mean
from zetaroute.log.rows import SINCE
from zetaroute.log.views import judgements_of, latest_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_MARKED = "SELECT * FROM feedback WHERE metric = 'accuracy'"
_JUDGED = f"SELECT outcome_id FROM ({_MARKED}) WHERE source = 'judge'"
_SAID = f"""
    SELECT author, said.value AS judged, known.truth,
           coalesce(known.user_says, CASE WHEN known.satisfaction_source = 'user' THEN known.satisfaction END)
               AS users,
           hash(outcomes.id) % {TUNING_FOLDS} AS fold, count(*) AS rows
    FROM ({latest_of(_MARKED)}) AS said
         JOIN outcomes ON outcomes.id = said.outcome_id
         JOIN ({judgements_of(_JUDGED)}) AS known ON known.outcome_id = outcomes.id
    WHERE said.source = 'judge' AND outcomes.status = 'ok'
          AND outcomes.time >= {SINCE}
    GROUP BY ALL ORDER BY ALL
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """One author of judgements."""

    author: str
    judged: int
    truth: Agreement
    users: Agreement
    """With what people say of accuracy, else with their satisfaction."""
    accuracy: Figure
    """Accuracy from its judgements and the truth together."""

    def json(self) -> dict[str, Any]:
        """Return the shape that `kpi --json` uses."""
        return {
            "author": self.author,
            "judged": self.judged,
            "truth": _json(self.truth),
            "users": _json(self.users),
            "accuracy": self.accuracy.json(),
            "coin": self.truth.coin,
        }


def read_judges(connection: DuckDBPyConnection, *, since: str | None = None) -> list[Judge]:
    """Return every judge of the answers since a moment, by name."""
    connection.execute("SET VARIABLE since = ?", [since])
    said = pl.DataFrame(connection.sql(_SAID))
    return [_judge(str(author), part) for (author,), part in said.group_by("author", maintain_order=True)]


def _judge(author: str, said: pl.DataFrame) -> Judge:
    judged, truth, users, rows = (
        said[name].cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)
        for name in ("judged", "truth", "users", "rows")
    )
    return Judge(
        author=author,
        judged=int(rows.sum()),
        truth=_beside(judged, truth, rows),
        users=_beside(judged, users, rows),
        accuracy=powered_mean(truth, judged, rows, said["fold"].to_numpy().astype(np.int64)),
    )


def _beside(judged: Array, known: Array, rows: Array) -> Agreement:
    both = ~np.isnan(known)
    return agreement(judged[both], known[both], rows[both])


def _json(found: Agreement) -> dict[str, Any]:
    return {
        "pairs": found.pairs,
        "kappa": found.kappa.json(),
        "correlation": found.correlation.json(),
        "bins": [{"judged": one.judged, **one.right.json()} for one in found.bins],
    }
