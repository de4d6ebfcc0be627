"""What a batch has done so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from zetaroute.domain import Outcome, Promotion, is_cut, is_same_model
from zetaroute.errors import UsageError
from zetaroute.files.line_source import BadLine
from zetaroute.log.journal import Entry
from zetaroute.router.answer import Answer
from zetaroute.router.records import reported_cost_usd
from zetaroute.wire.draft import REFUSAL


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedModel:
    """What the outages of one model took."""

    calls: int = 0
    """Calls that failed."""
    response_s: float = 0.0
    """Seconds that they were waited for, all together."""
    cost_usd: float = 0.0
    """What is known to have been paid for them."""

    def with_call(self, row: Outcome) -> DroppedModel:
        """Return the same with one more failed call."""
        return DroppedModel(
            calls=self.calls + 1,
            response_s=self.response_s + (row.response_s or 0.0),
            cost_usd=self.cost_usd + (row.cost_usd or 0.0),
        )


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
    first_bad: BadLine | None = None
    cost_usd: float = 0.0
    cut: int = 0
    """Answers that a limit or a filter ended."""
    refused: int = 0
    """Answers in which the model declined."""
    fallbacks: int = 0
    """Answers of another model, because the one that was decided for had failed."""
    dropped: dict[str, DroppedModel] = field(default_factory=dict)
    """Models whose server was away for some of the calls."""
    asked_for: Mapping[str, str] = field(default_factory=dict)
    """By model the name that its server is told."""
    other_models: dict[str, int] = field(default_factory=dict)
    """By model the answers that its server says are another one's."""
    promotions: Sequence[Promotion] = ()
    """What came to serve meanwhile, also where a version was taken back."""
    unpriced: int = 0
    """Answers whose cost is unknown."""
    accuracy_sum: float = 0.0
    graded: int = 0
    ungraded: int = 0
    """Answers that a program or a judge could not grade."""
    judge_cost_usd: float = 0.0
    """As far as it is known."""
    audits: int = 0
    """Answers of other models than the one that was asked for the user."""
    audit_cost_usd: float = 0.0
    """What they and their judges cost, as far as it is known; no part of the cost of the answers."""
    chains: int = 0
    """Answers that were looked at before they were given, other models being asked where that paid."""
    chain_asks: int = 0
    """Models that were asked for them, all together."""
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

    def check_usable(self, name: str) -> None:
        """Raise UsageError, with the first reason, where no line of the input `name` could be used."""
        if self.first_bad is not None and self.bad_lines == self.rows:
            raise UsageError(
                f"no line of {name} could be used: line {self.first_bad.line} {self.first_bad.error}."
            )

    def count(self, answer: Answer) -> None:
        """Take one finished query in."""
        outcome = answer.outcome
        if outcome.status == "ok":
            self.answered += 1
            self.share[outcome.model] = self.share.get(outcome.model, 0) + 1
            self.unpriced += answer.cost_usd is None
            self.cut += is_cut(outcome.finish_reason)
            self.fallbacks += answer.fell_back
            self.refused += outcome.finish_reason == REFUSAL
            asked_for, served = self.asked_for.get(outcome.model), outcome.served_model
            if asked_for and served and not is_same_model(asked_for, served):
                self.other_models[outcome.model] = self.other_models.get(outcome.model, 0) + 1
        else:
            self.failed += 1
            self.failure = answer.failures
        self.chains += bool(answer.chain)
        self.chain_asks += len(answer.chain)
        self.cost_usd += sum(row.cost_usd or 0.0 for row in answer.entry.outcomes)
        self._count_outages(answer.entry)
        self.ungraded += answer.note is not None
        self.judge_cost_usd += answer.judge_cost_usd or 0.0
        if answer.accuracy is not None:
            self.accuracy_sum += answer.accuracy
            self.graded += 1

    def count_audit(self, entry: Entry) -> None:
        """Take in what was asked of another model beside a finished query."""
        self._count_outages(entry)
        self.audits += sum(row.status != "cancelled" for row in entry.outcomes)
        self.audit_cost_usd += reported_cost_usd(entry.outcomes, entry.feedback)

    def _count_outages(self, entry: Entry) -> None:
        for row in entry.outcomes:
            if row.is_outage:
                self.dropped[row.model] = self.dropped.get(row.model, DroppedModel()).with_call(row)

    def summary(self) -> dict[str, object]:
        """Return the summary that `batch --json` prints."""
        return {
            "rows": self.rows,
            "answered": self.answered,
            "failed": self.failed,
            "cut": self.cut,
            "refused": self.refused,
            "fallbacks": self.fallbacks,
            "dropped_models": {model: asdict(lost) for model, lost in self.dropped.items()},
            "other_models": self.other_models,
            "promotions": [asdict(one) for one in self.promotions],
            "skipped": self.skipped,
            "bad_lines": self.bad_lines,
            "cost_usd": self.cost_usd,
            "unpriced": self.unpriced,
            "elapsed_s": self.elapsed_s,
            "accuracy": self.accuracy,
            "ungraded": self.ungraded,
            "judge_cost_usd": self.judge_cost_usd,
            "audits": self.audits,
            "audit_cost_usd": self.audit_cost_usd,
            "chains": self.chains,
            "chain_asks": self.chain_asks,
            "share": self.share,
            "stopped": self.stopped,
        }
