"""Waiting for what must come: for a state, not for a time, and long enough for a busy machine.

Apart from the rooms because each of them has tests of what another process or thread does meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 300.0
"""How long a test waits before it fails; one that passes never does."""
_TIMES_S = (0.3, 2.0, 10.0, 40.0)
T = TypeVar("T")


def until(true: Callable[[], object], *, within_s: float = PATIENCE_S, every_s: float = 0.02) -> None:
    """Wait until something is true; fail when it never is."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(every_s)


def in_ever_more_time(attempt: Callable[[float], T]) -> T:
    """Return what the first attempt that does not fail returns, each with a longer time limit in seconds.

    For what must both be cut by a limit and get something done before it: a busy machine needs more.
    """
    for limit_s in _TIMES_S[:-1]:
        try:
            return attempt(limit_s)
        except Exception:  # noqa: S112  - whatever was too slow fails in its own way; the last try counts
            continue
    return attempt(_TIMES_S[-1])
