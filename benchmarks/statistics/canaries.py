"""How a canary errs and how soon it sees, where the truth is known: one section of docs/simulations.md.

Two policies that differ on two queries in five; answers are right with a chance that varies from query to query;
the outcome model knows that chance only roughly. Judged after every row, as the product does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics.sizes import Size, each, error_of, row, share_of
from zetaroute.evaluate.eprocess import ALPHA, Evidence, Trials, judge, left_after, promotion_level
from zetaroute.projections.canary import GRADED_PER_SHARE, SHARES

RATE, ARMS, DIFFER = 0.05, 4, 0.4
MARGIN = 0.02
MOST_ROWS = 10_000
IN_A_ROW = 20
"""Canaries one after the other, each ended after a part of the rows when the next candidate comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A candidate that gains so much in accuracy, tried on such shares of the queries."""

    name: str
    gain: float
    share: float | None
    """None: as the product raises it."""


CASES = (
    Case(name="equal", gain=0.0, share=None),
    Case(name="equal, half of the queries at once", gain=0.0, share=0.5),
    Case(name="one point worse", gain=-0.01, share=None),
    Case(name="two points better", gain=0.02, share=None),
    Case(name="five points better", gain=0.05, share=None),
    Case(name="five points better, half of the queries at once", gain=0.05, share=0.5),
    Case(name="five points worse", gain=-0.05, share=None),
    Case(name="ten points worse", gain=-0.1, share=None),
    Case(name="ten points worse, a tenth of the queries", gain=-0.1, share=0.1),
)


def canaries(size: Size, jobs: int) -> list[str]:
    """Return the lines of Markdown that say how often canaries err, and after how many rows they end."""
    lines = [
        "## Canaries",
        "",
        f"Judged after every graded row, at most {MOST_ROWS:,}; {size.canaries} canaries per line. A share that is",
        f"not named rises from {SHARES[0]:.0%} over {SHARES[1]:.0%} to {SHARES[2]:.0%}, each after",
        f"{GRADED_PER_SHARE} rows. Rows are the median of all graded queries until the end, 'exposed' those of them",
        "that the candidate was given.",
        "Promised: an equal candidate is promoted or rolled back at most 5% of the time.",
        "",
        *row("candidate", "promoted", "rolled back", "± at most", "rows", "exposed"),
        *row(*["---"] * 6),
    ]
    for case in CASES:
        ends = each([partial(_end, case, seed) for seed in range(size.canaries)], jobs)
        promoted = share_of(sum(finding.end == "promoted" for finding in ends), len(ends))
        rolled = share_of(sum(finding.end == "rolled_back" for finding in ends), len(ends))
        rows = float(np.median([finding.at_row or MOST_ROWS for finding in ends]))
        lines += row(
            case.name,
            f"{promoted:.3f}",
            f"{rolled:.3f}",
            f"{max(error_of(promoted, len(ends)), error_of(rolled, len(ends))):.3f}",
            f"{rows:.0f}" if rows < MOST_ROWS else f"over {MOST_ROWS}",
            f"{_shares(case, round(rows)).sum():.0f}",
        )
    ever = each([partial(_any_promoted, seed) for seed in range(size.canaries)], jobs)
    share = share_of(sum(ever), len(ever))
    return [
        *lines,
        "",
        f"{IN_A_ROW} canaries of equal candidates in a row, each ended after {MOST_ROWS // IN_A_ROW} rows for the",
        f"next: {share:.3f} ± {error_of(share, len(ever)):.3f} of such series ever promoted one. Promised: at most",
        f"{ALPHA:g}.",
        "",
    ]


def _end(case: Case, seed: int) -> Evidence:
    found = made(np.random.default_rng([3, seed]), _shares(case, MOST_ROWS), case.gain)
    return judge(found, found, promote_at=promotion_level(ALPHA), margin=MARGIN)


def _any_promoted(seed: int) -> bool:
    left, rows = ALPHA, MOST_ROWS // IN_A_ROW
    for number in range(IN_A_ROW):
        rng = np.random.default_rng([4, seed, number])
        found = made(rng, np.full(rows, SHARES[-1]), 0.0)
        # A margin that always holds: the levels must suffice by themselves.
        finding = judge(found, found, promote_at=promotion_level(left), margin=0.5)
        if finding.end == "promoted":
            return True
        left = left_after(left, promoted=False, evidence=finding.gain)
    return False


def _shares(case: Case, rows: int) -> NDArray[np.float64]:
    if case.share is not None:
        return np.full(rows, case.share)
    step = np.minimum(np.arange(rows) // GRADED_PER_SHARE, len(SHARES) - 1)
    return np.asarray(SHARES)[step]


def made(rng: np.random.Generator, share: NDArray[np.float64], gain: float) -> Trials:
    """Return rows of a canary with these shares (n,), whose candidate gains `gain` over all queries."""
    rows = len(share)
    apart = rng.random(rows) < DIFFER
    p_before, p_after = ((1 - part) * (1 - RATE) + RATE / ARMS for part in (share, 1 - share))
    place = rng.random(rows)
    before, after = place < p_before, (place >= p_before) & (place < p_before + p_after)
    right = np.clip(rng.normal(0.6, 0.2, rows), 0.15, 0.7)
    chance = right + np.where(after & apart, gain / DIFFER, 0.0)
    guessed = np.clip(right + rng.normal(0.0, 0.1, rows), 0.0, 1.0)
    return Trials(
        reward=(rng.random(rows) < chance).astype(float),
        before=guessed,
        after=np.clip(guessed + 0.05, 0.0, 1.0),
        took_before=np.where(before, 1 / p_before, 0.0),
        took_after=np.where(after, 1 / p_after, 0.0),
        differ=apart,
        least=np.minimum(share, 1 - share) * (1 - RATE),
    )
