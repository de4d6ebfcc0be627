"""How much the learner believes a source of accuracy, by how often it was right where the truth is known.

Apart from the fit because it is measured anew at every retrain, from the training rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

COLUMNS = {"judge": "judge", "user": "user_says"}
"""Source -> the column with what it says."""
USUAL = 0.5
"""Share of the variance of the truth that a source is taken to explain before anything is known of it."""
USUAL_PAIRS = 20.0
"""Pairs that this is worth."""
STEP = 1 / 8
"""Trust is rounded to this, so that sums of it are exact and a little more evidence does not mean to count anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """What one source is worth."""

    pairs: int
    """Rows with its word and the truth."""
    explained: float | None
    """Share of the truth's variance that it explains there; None where that cannot be said."""
    trust: float
    """Weight of a row whose accuracy it gave, beside 1 for one whose accuracy is known for true."""


def reliabilities(frame: pl.DataFrame) -> dict[str, Reliability]:
    """Measure every source on rows of the log.

    A label that is the truth plus noise deserves the weight var(truth) / var(label), which is the squared
    correlation r^2 of the two (least squares with unequal noise, Aitken 1936). It is shrunk towards `USUAL`:
    (pairs r^2 + 20 x .5) / (pairs + 20). One that goes against the truth explains nothing.
    """
    return {
        source: _reliability(frame.select("truth", column).drop_nulls()) for source, column in COLUMNS.items()
    }


def trust_in(found: dict[str, Reliability]) -> dict[str, float]:
    """Return the weight of each source."""
    return {source: one.trust for source, one in found.items()}


def _reliability(pairs: pl.DataFrame) -> Reliability:
    truth, says = (pairs[:, number].to_numpy().astype(np.float64) for number in range(2))
    explained = None
    if len(truth) > 2 and truth.std() > 0:
        r = float(np.corrcoef(truth, says)[0, 1]) if says.std() > 0 else 0.0
        explained = max(r, 0.0) ** 2
    weight = 0.0 if explained is None else float(len(truth))
    believed = (weight * (explained or 0.0) + USUAL_PAIRS * USUAL) / (weight + USUAL_PAIRS)
    return Reliability(pairs=len(truth), explained=explained, trust=round(believed / STEP) * STEP)
