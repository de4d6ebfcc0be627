"""Grade answers that are in the log already: with a reference that came with them, by a program or by a judge.

What is done is safe every second, so whatever ends a run, the next one goes on from there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from zetaroute.config import Settings
from zetaroute.domain import Feedback
from zetaroute.errors import UsageError
from zetaroute.grading.graders import ACCURACY, SELF, Case, Graders
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.log.rows import rows_in
from zetaroute.log.standings import read_state
from zetaroute.providers.pool import Providers, open_providers
from zetaroute.router.budget import Spending

KEEP_EVERY_S = 1.0
_READ_AT_ONCE = 500
_COLUMNS = "id, query, response, model, reference, task, grader, tags"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegradeSelection:
    """Which answers to grade, and how."""

    grader: str | None = None
    """None: each answer's own, or the one that its reference suggests."""
    since: str | None = None
    """UTC, ISO 8601."""
    task: str | None = None
    limit: int | None = None
    again: bool = False
    """Whether answers are graded that the grader has graded before."""


@dataclass(slots=True, kw_only=True)
class RegradeSummary:
    """What a run has done so far."""

    rows: int = 0
    """Answers to grade."""
    graded: int = 0
    no_grade: int = 0
    self_judged: int = 0
    """Grades that a model gave to its own answers."""
    accuracy_sum: float = 0.0
    cost_usd: float = 0.0
    """Of judging, as far as it is known."""
    left: int = 0
    """Answers that no judge was asked about, because the budget did not hold it."""
    stopped: str | None = None
    """The budget that was used up."""
    notes: dict[str, int] = field(default_factory=dict)
    """Why there was no grade, and how often."""
    started_at: float = field(default_factory=time.perf_counter)

    def count(self, said: Feedback) -> None:
        """Take one grade in, or that there is none."""
        self.cost_usd += said.cost_usd or 0.0
        if said.metric != ACCURACY:
            self.miss(said.comment or "no reason was given")
            return
        self.graded += 1
        self.accuracy_sum += said.value
        self.self_judged += said.author.endswith(SELF)

    def leave(self, budget: str) -> None:
        """Count an answer that there was no money to grade."""
        self.left += 1
        self.stopped = budget

    def miss(self, reason: str) -> None:
        """Count an answer without a grade."""
        self.no_grade += 1
        self.notes[reason] = self.notes.get(reason, 0) + 1

    def summary(self) -> dict[str, object]:
        """Return the summary that `grade --json` prints."""
        return {
            "rows": self.rows,
            "graded": self.graded,
            "no_grade": self.no_grade,
            "left": self.left,
            "stopped": f"the {self.stopped} is used up" if self.stopped else None,
            "self_judged": self.self_judged,
            "accuracy": self.accuracy_sum / self.graded if self.graded else None,
            "cost_usd": self.cost_usd,
            "elapsed_s": time.perf_counter() - self.started_at,
            "notes": self.notes,
        }


async def regrade(
    log: Log,
    settings: Settings,
    wanted: RegradeSelection,
    *,
    concurrency: int = 8,
    tally: RegradeSummary | None = None,
    on_progress: Callable[[RegradeSummary], None] | None = None,
) -> RegradeSummary:
    """Grade the answers of the log that are wanted; what was done when this is cancelled is kept.

    Judges that cost money are asked as far as the budget goes. Raises UsageError for an unknown grader, StoreError
    when grades cannot be kept.
    """
    graders = Graders(settings)
    grader = graders.name(wanted.grader) if wanted.grader else None
    tally = tally or RegradeSummary()
    waiting = _waiting(log, graders, wanted, grader)
    tally.rows = len(waiting)
    kept, till = _Kept(log), _Till(graders, Spending(settings.budget, read_state(log.home).spent_usd))
    cases = _cases(log, waiting, grader)
    async with open_providers(settings.arms, many=True) as providers:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(concurrency):
                    group.create_task(_work(cases, till, providers, kept, tally, on_progress))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        finally:
            kept.flush()
    return tally


class _Till:
    """Grades while there is money."""

    def __init__(self, graders: Graders, spending: Spending) -> None:
        self._graders = graders
        self._spending = spending

    async def grade(self, case: Case, providers: Providers, tally: RegradeSummary) -> Feedback | None:
        """Grade one answer, or count it as left where the budget does not hold its judge."""
        expected = self._graders.expected_usd(case)
        if expected is None:
            return await self._graders.grade(case, providers)
        while (budget := self._too_expensive(expected)) is not None:
            # What is set aside for calls under way may come back.
            if not await self._spending.reserved.wait():
                tally.leave(budget)
                return None
        said = None
        self._spending.reserved.add(expected)
        try:
            said = await self._graders.grade(case, providers)
        finally:
            self._spending.settle(expected, (said.cost_usd if said else None) or 0.0)
        return said

    def _too_expensive(self, expected: float) -> str | None:
        left_usd, budget = self._spending.left_usd()
        return budget if left_usd is not None and (left_usd <= 0 or expected > left_usd) else None


class _Kept:
    """Grades on their way into the journal, about once a second."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._new: list[Feedback] = []
        self._flushed_at = time.monotonic()

    def add(self, said: Feedback) -> None:
        self._new.append(said)
        if time.monotonic() - self._flushed_at > KEEP_EVERY_S:
            self.flush()

    def flush(self) -> None:
        new, self._new = self._new, []
        self._flushed_at = time.monotonic()
        if new:
            self._log.append([Entry(feedback=tuple(new))])


async def _work(
    cases: Iterator[Case],
    till: _Till,
    providers: Providers,
    kept: _Kept,
    tally: RegradeSummary,
    on_progress: Callable[[RegradeSummary], None] | None,
) -> None:
    for case in cases:
        try:
            said = await till.grade(case, providers, tally)
        except UsageError as error:
            tally.miss(str(error))
            said = None
        if said is not None:
            kept.add(said)
            tally.count(said)
        if on_progress is not None:
            on_progress(tally)
        # Graders that wait for nothing would keep everything else from being done, an interrupt included.
        await asyncio.sleep(0)


def _waiting(log: Log, graders: Graders, wanted: RegradeSelection, grader: str | None) -> list[str]:
    """Return the ids of the answers to grade, the newest first."""
    with log.open() as connection:
        found = connection.execute(
            """
            SELECT id, model, grader, reference IS NOT NULL,
                   (SELECT list(DISTINCT author) FROM feedback f WHERE f.outcome_id = o.id AND f.metric = $metric)
            FROM outcomes o
            WHERE status = 'ok' AND response IS NOT NULL AND store IS NULL AND forgotten IS NULL
                  AND time >= coalesce($since::TIMESTAMP, '-infinity'::TIMESTAMP)
                  AND ($task IS NULL OR task = $task)
                  AND (reference IS NOT NULL OR grader IS NOT NULL OR $grader IS NOT NULL)
                  AND (NOT recorded OR $grader IS NOT NULL)
            ORDER BY id DESC
            """,
            {"metric": ACCURACY, "since": wanted.since, "task": wanted.task, "grader": grader},
        )
        waiting: list[str] = []
        while group := found.fetchmany(10_000):
            for outcome_id, model, own, has_reference, authors in group:
                if _is_wanted(
                    graders, grader or own, model, has_reference, authors or (), again=wanted.again
                ):
                    waiting.append(outcome_id)
                    if len(waiting) == wanted.limit:
                        return waiting
    return waiting


def _is_wanted(
    graders: Graders,
    grader: str | None,
    model: str,
    has_reference: bool,
    authors: Sequence[str],
    *,
    again: bool,
) -> bool:
    try:
        if not has_reference and (grader is None or graders.needs_reference(grader)):
            return False
        return again or graders.author(grader, model) not in authors
    except UsageError:
        # A grader that the config no longer knows: grading says so, row by row.
        return True


def _cases(log: Log, waiting: Sequence[str], grader: str | None) -> Iterator[Case]:
    for start in range(0, len(waiting), _READ_AT_ONCE):
        part = waiting[start : start + _READ_AT_ONCE]
        with log.open() as connection:
            rows = rows_in(
                connection, f"SELECT {_COLUMNS} FROM outcomes WHERE id IN", part, "ORDER BY id DESC"
            )
        for outcome_id, query, answer, model, reference, task, own, tags in rows:
            yield Case(
                outcome_id=outcome_id,
                query=query,
                answer=answer,
                model=model,
                reference=reference,
                task=task,
                grader=grader or own,
                tags=tuple(tags or ()),
            )
