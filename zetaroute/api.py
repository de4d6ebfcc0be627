"""A home as Python and notebooks use it: what the commands do, without a screen."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from zetaroute.config import PRESETS, Home, Settings, find_home, load_settings
from zetaroute.domain import Query
from zetaroute.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from zetaroute.batch.regrade import RegradeSummary
    from zetaroute.config import Objective
    from zetaroute.log.log import Log
    from zetaroute.router.answer import Answer
    from zetaroute.router.engine import Engine

Place = str | os.PathLike[str]
By = Literal["task", "model", "segment", "day", "version"]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Session:
    """One home with its settings. Nothing is held open between two calls."""

    home: Home
    settings: Settings

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
        keep: bool = True,
    ) -> Answer:
        """Ask one query as `zetaroute ask` does and return the answer; `keep=False` keeps nothing of it.

        `model` pins one; `conversation` goes on with one of that name and keeps its model. Works inside a running
        event loop, which waits meanwhile. Raises UsageError for a wrong argument, NoAnswerError when no model
        could answer.
        """
        from zetaroute.config import check_options
        from zetaroute.policy import Limits
        from zetaroute.router.attachments import read_attachment
        from zetaroute.router.attempts import check_query
        from zetaroute.router.options import AskOptions
        from zetaroute.router.prepare import by_schema, parse_check

        check_options(options or {})
        query = Query(
            text=prompt,
            system=system,
            task=task,
            reference=reference,
            grader=grader,
            tags=tuple(tags),
            options=options or {},
            attachments=tuple(read_attachment(Path(one)) for one in attach),
        )
        if schema is not None:
            query = by_schema(query, Path(schema))
        engine, kept = self.engine(), None
        check_query(query, engine.graders)
        if conversation is not None:
            from zetaroute.router.conversations import recorded

            before = recorded(self._log(), conversation)
            query, kept = before.continued(replace(query, conversation=conversation)), before.model
        wanted = AskOptions(
            model=model,
            kept=kept,
            limits=Limits(local_only=local_only, max_cost_usd=max_cost_usd),
            objective=_objective(prefer),
            seed=seed,
            deadline_s=timeout_s,
        )
        if keep:
            self.home.make()
        journal = self._log().journal if keep else None
        asking = engine.ask(query, wanted, check=parse_check(check), journal=journal)
        answer = _own_loop(lambda: asyncio.run(asking))
        if keep:
            self._log().merge()
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
        restart: bool = False,
    ) -> Iterator[Answer]:
        """Answer every query of a file as `zetaroute batch` does; yield answers and failures once they are safe.

        What was answered before is not asked again and not yielded; the output file, beside the source by default,
        has all of it, and lines for rows that no model takes. Answers wait in memory until they are read. Whoever
        stops reading stops the run: rows under way are finished and kept. Raises what `ask` raises, UsageError for
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
                models=every if all_models else (model,) if model else (),
                budget_usd=budget_usd,
                limits=Limits(local_only=local_only, max_cost_usd=max_cost_usd),
                seed=seed,
                timeout_s=timeout_s,
                check=parse_check(check),
            ),
            limit=limit,
            restart=restart,
        )

        def run(on_answer: Callable[[Answer], None], interruptible: Interruptible) -> None:
            answer_file(self._log(), self.settings, job, on_answer=on_answer, interruptible=interruptible)

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
        rate(self._log(), word, outcome_id=outcome_id, metric=metric, comment=comment, author=author)

    def grade(
        self,
        *,
        grader: str | None = None,
        since: datetime | None = None,
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
        log = self._log()
        done = _own_loop(lambda: asyncio.run(regrade(log, self.settings, wanted, concurrency=concurrency)))
        log.merge()
        return done

    def frame(self, *, since: datetime | None = None) -> pl.DataFrame:
        """Return the rounds, oldest first: a row per attempt with its decision and what is known of its answer."""
        import polars as pl

        from zetaroute.log.log import rows_since

        with self._log().open() as connection:
            return pl.DataFrame(
                rows_since(connection, "SELECT * FROM rounds", _moment(since), order="time, id")
            )

    def kpi(self, *, by: By | None = None, since: datetime | None = None) -> dict[str, Any]:
        """Return the key figures of what was served, each with its interval, as `zetaroute kpi --json` does."""
        from zetaroute.analysis.kpi import kpis

        return kpis(log=self._log(), settings=self.settings, home=self.home, by=by, since=_moment(since))

    def _log(self) -> Log:
        from zetaroute.projections import log_of

        return log_of(self.home, self.settings.privacy)


def open_session(home: Place | None = None, *, config: Place | None = None) -> Session:
    """Return a home with its settings; raises ConfigError for a config that cannot be used."""
    found = find_home(None if home is None else Path(home))
    return Session(found, load_settings(None if config is None else Path(config), found.config))


def _own_loop(work: Callable[[], _T]) -> _T:
    """Do work that starts an event loop; in a thread of its own where one runs already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(work).result()


def _streamed(
    run: Callable[[Callable[[Answer], None], Callable[[asyncio.Event], Any]], None],
) -> Iterator[Answer]:
    """Yield what a run in a thread of its own tells of; let it end where nobody reads on."""
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


def _moment(since: datetime | None) -> str | None:
    if since is None:
        return None
    return (since.astimezone(UTC).replace(tzinfo=None) if since.tzinfo else since).isoformat()
