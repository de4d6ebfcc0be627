"""JSON of people and programs, read as RFC 8259 and RFC 7493 have it: what others would read otherwise is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn


def strict_json(text: str, *, parse_float: Callable[[str], Any] = float) -> Any:
    """Return the value of JSON without NaN, Infinity, numbers beyond a float and keys that stand twice.

    `parse_float` makes the value of a number with a fraction or an exponent. Raises ValueError, which says what is
    wrong, also for what is nested too deeply.
    """

    def number(digits: str) -> Any:
        if not math.isfinite(float(digits)):
            raise ValueError(f"the number {digits[:40]} is too large")
        return parse_float(digits)

    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse, parse_float=number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {json.dumps(twice[:60])} stands twice in one object")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON value")
