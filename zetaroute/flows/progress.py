"""What a batch has done so far: the figures of its progress line and of its summary.

Apart from the batch because its writer counts and the command line shows.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from zetaroute.flows.round import Round


@dataclass(slots=True, kw_only=True)
class Progress:
    """Counts of rows, money and right answers."""

    rows: int = 0
    answered: int = 0
    failed: int = 0
    failure: str | None = None
    """Why the latest row that failed did."""
    skipped: int = 0
    bad_lines: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    """Answers whose cost is unknown."""
    accuracy_sum: float = 0.0
    graded: int = 0
    ungraded: int = 0
    """Answers that a program or a judge could not grade."""
    judge_cost_usd: float = 0.0
    """As far as it is known."""
    share: dict[str, int] = field(default_factory=dict)
    started_at: float = field(default_factory=time.perf_counter)
    stopped: str | None = None
    """Why the batch ended early, if it did."""
    interrupted: bool = False
    """Whether a person ended it."""

    @property
    def accuracy(self) -> float | None:
        """Mean accuracy of the graded rows so far."""
        return self.accuracy_sum / self.graded if self.graded else None

    @property
    def elapsed_s(self) -> float:
        """Seconds since the batch began."""
        return time.perf_counter() - self.started_at

    def count(self, played: Round) -> None:
        """Take one finished round in."""
        outcome = played.outcome
        if outcome.status == "ok":
            self.answered += 1
            self.share[outcome.model] = self.share.get(outcome.model, 0) + 1
            self.unpriced += played.cost_usd is None
        else:
            self.failed += 1
            self.failure = played.failures
        self.cost_usd += sum(row.cost_usd or 0.0 for row in played.entry.outcomes)
        self.ungraded += played.note is not None
        self.judge_cost_usd += played.judge_cost_usd or 0.0
        if played.accuracy is not None:
            self.accuracy_sum += played.accuracy
            self.graded += 1

    def summary(self) -> dict[str, object]:
        """Return the summary that `batch --json` prints."""
        return {
            "rows": self.rows,
            "answered": self.answered,
            "failed": self.failed,
            "skipped": self.skipped,
            "bad_lines": self.bad_lines,
            "cost_usd": self.cost_usd,
            "unpriced": self.unpriced,
            "elapsed_s": self.elapsed_s,
            "accuracy": self.accuracy,
            "ungraded": self.ungraded,
            "judge_cost_usd": self.judge_cost_usd,
            "share": self.share,
            "stopped": self.stopped,
        }
