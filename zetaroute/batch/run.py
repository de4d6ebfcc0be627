"""Answer many queries: bounded concurrency, resume, budget.

Rows finish in any order. A worker asks its next row while its last one is being made safe, and goes no further ahead.
Whatever stops a batch early, an interrupt, a budget, a full disk or a broken input, the rows under way are finished
and written first.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from zetaroute.batch.answers_file import Output
from zetaroute.batch.input import Row, content_id
from zetaroute.batch.progress import Progress
from zetaroute.batch.seen_rows import SeenRows
from zetaroute.domain import Check, Decision, Query, content_hash
from zetaroute.errors import NoAnswerError, StoreError, UnfitQueryError, ZetarouteError
from zetaroute.files.line_source import BadLine
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.log.pseudonyms import Seal
from zetaroute.policy import Limits
from zetaroute.router.answer import Answer, output_line
from zetaroute.router.budget import QueryBudget, RunBudget
from zetaroute.router.engine import Engine
from zetaroute.router.options import AskOptions
from zetaroute.router.prefetch import Task, prefetching
from zetaroute.router.router import Router
from zetaroute.router.writer import Safe, Writer

BREATH_ROWS = 500
_END: Task = (Query(text=""), None)
"""What comes after the last task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPlan:
    """How a batch is run."""

    run: str = "batch"
    """How the log marks its rows."""
    concurrency: int = 8
    models: tuple[str, ...] = ()
    """Models that are pinned, each answering every row; empty lets the row or the policy choose."""
    budget_usd: float | None = None
    limits: Limits = field(default_factory=Limits)
    seed: int = 0
    timeout_s: float | None = None
    """Seconds for each query, all its attempts together; None leaves it to the models' own limits."""
    check: Check | None = None
    """What every answer is held against, whatever its task."""
    ordered: bool = False
    """Whether the output is put into the order of the input at the end."""
    live: bool = False
    """Whether rows may keep the reader waiting, as those of a pipe do: then nothing else waits with it."""
    seal: Seal = str
    """How content hashes are written: as the log keeps them."""
    seeds: bool = False
    """Whether `models` are all there are, asked the same to learn from."""
    no_audit: bool = False
    """Whether no row is asked of other models beside the one that answers."""
    no_chain: bool = False
    """Whether no row is asked of another model because of what an answer looks like."""

    def options(self, query: Query, model: str | None) -> AskOptions:
        """Return how a row is to be answered, by `model` where one is pinned."""
        return AskOptions(
            model=model,
            limits=self.limits,
            seed=self._seed(query),
            deadline_s=self.timeout_s,
            run=self.run,
            seeds=self.seeds,
            no_audit="switched off" if self.no_audit else None,
            no_chain=self.no_chain,
        )

    def _seed(self, query: Query) -> int:
        """Return a seed of the query's own, so that a run repeats whatever order its rows finish in."""
        key = f"{self.seed}:{query.custom_id}:{self.seal(content_hash(query))}"
        return int.from_bytes(hashlib.sha256(key.encode("utf-8", "replace")).digest()[:6], "big")


async def run_batch(
    router: Router,
    rows: Iterable[Row | BadLine],
    *,
    log: Log,
    plan: BatchPlan,
    seen_rows: SeenRows,
    output: Output | None = None,
    progress: Progress | None = None,
    on_answer: Callable[[Answer], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_unkept: Callable[[Answer], None] | None = None,
    stopping: asyncio.Event | None = None,
) -> Progress:
    """Answer every query of `rows` and return what was done, counted in `progress`.

    What `seen_rows` knows as answered is skipped. When `stopping` is set, no new row begins and those under way are
    finished. Raises, after that, what stopped it: StoreError when rows cannot be kept any more (`on_unkept` is
    told of every answer that the journal did not take), UsageError when the input breaks off, NoAnswerError when
    no model may answer.
    """
    budget = RunBudget(plan.budget_usd)
    batch = _Batch(
        Engine(router, budget=budget),
        plan,
        budget=budget,
        output=output,
        progress=progress or Progress(),
        stopping=stopping or asyncio.Event(),
        on_answer=on_answer,
        on_progress=on_progress,
    )
    batch.writer = Writer(
        router=router, log=log, on_done=batch.tell, on_unkept=on_unkept, on_failure=batch.fail
    )
    feed = feed_of(rows, seen_rows, plan, batch.progress, output)
    if not plan.live:
        feed = prefetching(feed, router.prefetch)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(plan.concurrency):
                group.create_task(batch.work(feed))
    except BaseExceptionGroup as errors:
        raise _first(errors) from errors
    finally:
        await batch.engine.aclose()
        await batch.writer.aclose()
    if batch.failure is not None:
        raise batch.failure
    if output is not None:
        output.settle(seen_rows, ordered=plan.ordered)
    return batch.progress


def feed_of(
    rows: Iterable[Row | BadLine],
    seen_rows: SeenRows,
    plan: BatchPlan,
    progress: Progress,
    output: Output | None = None,
) -> Iterator[Task | None]:
    """Yield what is to be asked; count what is not: bad lines, repeated rows and those answered before.

    None is yielded now and then, so that a reader of long stretches of the latter can do something else.
    """
    for row in rows:
        progress.rows += 1
        if progress.rows % BREATH_ROWS == 0:
            yield None
        met: Row | BadLine | None = row
        if isinstance(row, Row):
            content = content_hash(row.query)
            sealed = plan.seal(content)
            met = _meet(_named(row, content, sealed), sealed, seen_rows)
        if isinstance(met, BadLine):
            progress.bad_lines += 1
            progress.first_bad = progress.first_bad or met
            if output is not None:
                output.bad_line(met)
            continue
        wanted = _wanted(met, sealed, seen_rows, plan.models) if met is not None else []
        progress.skipped += not wanted
        if wanted and output is not None and seen_rows.is_changed(wanted[0][0].custom_id or ""):
            output.outdated = True
        yield from wanted


def _named(row: Row, content: str, sealed: str) -> Row:
    """Give a row whose custom_id is made of its content one that says no more of it than the log does."""
    if row.query.custom_id != content_id(content):
        return row
    return replace(row, query=replace(row.query, custom_id=content_id(sealed)))


def _meet(row: Row, sealed: str, seen_rows: SeenRows) -> Row | BadLine | None:
    """Return the row itself when it is the first with its custom_id; None when it repeats that one whole."""
    custom_id = row.query.custom_id or ""
    first = seen_rows.meet(custom_id, sealed, row.line)
    if first is None:
        return row
    if first.content == sealed:
        return None
    return BadLine(line=row.line, error=f"repeats the custom_id {custom_id!r} of line {first.line}")


def _wanted(row: Row, sealed: str, seen_rows: SeenRows, models: Sequence[str]) -> list[Task]:
    custom_id = row.query.custom_id or ""
    return [
        (row.query, model)
        for model in models or (row.model,)
        if not seen_rows.is_answered(custom_id, sealed, model)
    ]


class _Batch:
    """What the workers of one run share."""

    writer: Writer

    def __init__(
        self,
        engine: Engine,
        plan: BatchPlan,
        *,
        budget: RunBudget,
        output: Output | None,
        progress: Progress,
        stopping: asyncio.Event,
        on_answer: Callable[[Answer], None] | None,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self.engine = engine
        self.progress = progress
        self.failure: ZetarouteError | None = None
        self._budget = budget
        self._plan = plan
        self._output = output
        self._stopping = stopping
        self._ended = False
        self._on_answer = on_answer
        self._on_progress = on_progress
        self._reading = asyncio.Lock()

    def fail(self, error: ZetarouteError) -> None:
        """Let no new row begin; the first error is the one reported."""
        self.failure = self.failure or error
        self._ended = True

    def tell(self, answers: Sequence[Answer]) -> None:
        """Put answers that are safe into the output, and count them."""
        told = [answer for answer in answers if answer.outcome.status != "cancelled"]
        try:
            if self._output is not None:
                for answer in told:
                    self._output.write(answer.line(self._output.form))
                self._output.flush()
        except StoreError as error:
            self.fail(error)
        for answer in told:
            self.progress.count(answer)
            if self._on_answer is not None:
                self._on_answer(answer)
        if self._on_progress is not None:
            self._on_progress(self.progress)

    def _is_over(self) -> bool:
        if self._stopping.is_set():
            self.progress.interrupted, self.progress.stopped = True, "interrupted"
        return self._ended or self.progress.interrupted

    async def work(self, feed: Iterator[Task | None]) -> None:
        """Ask row after row until there are none left, or the batch stops."""
        safe: Safe | None = None
        while not self._is_over():
            try:
                task = await self._next(feed)
                if task is _END:
                    break
                if task is None:
                    await asyncio.sleep(0)
                elif not self._is_over():
                    answered = await self._answer(*task)
                    if safe is not None:
                        await safe
                    safe = answered
            except ZetarouteError as error:
                self.fail(error)
        if safe is not None:
            await safe

    async def _next(self, feed: Iterator[Task | None]) -> Task | None:
        if not self._plan.live:
            return next(feed, _END)
        async with self._reading:
            return _END if self._is_over() else await asyncio.to_thread(next, feed, _END)

    async def _answer(self, query: Query, model: str | None) -> Safe | None:
        """Answer a row and return when it is safe; None where no model was asked."""
        options = self._plan.options(query, model)
        query = await self.engine.prepare(query, options, check=self._plan.check)
        decided = await self._decide(query, options)
        if decided is None:
            return None
        decision, query_budget = decided
        answering = self.engine.answer(query, decision, options, query_budget=query_budget)
        answer, safe = await self.writer.take(answering)
        await self.engine.audit(answer, options, self._keep_audit)
        return safe

    def _keep_audit(self, entry: Entry) -> None:
        self.progress.count_audit(entry)
        self.writer.add_entry(entry)

    async def _decide(self, query: Query, options: AskOptions) -> tuple[Decision, QueryBudget] | None:
        """Decide and set aside what the call may cost, in an open budget; None when it is not to be made.

        What is left of a budget may be set aside for calls under way that turn out cheaper: their end is awaited.
        """
        spending = self.engine.router.spending
        while not self._is_over():
            try:
                decision = self.engine.decide(query, options)
            except UnfitQueryError as error:
                self.progress.failed += 1
                if self._output is not None:
                    told = {"custom_id": query.custom_id, "error": str(error), "error_kind": "unfit"}
                    self._output.write(output_line(told, self._output.form))
                return None
            except NoAnswerError as error:
                if not spending.limited:
                    raise
                if not await spending.reserved.wait():
                    self._stop(str(error))
                continue
            query_budget = self.engine.query_budget(decision, options)
            if query_budget.open():
                return decision, query_budget
            if not await self._budget.reserved.wait():
                self._stop(f"the budget of ${self._plan.budget_usd:g} is used up")
        return None

    def _stop(self, reason: str) -> None:
        self.progress.stopped = reason
        self._ended = True


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error to tell: of many workers that failed alike, one is enough."""
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
