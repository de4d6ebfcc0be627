"""What somebody says of an answer that they name: one thing, whether it comes as a line of a file or over HTTP."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import cast, get_args

from zetaroute.domain import Feedback, FeedbackSource
from zetaroute.errors import UsageError

_LIMITS = {"accuracy": (0.0, 1.0), "rating": (1.0, 5.0)}
_METRICS = ("accuracy", "rating", "thumbs", "verdict", "comment", "demonstration")
_NEARLY = 0.85
_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One judgement; what it is about is named, but not yet looked up."""

    metric: str
    value: float
    outcome_id: str | None
    custom_id: str | None
    source: FeedbackSource
    author: str
    comment: str | None = None
    time: str | None = None
    """UTC, ISO 8601; None: the moment at which it comes."""
    cost_usd: float | None = None
    response_s: float | None = None
    key: str | None = None
    """The sender's own, so that the same thing sent again is known; None: what is said counts."""

    def feedback(self, own_id: str, outcome_id: str, *, now: str) -> Feedback:
        """Return it as a row of the log about this outcome."""
        return Feedback(
            id=own_id,
            outcome_id=outcome_id,
            metric=self.metric,
            value=self.value,
            source=self.source,
            author=self.author,
            time=self.time or now,
            comment=self.comment,
            cost_usd=self.cost_usd,
            response_s=self.response_s,
        )


@lru_cache(maxsize=1024)
def _meant(metric: str) -> str | None:
    """Return the known metric that a name is a slip of; None for a known one and for a name of its own."""
    # accuracy_2 and rating.tone are names of their own.
    if metric in _METRICS or not metric.strip().isalpha():
        return None
    return next(iter(get_close_matches(metric.strip().lower(), _METRICS, n=1, cutoff=_NEARLY)), None)


def checked_value(metric: str, number: float, given: object) -> float:
    """Return a value that its metric knows; raise UsageError, which shows what was given, for another.

    A name that is nearly one of the known metrics is refused too; any other is a metric of the user's own.
    """
    if near := _meant(metric):
        raise UsageError(
            f"has the metric {shown(metric)}: did you mean {near}? A metric of your own needs a name less like it"
        )
    if not math.isfinite(number):
        raise UsageError(f'has the "value" {shown(given)}, which is not a number')
    if metric == "thumbs" and number not in {0.0, 1.0}:
        raise UsageError(f"has thumbs {number:g}: they are 0 or 1")
    low, high = _LIMITS.get(metric, (-math.inf, math.inf))
    if not low <= number <= high:
        raise UsageError(f"has {metric} {number:g}: it is between {low:g} and {high:g}")
    return number


def source_named(name: str | None) -> FeedbackSource:
    """Return the source of this name, people where there is none; raise UsageError for an unknown one."""
    if name is not None and name not in get_args(FeedbackSource):
        raise UsageError(
            f'has the "source" {shown(name)}: it is one of {", ".join(get_args(FeedbackSource))}'
        )
    return cast("FeedbackSource", name or "user")


def shown(value: object) -> str:
    """Return a value of a line as a message quotes it."""
    words = json.dumps(value, default=str)
    return words if len(words) <= _SHOWN else words[: _SHOWN - 1] + "…"
