"""What a batch has done so far."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from zetaroute.domain import is_cut
from zetaroute.router.answer import Answer
from zetaroute.wire.draft import REFUSAL


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
    cut: int = 0
    """Answers that a limit or a filter ended."""
    refused: int = 0
    """Answers in which the model declined."""
    unpriced: int = 0
    """Answers whose cost is unknown."""
    accuracy_sum: float = 0.0
    graded: int = 0
    ungraded: int = 0
    """Answers that a program or a judge could not grade."""
    judge_cost_usd: float = 0.0
    """As far as it is known."""
    share: dict[str, int] = field(default_factory=dict)
    share_read: Callable[[], float | None] = lambda: None
    """Which share of the input was read; None where that is not known."""
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

    def count(self, answer: Answer) -> None:
        """Take one finished query in."""
        outcome = answer.outcome
        if outcome.status == "ok":
            self.answered += 1
            self.share[outcome.model] = self.share.get(outcome.model, 0) + 1
            self.unpriced += answer.cost_usd is None
            self.cut += is_cut(outcome.finish_reason)
            self.refused += outcome.finish_reason == REFUSAL
        else:
            self.failed += 1
            self.failure = answer.failures
        self.cost_usd += sum(row.cost_usd or 0.0 for row in answer.entry.outcomes)
        self.ungraded += answer.note is not None
        self.judge_cost_usd += answer.judge_cost_usd or 0.0
        if answer.accuracy is not None:
            self.accuracy_sum += answer.accuracy
            self.graded += 1

    def summary(self) -> dict[str, object]:
        """Return the summary that `batch --json` prints."""
        return {
            "rows": self.rows,
            "answered": self.answered,
            "failed": self.failed,
            "cut": self.cut,
            "refused": self.refused,
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
