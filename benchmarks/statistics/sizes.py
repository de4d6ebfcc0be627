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

    tables: int
    """Replications per setting of the table of before and after."""
    promotions: int
    """Runs per true gain until a promotion."""
    loops: int
    """Contests per line."""
    audited: Sequence[int]
    """Audited queries that chains are fitted on."""
    contested: Sequence[int]
    """Rows of the settings of the table."""


FULL = Size(
    tables=1000,
    promotions=1000,
    loops=500,
    audited=(60, 200, 600),
    contested=(100, 300, 1000, 3000),
)
QUICK = Size(
    tables=1,
    promotions=2,
    loops=1,
    audited=(60,),
    contested=(300,),
)


def each(tasks: Sequence[Callable[[], Result]], jobs: int) -> list[Result]:
    return list(Parallel(n_jobs=jobs)(delayed(task)() for task in tasks))


def share_of(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def error_of(share: float, n: int) -> float:
    return math.sqrt(share * (1.0 - share) / n) if n else math.nan


def row(*cells: str) -> list[str]:
    return ["| " + " | ".join(cells) + " |"]
