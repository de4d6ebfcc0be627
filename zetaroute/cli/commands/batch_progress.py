"""The progress line of a batch: how far, how fast, how long still, what it cost and how good it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zetaroute.cli.printing import telling

if TYPE_CHECKING:
    from zetaroute.batch.progress import Progress

_MODELS_SHOWN = 4


class ProgressLine:
    """Puts what a batch has done into words, and guesses how long the rest takes."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._first: tuple[float, float] | None = None
        """When the first rows were answered, and which share of the input was read by then."""

    def line(self, progress: Progress) -> str:
        """Return the whole progress line."""
        done = progress.answered + progress.failed
        rate = done / progress.elapsed_s if progress.elapsed_s > 0 else 0.0
        left_s = self._left_s(progress)
        pieces = [counts(progress), f"{rate:.1f}/s", "" if left_s is None else f"{_clock(left_s)} left"]
        ranked = sorted(progress.share.items(), key=lambda item: -item[1])[:_MODELS_SHOWN]
        pieces.append(" ".join(f"{model} {100 * count / progress.answered:.0f}%" for model, count in ranked))
        return ", ".join(piece for piece in pieces if piece)

    def _left_s(self, progress: Progress) -> float | None:
        read = progress.share_read() or 0.0
        share = max(read, progress.rows / self._limit) if self._limit else read
        if self._first is None:
            self._first = (progress.elapsed_s, share)
        began_s, began = self._first
        if not began < share < 1:
            return None
        return (progress.elapsed_s - began_s) * (1 - share) / (share - began)


def counts(progress: Progress) -> str:
    """Return answers, failures, cost and accuracy so far, and the audits beside."""
    accuracy = "" if progress.accuracy is None else f", accuracy {100 * progress.accuracy:.1f}%"
    failed = f", {progress.failed} failed" if progress.failed else ""
    unpriced = f" and {progress.unpriced} of unknown price" if progress.unpriced else ""
    audits = f", {progress.audits} audits ${progress.audit_cost_usd:.4f}" if progress.audits else ""
    return f"{progress.answered} answered{failed}, ${progress.cost_usd:.4f}{unpriced}{accuracy}{audits}"


@contextmanager
def shown(limit: int | None, *, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Show the line on standard error while it is a terminal."""
    meter = ProgressLine(limit)
    with telling("starting", quiet=quiet) as tell:
        yield lambda progress: tell(meter.line(progress)) if tell else None


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
