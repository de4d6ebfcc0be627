"""Queries of a contest whose truth is known, as arrays: what both sides want, what was drawn, what was seen."""

from __future__ import annotations

import numpy as np

from zetaroute.arrays import Array
from zetaroute.evaluate.scoring import COLUMNS, Decided, Scored, scored
from zetaroute.policy.contest import least_probabilities

LOW, HIGH = np.array([-0.1, -0.1]), np.array([1.0, 1.0])
"""Bounds of the utilities of champion's and challenger's model, in answers."""
KEPT = 0.83
"""Share of the queries that exploring leaves to the two sides."""


def drawn(
    rng: np.random.Generator, rows: int, *, gain: float, share: float, audits: float, differ: float = 0.4
) -> tuple[Decided, Array]:
    """Return queries on `differ` of which the challenger wants another model, and its true gain on each (rows,).

    Its mean is `gain`. What is expected of the answers is wrong.
    """
    apart = rng.random(rows) < differ
    right = rng.uniform(0.3, 0.6, rows)
    better = np.clip(right + np.where(apart, gain / differ, 0.0), 0.0, 1.0)
    champion_right = (rng.random(rows) < right).astype(float)
    challenger_right = np.where(apart, rng.random(rows) < better, champion_right).astype(float)
    paired = rng.random(rows) < audits
    least = least_probabilities(np.full(rows, share), np.full(rows, KEPT))
    # Both sides explore: the other side's model too is drawn now and then.
    champion_p, challenger_p = (one + 0.05 for one in least)
    point = rng.random(rows)
    took_champion = point < champion_p
    took_challenger = ~took_champion & (point < champion_p + challenger_p)
    champion_asked, challenger_asked = paired | took_champion, paired | took_challenger
    champion_asked = np.where(apart, champion_asked, False)
    challenger_asked = np.where(apart, challenger_asked, False)
    cost = 0.05
    return Decided(
        paired=paired,
        share=np.full(rows, share),
        champion=np.zeros(rows, dtype=np.int64),
        challenger=apart.astype(np.int64),
        champion_p=champion_p,
        challenger_p=challenger_p,
        champion_least=least[0],
        challenger_least=least[1],
        champion_usd=np.clip(right + rng.normal(0.0, 0.2, rows), -0.1, 1.0),
        challenger_usd=np.clip(right + 0.1 + rng.normal(0.0, 0.2, rows), -0.1, 1.0),
        champion_accuracy=right,
        challenger_accuracy=np.clip(right + 0.1, 0.0, 1.0),
        champion_asked=champion_asked,
        challenger_asked=challenger_asked,
        champion_utility=np.where(champion_asked, champion_right - cost, np.nan),
        challenger_utility=np.where(challenger_asked, challenger_right - cost, np.nan),
        champion_right=np.where(champion_asked, champion_right, np.nan),
        challenger_right=np.where(challenger_asked, challenger_right, np.nan),
    ), challenger_right - champion_right


def nothing_yet() -> dict[str, Array]:
    """Return the lines of an epoch before the first."""
    return {name: np.zeros(0) for name in COLUMNS}


def lines_of(decided: Decided, **changes: object) -> Scored:
    """Score queries in answers, not in USD, with a margin of 2 points."""
    values = {
        "low": LOW,
        "high": HIGH,
        "anchor": 0,
        "answer_value_usd": 1.0,
        "margin": 0.02,
        "bets": True,
        "past": nothing_yet(),
        "promoted": False,
    }
    return scored(decided, **(values | changes))  # type: ignore[arg-type]


def columns_of(decided: Decided, made: Scored) -> dict[str, Array]:
    """Return lines as the log holds them."""
    return {
        name: np.zeros(len(decided.share))
        if name == "own"
        else getattr(decided if name in {"share", "paired"} else made, name).astype(float)
        for name in COLUMNS
    }
