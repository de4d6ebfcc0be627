"""How far a source of accuracy, and a check, is believed: by how often it was right where the truth is known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from zetaroute.arrays import Array
from zetaroute.policy.escalation import CheckReliability

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

COLUMNS = {"judge": "judge", "user": "user_says"}
"""Source -> the column with what it says."""
USUAL = 0.5
"""Share of the variance of the truth that a source is taken to explain before anything is known of it."""
USUAL_PAIRS = 20.0
"""Pairs that this is worth."""
NOTHING = 1e-12
"""Variance of values in 0..1 that is none but for rounding."""
STEP = 1 / 8
"""Trust is rounded to this, so that sums of it are exact and a little more evidence does not mean to count anew."""
USUAL_ROWS = 20.0
"""Rows of right answers, and of wrong ones, that the default is worth."""
_COUNTED = """
    SELECT regexp_extract(f.author, '^[a-z]+:(.*?)(:self)?$', 1) AS name,
           count(*) FILTER (r.truth >= 0.5) AS right_rows,
           count(*) FILTER (r.truth >= 0.5 AND f.value >= 0.5) AS passed,
           count(*) FILTER (r.truth < 0.5) AS wrong_rows,
           count(*) FILTER (r.truth < 0.5 AND f.value < 0.5) AS caught
    FROM latest_feedback f JOIN graded r ON r.id = f.outcome_id
    WHERE f.metric = 'check' AND r.truth IS NOT NULL
    GROUP BY name ORDER BY name
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReliability:
    """What one source is worth."""

    pairs: int
    """Rows with its word and the truth."""
    explained: float | None
    """Share of the truth's variance that it explains there; None where that cannot be said."""
    trust: float
    """Weight of a row whose accuracy it gave, beside 1 for one whose accuracy is known for true."""


def reliabilities(pairs: Mapping[str, Array]) -> dict[str, SourceReliability]:
    """Return what every source is worth, from what `pairs_in` found.

    A label that is the truth plus noise deserves the weight var(truth) / var(label), which is the squared
    correlation r^2 of the two (least squares with unequal noise, Aitken 1936). It is shrunk towards `USUAL`:
    (pairs r^2 + 20 x .5) / (pairs + 20). One that goes against the truth explains nothing.
    """
    return {source: _reliability(*sums.tolist()) for source, sums in pairs.items()}


def pairs_in(frame: pl.DataFrame) -> dict[str, Array]:
    """Return, per source, the sums over the rows with its word s and the truth t: n, t, s, tt, ss, ts.

    Those of parts of a log add up to those of the whole.
    """
    found = {}
    for source, column in COLUMNS.items():
        pairs = frame.select("truth", column).drop_nulls()
        truth, says = (pairs[:, number].to_numpy().astype(np.float64) for number in range(2))
        found[source] = np.array(
            [len(truth), truth.sum(), says.sum(), truth @ truth, says @ says, truth @ says]
        )
    return found


def trust_in(found: dict[str, SourceReliability]) -> dict[str, float]:
    """Return the weight of each source."""
    return {source: one.trust for source, one in found.items()}


def _reliability(n: float, t: float, s: float, tt: float, ss: float, ts: float) -> SourceReliability:
    explained = None
    if n > 2 and (spread := tt - t * t / n) > NOTHING * n:
        r = (ts - t * s / n) / math.sqrt(spread * own) if (own := ss - s * s / n) > NOTHING * n else 0.0
        explained = min(max(r, 0.0), 1.0) ** 2
    weight = 0.0 if explained is None else n
    believed = (weight * (explained or 0.0) + USUAL_PAIRS * USUAL) / (weight + USUAL_PAIRS)
    return SourceReliability(pairs=round(n), explained=explained, trust=round(believed / STEP) * STEP)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredCheck:
    """What one check is worth."""

    passes: float
    """Probability that a right answer passes."""
    catches: float
    """Probability that a wrong one fails."""
    right_rows: int
    wrong_rows: int


def measured_checks(connection: DuckDBPyConnection) -> dict[str, MeasuredCheck]:
    """Return the checks whose answers the truth is known of, by the name of their grader.

    Shares are shrunk towards the default: (seen + 20 x usual) / (rows + 20).
    """
    if connection.execute("SELECT 1 FROM feedback WHERE metric = 'check' LIMIT 1").fetchone() is None:
        # Most logs have none, and to join the truth of all rows takes a twentieth of a retrain after few new ones.
        return {}
    usual = CheckReliability()
    return {
        name: MeasuredCheck(
            passes=(passed + USUAL_ROWS * usual.passes) / (right + USUAL_ROWS),
            catches=(caught + USUAL_ROWS * usual.catches) / (wrong + USUAL_ROWS),
            right_rows=right,
            wrong_rows=wrong,
        )
        for name, right, passed, wrong, caught in connection.execute(_COUNTED).fetchall()
    }
