"""The judges of a log: what each is worth beside the truth and beside people.

Apart from the other key figures because it asks for judgements, not for answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zetaroute.domain import Figure
from zetaroute.evaluate.agreement import Agreement, agreement, powered_mean
from zetaroute.store.log import Log, rows_since

Array = NDArray[np.float64]

_SAID = """
    SELECT f.author, f.value AS judged, r.time,
           CASE WHEN r.accuracy_source = 'truth' THEN r.accuracy END AS truth,
           coalesce(r.user_says, CASE WHEN r.satisfaction_source = 'user' THEN r.satisfaction END) AS users
    FROM latest_feedback f JOIN rounds r ON r.id = f.outcome_id
    WHERE f.source = 'judge' AND f.metric = 'accuracy' AND r.status = 'ok'
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


def read_judges(log: Log, *, since: str | None = None) -> list[Judge]:
    """Return every judge of the answers since a moment, by name."""
    with log.open() as connection:
        said = pl.DataFrame(rows_since(connection, _SAID, since, order="author"))
    return [_judge(str(author), part) for (author,), part in said.group_by("author", maintain_order=True)]


def _judge(author: str, said: pl.DataFrame) -> Judge:
    judged, truth, users = (
        said[name].cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)
        for name in ("judged", "truth", "users")
    )
    return Judge(
        author=author,
        judged=len(judged),
        truth=_beside(judged, truth),
        users=_beside(judged, users),
        accuracy=powered_mean(truth, judged),
    )


def _beside(judged: Array, known: Array) -> Agreement:
    both = ~np.isnan(known)
    return agreement(judged[both], known[both])


def _json(found: Agreement) -> dict[str, Any]:
    return {
        "pairs": found.pairs,
        "kappa": found.kappa.json(),
        "correlation": found.correlation.json(),
        "bins": [{"judged": one.judged, **one.right.json()} for one in found.bins],
    }
