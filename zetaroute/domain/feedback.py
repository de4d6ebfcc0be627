"""What is said of an outcome, by whom and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FeedbackSource = Literal["truth", "judge", "user", "implicit"]

SIGNAL = "signal"
"""The metric of the score that an answer got from a check that is a signal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """One judgement of one outcome; the latest per (outcome, metric, author) wins."""

    id: str
    outcome_id: str
    metric: str
    """`accuracy` (0..1), `rating` (1..5), `thumbs` (0 or 1), `verdict`, or a name of the user's own."""
    value: float
    source: FeedbackSource
    author: str
    time: str
    comment: str | None = None
    cost_usd: float | None = None
    """What this judgement itself cost; never a part of the arm's cost."""
    response_s: float | None = None
    """Seconds that it took; None where no model was called for it."""
    label: str | None = None
    """The word of a verdict: several words may have one value."""
    prompted: bool = False
    """True when it answers a question that a random draw decided to ask, or corrects such an answer."""
