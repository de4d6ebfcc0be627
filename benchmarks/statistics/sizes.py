"""What every simulation shares: its size, its workers and its lines of Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from joblib import Parallel, delayed

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is simulated."""

    rows: Sequence[int]
    floors: Sequence[float]
    arms: Sequence[int]
    coverage: int
    """Replications of a cell."""
    journeys: int
    """Logs with all their looks, per scenario."""
    step: int
    """Rows by which the holdout grows between two of the looks."""
    plans: int
    """Pilots per line."""
    canaries: int
    """Canaries per line."""
    ratings: int
    """Replications per regime of rating."""
    tables: int
    """Replications per setting of the table of before and after."""
    promotions: int
    """Runs per true gain until a promotion."""
    loops: int
    """Contests per line."""
    contested: Sequence[int]
    """Rows of its settings."""
    tried: Sequence[tuple[float, int]]
    """Floors and numbers of models of the looks."""
    planned: Sequence[tuple[float, int]]
    """Likewise of the pilots."""


FULL = Size(
    rows=(300, 1000, 3000, 10_000),
    floors=(0.005, 0.02, 0.05),
    arms=(3, 7, 12),
    coverage=400,
    journeys=150,
    step=60,
    plans=150,
    canaries=1000,
    ratings=400,
    tables=1000,
    promotions=1000,
    loops=500,
    contested=(100, 300, 1000, 3000),
    tried=((0.05, 3), (0.02, 7), (0.005, 12)),
    planned=((0.02, 3), (0.05, 3), (0.02, 7), (0.05, 7)),
)
QUICK = Size(
    rows=(1000,),
    floors=(0.05,),
    arms=(3,),
    coverage=40,
    journeys=2,
    step=20,
    plans=4,
    canaries=6,
    ratings=2,
    tables=2,
    promotions=4,
    loops=3,
    contested=(300,),
    tried=((0.05, 3),),
    planned=((0.05, 3),),
)


def each(tasks: Sequence[Callable[[], Result]], jobs: int) -> list[Result]:
    return list(Parallel(n_jobs=jobs)(delayed(task)() for task in tasks))


def share_of(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def error_of(share: float, n: int) -> float:
    return math.sqrt(share * (1.0 - share) / n) if n else math.nan


def row(*cells: str) -> list[str]:
    return ["| " + " | ".join(cells) + " |"]
