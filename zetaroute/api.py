"""A home as Python and notebooks use it: what the commands do, without a screen."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from zetaroute.config import PRESETS, Home, Settings, find_home, load_settings
from zetaroute.domain import Query
from zetaroute.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from zetaroute.analysis.explain import Explanation
    from zetaroute.analysis.kpi import By
    from zetaroute.analysis.kpi_result import Comparison, KpiReport
    from zetaroute.batch.regrade import RegradeSummary
    from zetaroute.config import Objective
    from zetaroute.lifecycle.next_step import Promote
    from zetaroute.lifecycle.policies import Policies
    from zetaroute.lifecycle.retrain_result import RetrainResult
    from zetaroute.log.journal import Journal
    from zetaroute.log.log import Log
    from zetaroute.router.answer import Answer
    from zetaroute.router.engine import Engine
    from zetaroute.router.options import AskOptions

Place = str | os.PathLike[str]
Moment = datetime | str
"""A date with a time; UTC where it names no zone, and where it is text (ISO 8601)."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Session:
    """One home with its settings. Nothing is held open between two calls."""

    home: Home
    settings: Settings
    log: Log

    def engine(self) -> Engine:
        """Return what answers one query by the policy in use now; raises ArtifactError where that is damaged."""
        from zetaroute.router.engine import Engine
        from zetaroute.router.router import open_router

        return Engine(open_router(self.home, self.settings), many=False)

    def ask(
        self,
        prompt: str,
        *,
        model: str | None = None,
        system: str | None = None,
        task: str | None = None,
        reference: str | None = None,
        grader: str | None = None,
        tags: Sequence[str] = (),
        options: Mapping[str, Any] | None = None,
        attach: Sequence[Place] = (),
        check: str | None = None,
        schema: Place | None = None,
        prefer: str | None = None,
        max_cost_usd: float | None = None,
        local_only: bool = False,
        conversation: str | None = None,
        timeout_s: float | None = None,
        seed: int | None = None,
        audit: bool = True,
        chain: bool = True,
        keep: bool = True,
    ) -> Answer:
        """Ask one query as `zetaroute ask` does and return the answer; `keep=False` keeps nothing of it.

        `model` pins one; `conversation` goes on with one of that name and keeps its model; `audit=False` spares the
        wait for audits, `chain=False` gives one model's answer. Raises UsageError; NoAnswerError without an answer.
        """
        from zetaroute.policy import Limits
        from zetaroute.router.attempts import check_query
        from zetaroute.router.conversations import in_conversation
        from zetaroute.router.options import AskOptions
        from zetaroute.router.prepare import parse_check, with_files

        query = Query(text=prompt, system=system, task=task, reference=reference, grader=grader)
        query = replace(query, tags=tuple(tags))
        query = with_files(query, options or {}, attach, schema)
        check_query(query, (engine := self.engine()).graders)
        query, kept = (
            (query, None) if conversation is None else in_conversation(self.log, query, conversation)
        )
        wanted = AskOptions(
            model=model,
            kept=kept,
            limits=Limits(local_only=local_only, max_cost_usd=max_cost_usd),
            objective=_objective(prefer),
            seed=seed,
            deadline_s=timeout_s,
            no_audit=None if audit else "switched off",
            no_chain=not chain,
        )
        if keep:
            self.home.make()
        journal = self.log.journal
        asking = engine.ask(query, wanted, check=parse_check(check), journal=journal if keep else None)
        answer = _own_loop(lambda: asyncio.run(_with_audit(engine, asking, wanted, journal)))
        if keep:
            self.log.keep_up(read_soon=conversation is not None)
        return answer

    def batch(
        self,
        source: Place,
        *,
        output: Place | None = None,
        model: str | None = None,
        all_models: bool = False,
        concurrency: int = 8,
        budget_usd: float | None = None,
        limit: int | None = None,
        max_cost_usd: float | None = None,
        local_only: bool = False,
        check: str | None = None,
        timeout_s: float | None = None,
        seed: int = 0,
        audit: bool = True,
        chain: bool = True,
        restart: bool = False,
    ) -> Iterator[Answer]:
        """Answer every query of a file as `zetaroute batch` does; yield answers and failures once they are safe.

        What was answered before is not asked again and not yielded; the output file, beside the source by default,
        has all of it, and lines for rows that no model takes. Answers wait in memory until they are read. Reading no
        further stops the run: rows under way are finished and kept. Raises what `ask` raises, UsageError for
        a file that cannot be read, StoreError when rows cannot be kept.
        """
        from zetaroute.batch.job import BatchJob, Interruptible, answer_file, target_of
        from zetaroute.batch.run import BatchPlan
        from zetaroute.policy import Limits
        from zetaroute.router.prepare import parse_check

        if model is not None and all_models:
            raise UsageError("model and all_models exclude each other: give one.")
        every = tuple(arm.id for arm in self.settings.arms)
        job = BatchJob(
            source=os.fspath(source),
            target=target_of(os.fspath(source), None if output is None else Path(output)),
            plan=BatchPlan(
                concurrency=concurrency,
                models=every if all_models else (self.settings.arm(model).id,) if model else (),
                budget_usd=budget_usd,
                limits=Limits(local_only=local_only, max_cost_usd=max_cost_usd),
                seed=seed,
                timeout_s=timeout_s,
                check=parse_check(check),
                seeds=all_models,
                no_audit=not audit,
                no_chain=not chain,
            ),
            limit=limit,
            restart=restart,
        )

        def run(on_answer: Callable[[Answer], None], interruptible: Interruptible) -> None:
            answer_file(self.log, self.settings, job, on_answer=on_answer, interruptible=interruptible)

        return _streamed(run)

    def feedback(
        self,
        outcome_id: str,
        value: str | float | bool,
        *,
        metric: str | None = None,
        comment: str | None = None,
        author: str = "user",
    ) -> None:
        """Keep what is thought of an answer: 1 to 5, True or False, `up`, `down`, a verdict; or any `metric`.

        Raises UsageError for an unknown id or a value that means nothing.
        """
        from zetaroute.feedback.ratings import rate

        word = ("up" if value else "down") if isinstance(value, bool) else str(value)
        rate(self.log, word, outcome_id=outcome_id, metric=metric, comment=comment, author=author)

    def grade(
        self,
        *,
        grader: str | None = None,
        since: Moment | None = None,
        task: str | None = None,
        limit: int | None = None,
        again: bool = False,
        concurrency: int = 8,
    ) -> RegradeSummary:
        """Grade answers of the log as `zetaroute grade` does, the newest first, and return what was done.

        Without a `grader` each answer is graded by its own, or by the one that its reference suggests; `again`
        grades anew what the grader has graded before. Raises UsageError for an unknown grader.
        """
        from zetaroute.batch.regrade import RegradeSelection, regrade

        wanted = RegradeSelection(grader=grader, since=_moment(since), task=task, limit=limit, again=again)
        log = self.log
        done = _own_loop(lambda: asyncio.run(regrade(log, self.settings, wanted, concurrency=concurrency)))
        log.merge()
        return done

    def frame(self, *, since: Moment | None = None) -> pl.DataFrame:
        """Return the rounds, oldest first: a row per attempt with its decision and what is known of its answer."""
        import polars as pl

        from zetaroute.log.rows import rows_since

        with self.log.open() as connection:
            return pl.DataFrame(
                rows_since(connection, "SELECT * FROM rounds", _moment(since), order="time, id")
            )

    def retrain(
        self,
        *,
        promote: Promote = "auto",
        since: Moment | None = None,
        sources: Sequence[str] = (),
        cluster: str | None = None,
        jobs: int = 1,
        seed: int = 0,
    ) -> RetrainResult:
        """Promote the challenger that is proven and learn the next one from the log, as `zetaroute retrain` does.

        `sources` are DuckDB files, exports or Parquet globs to learn from in place of the home's own rows. Raises
        UsageError for a wrong argument, ZetarouteError when there is too little to learn from.
        """
        from zetaroute.lifecycle.next_step import PROMOTE
        from zetaroute.lifecycle.retrain import retrain

        if promote not in PROMOTE:
            raise UsageError(f"promote is {promote!r}: choose one of {', '.join(PROMOTE)}.")
        return retrain(
            home=self.home,
            settings=self.settings,
            log=self.log,
            promote=promote,
            since=_moment(since),
            sources=sources,
            cluster=cluster,
            jobs=jobs,
            seed=seed,
        )

    def kpi(
        self,
        *,
        by: By | None = None,
        since: Moment | None = None,
        version: str | None = None,
        run: str | None = None,
        over_time: bool = False,
    ) -> KpiReport:
        """Return the key figures of what was served, each with its interval; `over_time` adds how they went.

        A `version` leaves the queries whose model it has chosen, a `run` those of one batch or server.
        """
        from zetaroute.analysis.kpi import kpis
        from zetaroute.analysis.served import Scope

        scope = Scope(since=_moment(since), version=version, run=run)
        with self.log.open() as connection:
            return kpis(connection, self.home, self.settings, scope, by=by, course=over_time)

    def compare(
        self,
        *,
        before: str | None = None,
        after: str | None = None,
        since: Moment | None = None,
        examples: bool = False,
    ) -> Comparison:
        """Return what two versions served beside each other: the current one and its predecessor by default.

        `examples` adds some of the queries. Raises ArtifactError for an unknown version, ZetarouteError where there
        is nothing to compare yet.
        """
        from zetaroute.analysis.kpi import compare

        with self.log.open() as connection:
            return compare(
                connection,
                self.home,
                self.settings,
                before=before,
                after=after,
                since=_moment(since),
                examples=examples,
            )

    def explain(self, outcome_id: str | None = None) -> Explanation | None:
        """Return why a model was chosen for an answer, the last one by default; None where nothing was decided.

        Raises UsageError for an unknown id.
        """
        from zetaroute.analysis.explain import explain_past
        from zetaroute.analysis.outcomes import show_outcome
        from zetaroute.registry import Registry

        with self.log.open() as connection:
            row = show_outcome(connection, outcome_id)
        return explain_past(row, registry=Registry(self.home.artifacts))

    @property
    def policies(self) -> Policies:
        """The versions of the policy: list, compare, verify, promote, pin and roll back."""
        from zetaroute.lifecycle.policies import Policies

        return Policies(home=self.home, log=self.log, settings=lambda: self.settings)


def open_session(home: Place | None = None, *, config: Place | None = None) -> Session:
    """Return a home with its settings; raises ConfigError for a config that cannot be used."""
    from zetaroute.projections import log_of

    found = find_home(None if home is None else Path(home))
    settings = load_settings(None if config is None else Path(config), found.config)
    return Session(found, settings, log_of(found, settings.privacy))


async def _with_audit(
    engine: Engine, asking: Awaitable[Answer], options: AskOptions, journal: Journal
) -> Answer:
    """Return an answer when its audit is over; a query that no model could answer is audited too."""
    from zetaroute.router.answer import UnansweredError

    try:
        answer = await asking
    except UnansweredError as error:
        await engine.finish_audit(error.answer, options, journal)
        raise
    return await engine.finish_audit(answer, options, journal)


def _own_loop(work: Callable[[], _T]) -> _T:
    """Do work that starts an event loop; in a thread of its own where one runs already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(work).result()


def _streamed(
    run: Callable[[Callable[[Answer], None], Callable[[asyncio.Event], Any]], None],
) -> Iterator[Answer]:
    """Yield what a run in a thread of its own reports; let it end where the reader stops."""
    from concurrent.futures import ThreadPoolExecutor
    from queue import SimpleQueue

    answers: SimpleQueue[Answer | None] = SimpleQueue()
    stops: list[Callable[[], object]] = []

    @contextmanager
    def interruptible(stopping: asyncio.Event) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        stops.append(lambda: loop.call_soon_threadsafe(stopping.set))
        yield

    with ThreadPoolExecutor(max_workers=1) as thread:
        running = thread.submit(run, answers.put, interruptible)
        running.add_done_callback(lambda _: answers.put(None))
        try:
            while (answer := answers.get()) is not None:
                yield answer
        finally:
            # An event loop that is closed has nothing left to stop.
            with suppress(RuntimeError):
                for stop in stops:
                    stop()
        running.result()


def _objective(prefer: str | None) -> Objective | None:
    if prefer is not None and prefer not in PRESETS:
        raise UsageError(f"prefer is {prefer!r}: choose one of {', '.join(PRESETS)}.")
    return None if prefer is None else PRESETS[prefer]


def _moment(since: Moment | None) -> str | None:
    if since is None or isinstance(since, str):
        return since
    return (since.astimezone(UTC).replace(tzinfo=None) if since.tzinfo else since).isoformat()
