"""JSON of others, read without trusting its shape: a wrong type is a missing value, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

JsonObject = Mapping[str, Any]

MOST_COUNTED = 2**53
"""Beyond it JSON's own numbers are no longer exact, and no server has counted that far."""
_LABEL_LENGTH = 200
_MOST_DIGITS = 300


def parse(text: str | bytes) -> Any:
    """Return the parsed JSON; raises ValueError for what is not JSON or is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError:
        raise
    except ValueError:
        # Python refuses to read whole numbers of thousands of digits; one of them must not cost an answer.
        return json.loads(text, parse_int=_bounded)


def mapping(value: object) -> JsonObject:
    """Return `value` when it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> Sequence[Any]:
    """Return `value` when it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else ()


def text(value: object) -> str:
    """Return `value` when it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def label(value: object) -> str | None:
    """Return a short printable name out of `value`, or None when it holds none."""
    return printable(text(value)[:_LABEL_LENGTH]) or None


def count(value: object) -> int | None:
    """Return `value` when it is a whole number from 0 to 2**53, else None."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_COUNTED:
        return None
    return value


def printable(raw: str) -> str:
    """Return `raw` in one line, without control, format and surrogate characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in raw).split())


def _bounded(digits: str) -> int | float:
    return int(digits) if len(digits) < _MOST_DIGITS else float("inf")
