"""Has a model changed? A residual test per arm, and what becomes of the rows from before the change.

No window and no forgetting: without a change every row counts in full, which is worth several points of accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zetaroute.arrays import Array, Index
from zetaroute.learn.samples import Sample
from zetaroute.policy.heads import LinearHead

WINDOWS = (20, 50, 100, 200)
"""Numbers of an arm's latest graded rows that are held against its older ones."""
FEWEST_BEFORE = 30
Z_ALARM = 4.0
"""|z| that four windows and a dozen arms together pass by chance in about one retrain of 350."""
ROWS_LEFT = 10.0
"""What all rows from before a change still count together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDrift:
    """One arm has changed."""

    arm: int
    since_s: float
    """Time of the first row after the change, seconds since the epoch."""
    z: float
    """Below 0 when the arm got worse."""


def find_drifts(x: Array, rows: Sample, head: LinearHead | None) -> tuple[ModelDrift, ...]:
    """Return the arms whose latest residuals differ from their older ones by more than chance.

    `x` (n, D) are the rows' vectors and `head` the accuracy head fitted on them; rows are in order of time.
    """
    if head is None:
        return ()
    known = ~np.isnan(rows.accuracy)
    residual = np.full(len(rows.arm), np.nan)
    residual[known] = rows.accuracy[known] - head.mean(x[known])[np.arange(known.sum()), rows.arm[known]]
    found = []
    for arm in range(len(head.coef)):
        mine = np.flatnonzero(known & (rows.arm == arm))
        worst = max(
            ((_z(residual[mine], window), window) for window in WINDOWS),
            key=lambda pair: abs(pair[0]),
        )
        if abs(worst[0]) > Z_ALARM:
            since = float(rows.time_s[mine[-worst[1]]])
            found.append(ModelDrift(arm=arm, since_s=since, z=worst[0]))
    return tuple(found)


def weights_after(rows: Sample, drifts: Sequence[ModelDrift], arm_rows: Index) -> Array:
    """Return the rows' weights (n,): what a changed arm did before its change counts ROWS_LEFT rows in all.

    `arm_rows` (K,) counts all rows of every arm, of which these may be the latest.
    """
    weight = rows.weight.copy()
    for drift in drifts:
        mine, old = rows.arm == drift.arm, rows.time_s < drift.since_s
        before = int(arm_rows[drift.arm]) - int((mine & ~old).sum())
        if before > 0:
            weight[mine & old] = min(1.0, ROWS_LEFT / before)
    return weight


def _z(residual: Array, window: int) -> float:
    """Return the two-sample z of the last `window` residuals against the ones before; 0 with too few rows."""
    before, after = residual[:-window], residual[-window:]
    if len(before) < FEWEST_BEFORE or len(after) < window:
        return 0.0
    spread = before.var(ddof=1) / len(before) + max(after.var(ddof=1), before.var(ddof=1)) / len(after)
    return float((after.mean() - before.mean()) / np.sqrt(max(spread, 1e-9)))
