"""JSON from a server, read without trusting its shape.

It lives apart because a server may send anything: a wrong type here must become a missing value, never a
traceback.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

JsonObject = Mapping[str, Any]

_LABEL_LENGTH = 200


def parse(text: str | bytes) -> Any:
    """Return the parsed JSON; raises ValueError for whatever is not JSON, nested too deeply included."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


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
    """Return `value` when it is a whole number of zero or more, else None."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def printable(raw: str) -> str:
    """Return `raw` in one line, without control, format and surrogate characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in raw).split())
