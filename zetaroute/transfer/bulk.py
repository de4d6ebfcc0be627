"""Many lines of somebody else's on their way into the log: in portions, each once, whatever is wrong with others.

Shared by what imports feedback and what imports logs. Thousands of lines become one journal segment, so that nothing
acknowledged is lost and the disk is asked rarely.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar

from zetaroute.files.line_source import BadLine, BadLines
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log

_PER_ENTRY = 1_000

Line = TypeVar("Line")


@dataclass(slots=True, kw_only=True)
class Delivery:
    """What has come of a file so far."""

    errors: Path
    """Where bad lines are reported."""
    rows: int = 0
    added: int = 0
    known: int = 0
    """Lines that say what the log, or an earlier line, says already."""
    bad_lines: int = 0
    started_at: float = field(default_factory=time.perf_counter)

    def summary(self) -> dict[str, object]:
        """Return what the commands print as JSON."""
        return {
            "rows": self.rows,
            "added": self.added,
            "known": self.known,
            "bad_lines": self.bad_lines,
            "errors": str(self.errors) if self.bad_lines else None,
            "elapsed_s": time.perf_counter() - self.started_at,
        }


def errors_of(name: str, *, stdin: str) -> Path:
    """Return where the bad lines of an input are reported; `stdin` is the name of standard input."""
    return Path(f"{stdin if name == '-' else name}.errors.jsonl")


def deliver(
    log: Log,
    lines: Iterator[Line | BadLine],
    done: Delivery,
    *,
    at_once: int,
    take: Callable[[Sequence[Line]], Iterable[Entry | BadLine | None]],
    on_progress: Callable[[], None] | None = None,
) -> None:
    """Bring lines into the log and count them in `done`; the bad ones are reported and stop nothing.

    `take` gets the good lines of a portion, `at_once` at most, and gives one thing for each: what to write, None for
    what is known, or why it cannot be used. Raises StoreError when the log cannot take the rows; what was taken
    before is kept.
    """
    with BadLines(done.errors) as told:
        while part := list(islice(lines, at_once)):
            verdicts = iter(take([one for one in part if not isinstance(one, BadLine)]))
            entries: list[Entry] = []
            for one in part:
                verdict = one if isinstance(one, BadLine) else next(verdicts)
                if isinstance(verdict, BadLine):
                    told.add(verdict)
                elif verdict is not None:
                    entries.append(verdict)
            if entries:
                log.append(
                    [_joined(entries[at : at + _PER_ENTRY]) for at in range(0, len(entries), _PER_ENTRY)]
                )
            done.rows += len(part)
            done.added += len(entries)
            done.bad_lines = told.count
            done.known = done.rows - done.added - done.bad_lines
            if on_progress is not None:
                on_progress()
    log.merge(patience_s=10.0)


def _joined(entries: Sequence[Entry]) -> Entry:
    return Entry(
        outcomes=tuple(row for entry in entries for row in entry.outcomes),
        feedback=tuple(one for entry in entries for one in entry.feedback),
    )
