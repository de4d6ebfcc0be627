"""Feedback that comes later, from programs, many at a time, and maybe more than once.

Ids are made of what is said, so that a repetition adds nothing: of the key that the sender gives, or else of the
judgement and of the one that it comes after. So "4, 2, 4" is three judgements and "4, 4, 4" is one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zetaroute.domain import Feedback, Source
from zetaroute.errors import UsageError
from zetaroute.flows.round import utc_now
from zetaroute.store.log import Log

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_LIMITS = {"accuracy": (0.0, 1.0), "rating": (1.0, 5.0), "thumbs": (0.0, 1.0)}
_ANSWER = """
    SELECT id FROM outcomes
    WHERE status = 'ok' AND (id = $outcome OR fallback_of = $outcome OR custom_id = $custom)
    ORDER BY id DESC LIMIT 1
"""
"""The answer of the round: a fallback's, where the round is named by its first attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What somebody says of an answer, which they name by its id or by their own."""

    metric: str
    value: float
    outcome_id: str | None = None
    custom_id: str | None = None
    source: Source = "user"
    author: str = "api"
    comment: str | None = None
    key: str | None = None
    """The sender's own, so that the same thing sent again is known; None: what is said counts."""

    def check(self) -> None:
        """Raise UsageError for a value that its metric does not know."""
        if not math.isfinite(self.value):
            raise UsageError(f"the value of {self.metric} must be a finite number.")
        low, high = _LIMITS.get(self.metric, (-math.inf, math.inf))
        if not low <= self.value <= high:
            raise UsageError(f"the value of {self.metric} must be between {low:g} and {high:g}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A remark with its answer found."""

    feedback: Feedback
    known: bool
    """Whether the log has it already."""


def judged(log: Log, remarks: Sequence[Remark]) -> list[Judged | None]:
    """Return the feedback that each remark stands for; None where its answer is not in the log.

    One opening of the log serves all. Raises StoreBusyError when others keep it.
    """
    found: list[Judged | None] = []
    with log.open() as connection:
        new: dict[str, Feedback] = {}
        for remark in remarks:
            one = _judged(connection, remark, new)
            if one is not None:
                new[one.feedback.id] = one.feedback
            found.append(one)
    return found


def _judged(connection: DuckDBPyConnection, remark: Remark, new: dict[str, Feedback]) -> Judged | None:
    row = connection.execute(_ANSWER, {"outcome": remark.outcome_id, "custom": remark.custom_id}).fetchone()
    if row is None:
        return None
    feedback = Feedback(
        id="",
        outcome_id=row[0],
        metric=remark.metric,
        value=remark.value,
        source=remark.source,
        author=remark.author,
        time=utc_now(),
        comment=remark.comment,
    )
    if remark.key is not None:
        feedback = replace(feedback, id=_id("key", remark.key))
    else:
        last = _last(connection, feedback, new)
        if last is not None and (last[1], last[2]) == (feedback.value, feedback.comment):
            return Judged(feedback=replace(feedback, id=last[0]), known=True)
        said = (
            feedback.outcome_id,
            feedback.metric,
            feedback.author,
            repr(feedback.value),
            feedback.comment or "",
        )
        feedback = replace(feedback, id=_id("said", *said, last[0] if last else ""))
    known = connection.execute("SELECT 1 FROM feedback WHERE id = ?", [feedback.id]).fetchone()
    return Judged(feedback=feedback, known=known is not None or feedback.id in new)


def _last(
    connection: DuckDBPyConnection, feedback: Feedback, new: dict[str, Feedback]
) -> tuple[str, float, str | None] | None:
    """Return id, value and comment of what this author said last of the same, here or in the log."""
    same = (feedback.outcome_id, feedback.metric, feedback.author)
    here = [one for one in new.values() if (one.outcome_id, one.metric, one.author) == same]
    if here:
        return here[-1].id, here[-1].value, here[-1].comment
    row = connection.execute(
        "SELECT id, value, comment FROM latest_feedback WHERE outcome_id = ? AND metric = ? AND author = ?",
        list(same),
    ).fetchone()
    return None if row is None else (row[0], row[1], row[2])


def _id(*parts: str) -> str:
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"
