"""One answer that was given elsewhere, as every reader hands it on."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from zetaroute.domain import FeedbackSource, Query
from zetaroute.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRow:
    """A query, the model that answered it, and what is known of the answer."""

    line: int
    query: Query
    model: str
    """As the other log calls it."""
    response: str | None = None
    time: str | None = None
    """UTC, ISO 8601; None where it was not written down."""
    own_id: str | None = None
    """The id that our log would know the row by, where it came from there."""
    key: str | None = None
    """What the other log knows the row by; None where only its content tells it from others."""
    served_model: str | None = None
    finish_reason: str | None = None
    response_s: float | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    accuracy: float | None = None
    accuracy_source: FeedbackSource = "truth"
    rating: float | None = None

    def content(self) -> str:
        """Return a hash by which the same row is known when it comes again."""
        query = self.query
        told: tuple[object, ...] = ("past", self.model, self.key)
        if self.key is None:
            told += (query.text, query.system, query.custom_id, query.task, self.response, self.time)
            told += (self.accuracy, self.response_s)
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:24]


def text_in(row: Mapping[str, Any], *names: str) -> str | None:
    """Return the first of these fields that is there, as text; raises UsageError for a list or an object."""
    for name in names:
        value = row.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise UsageError(f'has a "{name}" that is not a text')
        # A lone surrogate has no UTF-8 form, and so could not be found again in the log.
        return str(value).encode("utf-8", "replace").decode("utf-8")
    return None


def number_in(row: Mapping[str, Any], *names: str, most: float = math.inf) -> float | None:
    """Return the first of these fields that is there; raises UsageError where it is no number from 0 to `most`."""
    for name in names:
        value = row.get(name)
        if value is None:
            continue
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not (math.isfinite(number) and 0 <= number <= most):
            upto = "" if math.isinf(most) else f" up to {most:g}"
            raise UsageError(f'has a "{name}" that is no number from 0{upto}')
        return number
    return None


def count_in(row: Mapping[str, Any], name: str) -> int | None:
    """Return a count of tokens; raises UsageError where it is none."""
    number = number_in(row, name, most=2**53)
    return None if number is None else int(number)


def moment_in(row: Mapping[str, Any], *names: str) -> str | None:
    """Return the first of these moments in UTC: ISO 8601 or seconds since 1970; raises UsageError for others."""
    for name in names:
        value = row.get(name)
        if value is None or value == "":
            continue
        try:
            if isinstance(value, int | float) and not isinstance(value, bool):
                when = datetime.fromtimestamp(value, UTC)
            else:
                when = datetime.fromisoformat(str(value))
            when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
            if when.timestamp() < 0:
                raise ValueError("before 1970")
        except (ValueError, OverflowError, OSError):
            raise UsageError(f'has a "{name}" that is no moment since 1970') from None
        return when.replace(tzinfo=None).isoformat(timespec="microseconds")
    return None
