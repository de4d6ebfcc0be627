"""Bring feedback that others have given into the log: late, in any order, twice.

Thousands of lines become one journal segment, so that nothing acknowledged is lost and the disk is asked rarely. What
the log has already is passed over by content, and what cannot be used is written down and never stops the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from zetaroute.domain import Feedback
from zetaroute.flows.bad_lines import BadLines
from zetaroute.flows.intake import BadLine
from zetaroute.flows.labels import Label, read_labels
from zetaroute.flows.source import Source
from zetaroute.store.journal import Entry
from zetaroute.store.log import Log, rows_in

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

AT_ONCE = 25_000
"""Lines that are looked up and made safe together."""
_PER_ENTRY = 1_000
STDIN_ERRORS = "feedback.errors.jsonl"
_Content = tuple[str, str, float, str, str, str | None, str | None]


@dataclass(slots=True, kw_only=True)
class Imported:
    """What an import has done so far."""

    rows: int = 0
    added: int = 0
    known: int = 0
    """Lines that say what the log, or an earlier line, says already."""
    bad_lines: int = 0
    errors: Path
    """Where bad lines are told."""
    started_at: float = field(default_factory=time.perf_counter)

    def summary(self) -> dict[str, object]:
        """Return the summary that `feedback import --json` prints."""
        return {
            "rows": self.rows,
            "added": self.added,
            "known": self.known,
            "bad_lines": self.bad_lines,
            "errors": str(self.errors) if self.bad_lines else None,
            "elapsed_s": time.perf_counter() - self.started_at,
        }


def import_feedback(
    log: Log,
    name: str,
    *,
    now: datetime | None = None,
    on_progress: Callable[[Imported, float | None], None] | None = None,
) -> Imported:
    """Import a file of feedback (`-`: standard input) and return what was done.

    Lines without a time count from `now`, each a microsecond after the one before. Raises UsageError when the file
    cannot be read, StoreError when the log cannot take the rows; what was taken before is kept.
    """
    started = (now or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None)
    errors = Path(STDIN_ERRORS if name == "-" else f"{name}.errors.jsonl")
    done = Imported(errors=errors)
    with ExitStack() as held:
        source = held.enter_context(Source(name))
        told = held.enter_context(BadLines(errors))
        labels = read_labels(source)
        while part := list(islice(labels, AT_ONCE)):
            done.rows += len(part)
            new = _new(log, part, started, done, told)
            if new:
                log.append(
                    [
                        Entry(feedback=tuple(new[start : start + _PER_ENTRY]))
                        for start in range(0, len(new), _PER_ENTRY)
                    ]
                )
            done.added += len(new)
            done.bad_lines = told.count
            if on_progress is not None:
                on_progress(done, source.share_read())
    log.merge(patience_s=10.0)
    return done


def _new(
    log: Log, part: Sequence[Label | BadLine], started: datetime, done: Imported, told: BadLines
) -> list[Feedback]:
    """Return the feedback of these lines that the log does not have; count what it has, and tell the rest."""
    labels = [label for label in part if isinstance(label, Label)]
    with log.open() as connection:
        found = _outcomes(connection, labels)
        known_ids, known_contents = _known(connection, labels, found)
    new: list[Feedback] = []
    for label in part:
        if isinstance(label, BadLine):
            told.add(label)
            continue
        outcome_id = found[label.line]
        if isinstance(outcome_id, BadLine):
            told.add(outcome_id)
            continue
        row_id = label.id_for(outcome_id)
        if row_id in known_ids or _content(label, outcome_id) in known_contents:
            done.known += 1
            continue
        known_ids.add(row_id)
        new.append(_feedback(label, row_id, outcome_id, started))
    return new


def _feedback(label: Label, row_id: str, outcome_id: str, started: datetime) -> Feedback:
    moment = label.time or (started + timedelta(microseconds=label.line)).isoformat(timespec="microseconds")
    return Feedback(
        id=row_id,
        outcome_id=outcome_id,
        metric=label.metric,
        value=label.value,
        source=label.source,
        author=label.author,
        time=moment,
        comment=label.comment,
        cost_usd=label.cost_usd,
        response_s=label.response_s,
    )


def _content(label: Label, outcome_id: str) -> _Content:
    return (
        outcome_id,
        label.metric,
        label.value,
        label.source,
        label.author,
        label.time,
        label.comment,
    )


def _outcomes(connection: DuckDBPyConnection, labels: Sequence[Label]) -> dict[int, str | BadLine]:
    """Return by line the outcome that a label is about, or why there is none."""
    ids = rows_in(connection, "SELECT id FROM outcomes WHERE id IN", [one.outcome_id for one in labels])
    named = rows_in(
        connection,
        "SELECT custom_id, run, model, max(id) FROM outcomes WHERE status = 'ok' AND custom_id IN",
        [one.custom_id for one in labels if one.outcome_id is None],
        "GROUP BY custom_id, run, model",
    )
    there = {outcome_id for (outcome_id,) in ids}
    answers: dict[str, list[tuple[str | None, str, str]]] = {}
    for custom_id, run, model, outcome_id in named:
        answers.setdefault(custom_id, []).append((run, model, outcome_id))
    return {label.line: _outcome(label, there, answers) for label in labels}


def _outcome(
    label: Label, there: set[str], answers: Mapping[str, Sequence[tuple[str | None, str, str]]]
) -> str | BadLine:
    if label.outcome_id is not None:
        if label.outcome_id in there:
            return label.outcome_id
        return BadLine(line=label.line, error=f"no answer has the id {label.outcome_id!r}")
    meant = [
        outcome_id
        for run, model, outcome_id in answers.get(label.custom_id or "", ())
        if (label.run is None or run == label.run) and (label.model is None or model == label.model)
    ]
    if len(meant) == 1:
        return meant[0]
    what = f"the custom_id {label.custom_id!r}"
    if not meant:
        return BadLine(line=label.line, error=f"no answer has {what}")
    mend = 'add "run" or "model", or give "outcome_id"'
    return BadLine(line=label.line, error=f"{len(meant)} answers have {what}: {mend}")


def _known(
    connection: DuckDBPyConnection, labels: Sequence[Label], found: Mapping[int, str | BadLine]
) -> tuple[set[str], set[_Content]]:
    """Return what the log has of these labels: the ids they would get, and all that is said of their outcomes."""
    about = [(label, found[label.line]) for label in labels]
    good = [(label, outcome_id) for label, outcome_id in about if isinstance(outcome_id, str)]
    ids = rows_in(
        connection,
        "SELECT id FROM feedback WHERE id IN",
        [label.id_for(outcome_id) for label, outcome_id in good],
    )
    said = rows_in(
        connection,
        "SELECT outcome_id, metric, value, source, author, time, comment FROM feedback WHERE outcome_id IN",
        [outcome_id for label, outcome_id in good if label.time is not None],
    )
    contents = {
        (*front, moment.isoformat(timespec="microseconds"), comment) for *front, moment, comment in said
    }
    return {row_id for (row_id,) in ids}, contents
