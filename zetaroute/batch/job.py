"""One file to answer: what a run of `batch` opens, resumes, asks and leaves behind."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from zetaroute.batch.answers_file import Output, check_target, resume
from zetaroute.batch.input import Part, Row, open_rows
from zetaroute.batch.progress import Progress
from zetaroute.batch.run import BatchPlan, run_batch
from zetaroute.batch.seen_rows import SeenRows
from zetaroute.config import Home, Settings
from zetaroute.domain import Query, utc_now
from zetaroute.errors import StoreBusyError, StoreError, UsageError
from zetaroute.files.line_source import BadLine
from zetaroute.files.lock import exclusive_lock
from zetaroute.grading.graders import Graders
from zetaroute.log.contest_events import promotions_since
from zetaroute.log.log import Log
from zetaroute.log.noted_exports import note_export
from zetaroute.log.pseudonyms import seal_of
from zetaroute.router.answer import Answer, Format
from zetaroute.router.router import open_router

Interruptible = Callable[[asyncio.Event], AbstractContextManager[object]]
"""Entered in the event loop of a run: what is to end it sets the event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJob:
    """A file of queries, where its answers go, and how they are asked for."""

    source: str
    """`-` for standard input."""
    target: Path
    plan: BatchPlan = field(default_factory=BatchPlan)
    form: Format = "plain"
    part: Part | None = None
    """One side of a recorded file; None: all of it."""
    limit: int | None = None
    """Only the first rows."""
    restart: bool = False
    """Whether rows are asked again that were answered before."""

    @property
    def run(self) -> str:
        """The name by which a later run of the same file, target and models goes on."""
        source = self.source if self.source == "-" else str(Path(self.source).absolute())
        key = "\0".join((source, str(self.target.absolute()), *self.plan.models))
        return f"{Path(self.source).stem}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"

    def plan_in(self, home: Home, settings: Settings) -> BatchPlan:
        """Return the plan as this home runs it."""
        seal = seal_of(home, settings.privacy)
        return replace(self.plan, run=self.run, live=self.source == "-", seal=seal)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJob:
    """What a job reads and remembers while it runs."""

    rows: Iterator[Row | BadLine]
    share_read: Callable[[], float | None]
    seen_rows: SeenRows


def target_of(source: str, output: Path | None) -> Path:
    """Return where answers go: `output`, or a file beside the source; raise UsageError where that is nowhere."""
    if output is not None:
        if output.is_dir():
            raise UsageError(f"{output} is a folder: name a file with -o.")
        return output
    if source == "-":
        raise UsageError("with standard input, name where answers go with -o FILE.")
    return Path(f"{source}.answers.jsonl")


@contextmanager
def open_job(job: BatchJob, settings: Settings) -> Iterator[OpenJob]:
    """Open what a job reads; raise UsageError for a file, a target, a model or a check that cannot be used."""
    for model in job.plan.models:
        settings.arm(model)
    graders = Graders(settings)
    if job.plan.check is not None:
        graders.checked(Query(text=""), job.plan.check)
    reading = open_rows(
        job.source, graders=graders, part=job.part, models=None if job.plan.models else settings.names
    )
    with reading as found, closing(SeenRows()) as seen_rows:
        check_target(job.target, job.source)
        rows = islice(found.rows, job.limit)
        yield OpenJob(rows=rows, share_read=found.share_read, seen_rows=seen_rows)


def answer_file(
    log: Log,
    settings: Settings,
    job: BatchJob,
    *,
    on_answer: Callable[[Answer], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_unkept: Callable[[Answer], None] | None = None,
    interruptible: Interruptible = nullcontext,
) -> Progress:
    """Ask what is left to ask of a file, with an event loop of its own, and return what was done.

    `log` is that of the home; `on_answer` is told of every answer that is safe, `on_unkept` of every one that the
    journal did not take. Raises what `run_batch` raises, and asyncio.CancelledError where the run was cancelled; the
    rows are safe by then.
    """
    home, by_model = log.home, bool(job.plan.models)
    plan = job.plan_in(home, settings)

    async def answer(opened: OpenJob) -> Progress:
        stopping = asyncio.Event()
        with Output(job.target, form=job.form, by_model=by_model) as output, interruptible(stopping):
            return await run_batch(
                open_router(home, settings),
                opened.rows,
                log=log,
                plan=plan,
                seen_rows=opened.seen_rows,
                output=output,
                progress=Progress(
                    share_read=opened.share_read, asked_for={arm.id: arm.model for arm in settings.arms}
                ),
                on_answer=on_answer,
                on_progress=on_progress,
                on_unkept=on_unkept,
                stopping=stopping,
            )

    with open_job(job, settings) as opened, exclusive_lock(job.target):
        home.make()
        began = utc_now()
        if job.restart:
            note_export(log, job.target, run=plan.run)
            job.target.unlink(missing_ok=True)
        else:
            resume(log, plan.run, job.target, opened.seen_rows, form=job.form, by_model=by_model)
        try:
            progress = asyncio.run(answer(opened))
        except BaseException:
            # What stopped the batch is reported; the rows are safe in the journal.
            with suppress(StoreError):
                log.merge(patience_s=2.0)
            raise
        with suppress(StoreBusyError), log.open(patience_s=2.0) as connection:
            progress.promotions = promotions_since(connection, began)
    return progress
