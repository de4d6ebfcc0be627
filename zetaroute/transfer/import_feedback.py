"""Bring feedback that others have given into the log: late, in any order, twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from zetaroute.errors import UsageError
from zetaroute.files.line_source import BadLine, LineSource
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.log.named_outcomes import one_of, outcomes_named
from zetaroute.log.rows import rows_in
from zetaroute.log.views import GIVEN
from zetaroute.transfer.bulk import Delivery, deliver, errors_of
from zetaroute.transfer.feedback_rows import Content, Label, read_labels

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

AT_ONCE = 25_000
"""Lines that are looked up and made safe together."""


def import_feedback(
    log: Log,
    name: str,
    *,
    now: datetime | None = None,
    on_progress: Callable[[Delivery, float | None], None] | None = None,
) -> Delivery:
    """Import a file of feedback (`-`: standard input) and return what was done.

    Lines without a time count from `now`, each a microsecond after the one before. Raises UsageError when the file
    cannot be read, StoreError when the log cannot take the rows; what was taken before is kept.
    """
    started = (now or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None)
    done = Delivery(errors=errors_of(name, stdin="feedback"))
    with LineSource(name) as source:
        deliver(
            log,
            read_labels(source),
            done,
            at_once=AT_ONCE,
            take=lambda labels: _new(log, labels, started),
            on_progress=on_progress and (lambda: on_progress(done, source.share_read())),
        )
    return done


def _new(log: Log, labels: Sequence[Label], started: datetime) -> Iterator[Entry | BadLine | None]:
    """Yield for each label what is to be written, None where the log says it already, or why it is about nothing."""
    with log.open() as connection:
        found = _outcomes(connection, labels)
        known_ids, known_contents = _known(connection, labels, found)
    for label in labels:
        outcome_id = found[label.line]
        if isinstance(outcome_id, BadLine):
            yield outcome_id
            continue
        row_id = label.id_for(outcome_id)
        if row_id in known_ids or label.content(outcome_id) in known_contents:
            yield None
            continue
        known_ids.add(row_id)
        now = label.time or (started + timedelta(microseconds=label.line)).isoformat(timespec="microseconds")
        yield Entry(feedback=(label.feedback(row_id, outcome_id, now=now),))


def _outcomes(connection: DuckDBPyConnection, labels: Sequence[Label]) -> dict[int, str | BadLine]:
    """Return by line the outcome that a label is about, or why there is none."""
    ids = outcomes_named(connection, [one.outcome_id for one in labels if one.outcome_id])
    named = rows_in(
        connection,
        f"SELECT custom_id, run, model, max(id) FROM outcomes WHERE status = 'ok' AND {GIVEN} "
        "AND custom_id IN",
        [one.custom_id for one in labels if one.outcome_id is None],
        "GROUP BY custom_id, run, model",
    )
    answers: dict[str, list[tuple[str | None, str, str]]] = {}
    for custom_id, run, model, outcome_id in named:
        answers.setdefault(custom_id, []).append((run, model, outcome_id))
    return {label.line: _outcome(label, ids, answers) for label in labels}


def _outcome(
    label: Label,
    ids: Mapping[str, Sequence[str]],
    answers: Mapping[str, Sequence[tuple[str | None, str, str]]],
) -> str | BadLine:
    if label.outcome_id is not None:
        try:
            return one_of(ids.get(label.outcome_id, ()), label.outcome_id, what="answer")
        except UsageError as error:
            return BadLine(line=label.line, error=str(error))
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
    fix = 'add "run" or "model", or give "outcome_id"'
    return BadLine(line=label.line, error=f"{len(meant)} answers have {what}: {fix}")


def _known(
    connection: DuckDBPyConnection, labels: Sequence[Label], found: Mapping[int, str | BadLine]
) -> tuple[set[str], set[Content]]:
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
