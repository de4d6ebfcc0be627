"""How much sooner the heads know a new effort of a model that has rows at another one."""

from __future__ import annotations

import numpy as np

from benchmarks.statistics.sizes import Size
from zetaroute.features.text_map import CONSTANT
from zetaroute.learn.incremental.sufficient_statistics import gather
from zetaroute.learn.ridge import solve

FEATURES = 20
APART = 0.18
"""Standard deviation of what sets one model's coefficients apart from another's."""
WORLDS = 60


def efforts(size: Size, jobs: int) -> list[str]:
    """Return the section of the page."""
    lines = [
        "## One model at several efforts",
        "",
        "Two models with 600 and 300 rows, a third with 600, and the third at a new effort with few. How far the",
        f"accuracy expected of the new effort is from the truth (root mean square, {WORLDS} worlds each), learned",
        "alone and as a relative (`of`), by how much efforts differ: in parts of what models differ by.",
        "",
        "| efforts differ | rows | alone | as a relative |",
        "|---|---|---|---|",
    ]
    for ratio in (0.0, 0.25, 0.5, 1.0, 2.0):
        for rows in (10, 30, 100, 300):
            rng = np.random.default_rng(1)
            errors = np.array([_errors(rng, ratio, rows) for _ in range(min(WORLDS, size.loops))])
            alone, relative = np.sqrt(errors.mean(axis=0))
            lines.append(f"| {ratio:g} | {rows} | {alone:.3f} | {relative:.3f} |")
    return [*lines, ""]


def _errors(rng: np.random.Generator, ratio: float, rows: int) -> list[float]:
    arm = np.repeat([0, 1, 2, 3], [600, 300, 600, rows])
    x = np.hstack([0.3 * rng.normal(size=(len(arm), FEATURES - 1)), np.full((len(arm), 1), CONSTANT)])
    coef = APART * rng.normal(size=(4, FEATURES))
    coef[3] = coef[2] + ratio * coef[3]
    chance = np.clip(0.6 + x @ coef.T, 0.02, 0.98)
    right = (rng.random(len(arm)) < chance[np.arange(len(arm)), arm]).astype(float)
    sums = gather(x, right[:, None], arm, 4)
    heads = (solve(sums, families)[0] for families in ((), [np.array([2, 3])]))
    return [float(np.mean((head.mean(x)[:, 3] - chance[:, 3]) ** 2)) for head in heads if head is not None]
