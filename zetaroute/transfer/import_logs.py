"""Take the rows of another log into ours: no propensity, no policy version, each row once.

Ids are made of the moment and the content, so that rows stand in the
log where they belong in time, and a file that is imported again adds nothing.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from zetaroute.batch.input import Row, open_rows
from zetaroute.config import Settings
from zetaroute.domain import Feedback, FeedbackSource, Outcome, Query
from zetaroute.domain.ids import id_number
from zetaroute.errors import UsageError, ZetarouteError
from zetaroute.extensions import extension_names, load_extension
from zetaroute.files.atomic import os_errors
from zetaroute.files.line_source import BadLine
from zetaroute.grading.graders import Graders
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.log.pseudonyms import Seal, seal_of
from zetaroute.log.rows import rows_in
from zetaroute.router.prepare import tagged
from zetaroute.transfer.bulk import Delivery, deliver, errors_of
from zetaroute.transfer.imported_row import ImportedRow
from zetaroute.transfer.jsonl import read_json_lines
from zetaroute.transfer.llm_sqlite import MARK, read_llm_cli
from zetaroute.wire.thinking import split_thinking

AT_ONCE = 10_000
"""Rows that are looked up and made safe together."""
AUTHOR = "import"
Importer = Callable[[str, Mapping[str, Query]], Iterator[ImportedRow | BadLine]]
"""From the name of a file and what was asked, by custom_id, to its rows; a row of no use is a BadLine."""
IMPORTERS: Mapping[str, Importer] = {"llm": read_llm_cli, "jsonl": read_json_lines}


@dataclass(slots=True, kw_only=True)
class ImportSummary(Delivery):
    """What an import of a log has done so far."""

    run: str
    graded: int = 0
    """Added rows whose accuracy came with them."""
    models: Counter[str] = field(default_factory=Counter)
    """Added rows by model."""
    unconfigured: dict[str, int] = field(default_factory=dict)
    """Of these the models that the config does not have."""

    def summary(self) -> dict[str, object]:
        """Return the summary that `log import --json` prints."""
        return {
            "run": self.run,
            **Delivery.summary(self),
            "graded": self.graded,
            "models": dict(self.models),
            "not_configured": self.unconfigured,
            "with_propensity": 0,
        }


def import_log(
    log: Log,
    settings: Settings,
    name: str,
    *,
    form: str | None = None,
    asked: Path | None = None,
    run: str | None = None,
    renamed: Mapping[str, str] | None = None,
    now: datetime | None = None,
    on_progress: Callable[[ImportSummary], None] | None = None,
) -> ImportSummary:
    """Import a log of another program (`-`: JSON lines from standard input) and return what was done.

    `form` is one of IMPORTERS or of an installed package; None: what the first bytes tell. `asked` is the file that
    a batch read, with the queries by custom_id; `renamed` says which configured model is meant by a name of the
    other log. Rows without a moment count from `now`. Raises UsageError when a file cannot be read, ConfigError for
    a model that is not configured, StoreError when the log cannot take the rows; what was taken before is kept.
    """
    started = (now or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None)
    renamed = {name: settings.arm(model).id for name, model in (renamed or {}).items()}
    done = ImportSummary(
        run=run or f"import-{'stdin' if name == '-' else Path(name).name}",
        # Not beside the log of another program, whose folder is not ours.
        errors=Path.cwd() / errors_of(Path(name).name, stdin="log"),
    )
    models = _Models(settings, renamed)
    deliver(
        log,
        _rows(name, _queries(asked, settings), form),
        done,
        at_once=AT_ONCE,
        take=lambda rows: _new(log, settings, rows, done, models, started),
        on_progress=on_progress and (lambda: on_progress(done)),
    )
    done.unconfigured = {model: rows for model, rows in done.models.items() if model not in models.configured}
    return done


class _Models:
    """Which configured model a name of the other log means."""

    def __init__(self, settings: Settings, renamed: Mapping[str, str]) -> None:
        self.configured = {arm.id for arm in settings.arms}
        plain = [arm for arm in settings.arms if arm.of is None]
        served = Counter(arm.model for arm in plain)
        unique = {arm.model: arm.id for arm in plain if served[arm.model] == 1}
        self._meant = {**unique, **settings.names, **renamed}

    def meant(self, name: str) -> str:
        """Return the configured model of this id, or alone served under this name; else the name as it is."""
        return self._meant.get(name, name)


def _queries(asked: Path | None, settings: Settings) -> dict[str, Query]:
    if asked is None:
        return {}
    with open_rows(str(asked), graders=Graders(settings)) as opened:
        rows = [row.query for row in opened.rows if isinstance(row, Row)]
    return {query.custom_id: query for query in rows if query.custom_id is not None}


def _rows(name: str, asked: Mapping[str, Query], form: str | None) -> Iterator[ImportedRow | BadLine]:
    """Return the rows of a file in a named form, or in the one that its first bytes tell."""
    if form is None:
        form = "llm" if name != "-" and _first_bytes(name) == MARK else "jsonl"
    if form in IMPORTERS:
        return IMPORTERS[form](name, asked)
    read = load_extension("importers", form, is_usable=callable)
    if read is None:
        known = ", ".join((*IMPORTERS, *extension_names("importers")))
        raise UsageError(f"there is no format {form!r} of a log: choose {known}.")
    return _of_a_package(form, read, name, asked)


def _first_bytes(name: str) -> bytes:
    with os_errors(f"cannot read {name}", "name another file.", UsageError), open(name, "rb") as file:
        return file.read(len(MARK))


def _of_a_package(
    form: str, read: Importer, name: str, asked: Mapping[str, Query]
) -> Iterator[ImportedRow | BadLine]:
    try:
        yield from read(name, asked)
    except ZetarouteError:
        raise
    except Exception as error:
        raise UsageError(
            f"the importer {form} broke on {name} ({type(error).__name__}: {error}): fix its package."
        ) from error


def _new(
    log: Log,
    settings: Settings,
    part: Sequence[ImportedRow],
    done: ImportSummary,
    models: _Models,
    started: datetime,
) -> Iterator[Entry | None]:
    """Yield for each row what is to be written, or None where the log has it."""
    seal = seal_of(log.home, settings.privacy)
    fresh = [(row, _outcome(row, seal, settings, models, done.run, started)) for row in part]
    known = _known(log, seal, fresh)
    for row, outcome in fresh:
        content = seal(outcome.content_hash or "")
        if known & {content, outcome.id, row.own_id}:
            yield None
            continue
        known.add(content)
        done.models[outcome.model] += 1
        done.graded += row.accuracy is not None
        yield Entry(outcomes=(outcome,), feedback=tuple(_said(row, outcome)))


def _known(log: Log, seal: Seal, fresh: Sequence[tuple[ImportedRow, Outcome]]) -> set[str | None]:
    """Return the ids and content hashes of these rows that the log has."""
    ids = [one for row, outcome in fresh for one in (outcome.id, row.own_id)]
    contents = [seal(outcome.content_hash or "") for _, outcome in fresh]
    with log.open() as connection:
        found = rows_in(connection, "SELECT id FROM outcomes WHERE id IN", ids)
        found += rows_in(connection, "SELECT content_hash FROM outcomes WHERE content_hash IN", contents)
    return {one for (one,) in found}


def _outcome(
    row: ImportedRow, seal: Seal, settings: Settings, models: _Models, run: str, started: datetime
) -> Outcome:
    when = row.time or (started + timedelta(microseconds=row.line)).isoformat(timespec="microseconds")
    query, content = tagged(row.query, settings.privacy), row.content()
    thinking, answer = split_thinking(row.response or "")
    return Outcome(
        id=_id(when, seal(content)),
        time=when,
        query=query.text,
        model=models.meant(row.model),
        status="ok",
        run=run,
        custom_id=query.custom_id,
        content_hash=content,
        conversation=query.conversation,
        system=query.system,
        task=query.task,
        reference=query.reference,
        grader=query.grader,
        served_model=row.served_model,
        recorded=True,
        role="import",
        finish_reason=row.finish_reason,
        response_s=row.response_s,
        input_tokens=row.input_tokens,
        cached_tokens=row.cached_tokens,
        output_tokens=row.output_tokens,
        cache_write_tokens=row.cache_write_tokens,
        reasoning_tokens=row.reasoning_tokens,
        cost_usd=row.cost_usd,
        response=row.response and answer,
        thinking=thinking or None,
        tags=query.tags,
    )


def _id(when: str, content: str) -> str:
    """Return an id that sorts by the moment like those of our own rows, its rest made of the content."""
    digest = hashlib.sha256(content.encode()).digest()
    moment_s = datetime.fromisoformat(when).replace(tzinfo=UTC).timestamp()
    return str(uuid.UUID(int=id_number(moment_s, int.from_bytes(digest[:10], "big"))))


def _said(row: ImportedRow, outcome: Outcome) -> Iterator[Feedback]:
    """Yield what came with the row about its answer."""
    said: tuple[tuple[str, float | None, FeedbackSource], ...] = (
        ("accuracy", row.accuracy, row.accuracy_source),
        ("rating", row.rating, "user"),
    )
    for metric, value, source in said:
        if value is not None:
            yield Feedback(
                id=str(uuid.uuid5(uuid.UUID(outcome.id), metric)),
                outcome_id=outcome.id,
                metric=metric,
                value=value,
                source=source,
                author=AUTHOR,
                time=outcome.time,
            )
