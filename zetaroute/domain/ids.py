"""Ids and moments as the log stores them."""

from __future__ import annotations

import os
import random
import time
import uuid
from datetime import UTC, datetime

_RANDOM = random.Random()
"""Seeded by the system, and once more in a forked process; asking the system for every id takes longer."""
_LATEST = [0]
"""The last id of this process as a number."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_RANDOM.seed)


def new_id(now_s: float | None = None) -> str:
    """Return a time-ordered UUID (version 7, RFC 9562): ids sort by the moment they were made.

    Those that a process makes one after the other within a millisecond sort in that order too.
    """
    value = id_number(time.time() if now_s is None else now_s, _RANDOM.getrandbits(80))
    latest = _LATEST[0]
    if value <= latest and value >> 80 == latest >> 80:
        # By a step that no other thread or process takes.
        value = latest + 1 + _RANDOM.getrandbits(40)
    _LATEST[0] = value
    return str(uuid.UUID(int=value))


def id_number(moment_s: float, rest: int) -> int:
    """Return the number of an id of a moment; its other bits are those of `rest` (80 bits)."""
    value = (int(moment_s * 1000) & (1 << 48) - 1) << 80 | rest
    value = value & ~(0xF << 76) | 0x7 << 76
    return value & ~(0x3 << 62) | 0x2 << 62


def utc_now() -> str:
    """Return this moment in UTC as the log stores it."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
