"""Answer many queries: bounded concurrency, rows safe in groups, resume, budget.

Rows finish in any order; one writer makes them safe in the journal, group by group, before their output lines
are written, so a kill at any moment costs at most the answers that were under way.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field

from zetaroute.domain import Query
from zetaroute.errors import NoAnswerError, StoreError, UnfitQueryError
from zetaroute.flows.intake import BadLine
from zetaroute.flows.output import Done, Output
from zetaroute.flows.round import Round, content_hash, play
from zetaroute.flows.router import Router
from zetaroute.flows.spending import RunBudget
from zetaroute.policy import Limits
from zetaroute.providers.opening import Providers, open_providers
from zetaroute.store.log import Log
from zetaroute.store.standing import read_past

MERGE_EVERY_S = 5.0
"""Seconds between merges of the journal into the DuckDB file while a batch runs."""


@dataclass(slots=True, kw_only=True)
class Progress:
    """What a batch has done so far."""

    rows: int = 0
    answered: int = 0
    failed: int = 0
    skipped: int = 0
    bad_lines: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    """Answers whose cost is unknown."""
    accuracy_sum: float = 0.0
    graded: int = 0
    share: dict[str, int] = field(default_factory=dict)
    started_at: float = field(default_factory=time.perf_counter)
    stopped: str | None = None
    """Why the batch ended early, if it did."""

    @property
    def accuracy(self) -> float | None:
        """Mean accuracy of the graded rows so far."""
        return self.accuracy_sum / self.graded if self.graded else None

    def count(self, played: Round) -> None:
        """Take one finished round in."""
        outcome = played.outcome
        if outcome.status == "ok":
            self.answered += 1
            self.share[outcome.model] = self.share.get(outcome.model, 0) + 1
            self.unpriced += played.cost_usd is None
        else:
            self.failed += 1
        self.cost_usd += sum(row.cost_usd or 0.0 for row in played.entry.outcomes)
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
            "elapsed_s": time.perf_counter() - self.started_at,
            "accuracy": self.accuracy,
            "share": self.share,
            "stopped": self.stopped,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a batch is run."""

    run: str
    concurrency: int = 8
    models: tuple[str, ...] = ()
    """Models that are pinned, each answering every row; empty lets the policy choose."""
    budget_usd: float | None = None
    limits: Limits = field(default_factory=Limits)
    seed: int = 0


async def run_batch(
    router: Router,
    rows: Iterable[Query | BadLine],
    *,
    log: Log,
    plan: Plan,
    output: Output | None = None,
    done: Done = frozenset(),
    on_round: Callable[[Round], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    stopping: asyncio.Event | None = None,
) -> Progress:
    """Answer every query of `rows` and return what was done.

    What `done` holds was answered before and is skipped. When `stopping` is set, no new row begins and those
    under way are finished. Raises StoreError when rows cannot be kept any more; answers that came in until then
    are still written to `output`.
    """
    progress = Progress()
    stopping = stopping or asyncio.Event()
    finished: asyncio.Queue[Round | None] = asyncio.Queue(maxsize=4 * plan.concurrency)
    providers = open_providers(router.settings.arms, many=True)
    writer = asyncio.create_task(
        _write(finished, router, log, output, progress, stopping, on_round, on_progress)
    )
    feed = _feed(rows, done, output, progress, plan)
    budget = RunBudget(plan.budget_usd)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(plan.concurrency):
                group.create_task(
                    _work(feed, router, providers, plan, finished, budget, stopping, progress, output)
                )
    except BaseExceptionGroup as errors:
        raise _first(errors) from errors
    finally:
        await providers.aclose()
        await finished.put(None)
        await writer
    return progress


def _feed(
    rows: Iterable[Query | BadLine],
    done: Done,
    output: Output | None,
    progress: Progress,
    plan: Plan,
) -> Iterator[tuple[Query, str | None]]:
    """Yield the queries that are to be asked, each with the model that is pinned for it."""
    for row in rows:
        progress.rows += 1
        if isinstance(row, BadLine):
            progress.bad_lines += 1
            if output is not None:
                output.bad_line(row)
            continue
        wanted = [
            model for model in plan.models or (None,) if (row.custom_id, content_hash(row), model) not in done
        ]
        progress.skipped += not wanted
        for model in wanted:
            yield row, model


async def _work(
    feed: Iterator[tuple[Query, str | None]],
    router: Router,
    providers: Providers,
    plan: Plan,
    finished: asyncio.Queue[Round | None],
    budget: RunBudget,
    stopping: asyncio.Event,
    progress: Progress,
    output: Output | None,
) -> None:
    for query, model in feed:
        try:
            decision = router.decide(query, seed=_seed(plan.seed, query), limits=plan.limits, forced=model)
        except UnfitQueryError as error:
            progress.failed += 1
            if output is not None:
                output.refused(query, str(error))
            continue
        except NoAnswerError as error:
            if not router.spending.limited:
                raise
            progress.stopped = str(error)
            return
        chosen = next(candidate for candidate in decision.candidates if candidate.model == decision.model)
        expected = chosen.cost_usd.mean if chosen.cost_usd else 0.0
        if stopping.is_set():
            return
        if not budget.reserve(expected):
            progress.stopped = f"the budget of ${plan.budget_usd:g} is used up"
            return
        router.spending.reserve(expected)
        cost = 0.0
        try:
            played = await play(query, decision, arms=router.arms, providers=providers, run=plan.run)
            cost = played.spent_usd
        except asyncio.CancelledError as error:
            if error.args and isinstance(error.args[0], Round):
                finished.put_nowait(error.args[0])
            raise
        finally:
            budget.settle(expected, cost)
            router.spending.settle(expected, cost)
        for outcome in played.entry.outcomes:
            router.note(outcome)
        await finished.put(played)


async def _write(
    finished: asyncio.Queue[Round | None],
    router: Router,
    log: Log,
    output: Output | None,
    progress: Progress,
    stopping: asyncio.Event,
    on_round: Callable[[Round], None] | None,
    on_progress: Callable[[Progress], None] | None,
) -> None:
    """Make finished rounds safe, group by group: journal first, then output, then the counts."""
    merged_at = time.monotonic()
    failure: StoreError | None = None
    async for group in _groups(finished):
        try:
            await asyncio.to_thread(log.append, [played.entry for played in group])
        except StoreError as error:
            failure = error
            stopping.set()
        for played in group:
            router.spending.keep(played.spent_usd)
            if played.outcome.status != "cancelled":
                progress.count(played)
            if output is not None:
                output.answer(played)
            if on_round is not None:
                on_round(played)
        if output is not None:
            output.flush()
        if on_progress is not None:
            on_progress(progress)
        if time.monotonic() - merged_at > MERGE_EVERY_S:
            await asyncio.to_thread(log.merge)
            if router.spending.limited:
                past = await asyncio.to_thread(read_past, log.home)
                router.spending.refresh(past.spent_usd)
            merged_at = time.monotonic()
    if failure is not None:
        raise failure


async def _groups(finished: asyncio.Queue[Round | None]) -> AsyncIterator[list[Round]]:
    """Yield everything that is waiting, again and again, until the end is announced by None."""
    while True:
        group = [await finished.get()]
        while not finished.empty():
            group.append(finished.get_nowait())
        rounds = [played for played in group if played is not None]
        if rounds:
            yield rounds
        if None in group:
            return


def _seed(base: int, query: Query) -> int:
    """Return a seed of the query's own, so that a run repeats whatever order its rows finish in."""
    key = f"{base}:{query.custom_id}:{content_hash(query)}"
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "replace")).digest()[:6], "big")


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error to tell: of many workers that failed alike, one is enough."""
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = next((e for e in found.exceptions if not isinstance(e, NoAnswerError)), found.exceptions[0])
    return found
