"""How much the learner believes a source of accuracy, by how often it was right where the truth is known.

Apart from the fit because it is measured anew at every retrain, from the training rows alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Array = NDArray[np.float64]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """What one source is worth."""

    pairs: int
    """Rows with its word and the truth."""
    explained: float | None
    """Share of the truth's variance that it explains there; None where that cannot be said."""
    trust: float
    """Weight of a row whose accuracy it gave, beside 1 for one whose accuracy is known for true."""


def reliabilities(pairs: Mapping[str, Array]) -> dict[str, Reliability]:
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


def trust_in(found: dict[str, Reliability]) -> dict[str, float]:
    """Return the weight of each source."""
    return {source: one.trust for source, one in found.items()}


def _reliability(n: float, t: float, s: float, tt: float, ss: float, ts: float) -> Reliability:
    explained = None
    if n > 2 and (spread := tt - t * t / n) > NOTHING * n:
        r = (ts - t * s / n) / math.sqrt(spread * own) if (own := ss - s * s / n) > NOTHING * n else 0.0
        explained = min(max(r, 0.0), 1.0) ** 2
    weight = 0.0 if explained is None else n
    believed = (weight * (explained or 0.0) + USUAL_PAIRS * USUAL) / (weight + USUAL_PAIRS)
    return Reliability(pairs=round(n), explained=explained, trust=round(believed / STEP) * STEP)
