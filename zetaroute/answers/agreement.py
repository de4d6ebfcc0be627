"""How far two answers say the same."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from zetaroute.answers.final import Final
from zetaroute.answers.number import same_number
from zetaroute.answers.structure import WrittenCall
from zetaroute.answers.words import tokens


def agreement(one: Final, other: Final) -> float:
    """Return how far two final answers agree, from 0 (different) to 1 (the same).

    Calls and texts agree by the F1 of what they hold in common, and from EQUAL on count as the same answer;
    everything else agrees wholly or not at all.
    """
    if one.kind != other.kind or one.value == other.value:
        return float(one.kind == other.kind or {one.kind, other.kind} == {"empty", "declined"})
    if one.kind == "number":
        return float(same_number(one.value, other.value) or same_number(other.value, one.value))
    if one.kind == "calls":
        return _shared(_parts(one.value), _parts(other.value))
    if one.kind == "json":
        return float(_same(one.value, other.value))
    if one.kind == "text":
        return _shared(one.value, other.value)
    return 0.0


def _shared(one: Iterable[Any], other: Iterable[Any]) -> float:
    mine, theirs = Counter(one), Counter(other)
    total = mine.total() + theirs.total()
    return 2.0 * (mine & theirs).total() / total if total else 1.0


def _parts(calls: tuple[WrittenCall, ...]) -> list[Any]:
    """Return names and arguments, each argument as it is written and as it is meant.

    A name weighs as much as all that of its call, so calls that differ in spelling alone agree by three quarters.
    """
    parts: list[Any] = []
    for call in calls:
        name = re.sub(r"\W", "_", call.name).casefold()
        parts += [(name, None)] * max(1, 2 * len(call.arguments))
        for key, value in call.arguments:
            parts += [(name, key, "written", repr(value)), (name, key, "meant", _plain(value))]
    return parts


def _same(one: Any, other: Any) -> bool:
    """Return whether two values are equal by `_plain`; most differ early on."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(_plain(one) == _plain(other))


def _plain(value: Any) -> Any:
    """Return a value that can be compared: words folded, numbers that are written as words made numbers."""
    if isinstance(value, str):
        return _plain_text(value[:500])
    if isinstance(value, WrittenCall):
        return (value.name, _plain(value.arguments))
    if isinstance(value, tuple):
        return tuple(_plain(one) for one in value)
    return float(value) if isinstance(value, bool) else value


@lru_cache(maxsize=4096)
def _plain_text(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return " ".join(tokens(text))
