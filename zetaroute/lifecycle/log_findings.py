"""What a log says before anything is learned from it: what to learn from, its faults, and how the contest stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zetaroute.config import Settings
from zetaroute.evaluate.log_checks import LogFault
from zetaroute.learn.incremental.train import TrainingSource, open_source, opener
from zetaroute.lifecycle.contests import scored_units
from zetaroute.lifecycle.evidence import Evidence
from zetaroute.lifecycle.log_faults import faults_of_log
from zetaroute.lifecycle.next_step import OpenContest
from zetaroute.lifecycle.verdict import NO_CONTEST, NO_ROWS, RATED_ALONE, Verdict, judged
from zetaroute.log.contest_events import running_contest
from zetaroute.log.log import Log
from zetaroute.registry import COLD, Registry

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_MONEY = """
    SELECT coalesce(sum(cost_usd) FILTER (role = 'audit')
                    / nullif(count(DISTINCT fallback_of) FILTER (role = 'audit'), 0), avg(cost_usd), 0),
           count(*) FILTER (fallback_of IS NULL AND time > current_timestamp AT TIME ZONE 'UTC' - INTERVAL 30 DAY),
           (SELECT coalesce(bool_and(metric IN ('rating', 'thumbs', 'verdict')), false) FROM feedback)
    FROM outcomes
"""
"""What an audited query costs more; before any was audited, what a query costs. The queries of a month, and whether
nothing but ratings was ever said of an answer."""
_WAITING = """
    SELECT count(*) FROM outcomes
    WHERE contest.epoch = $epoch AND fallback_of IS NULL AND audit_probability IS NOT NULL
          AND id > coalesce((SELECT max(id) FROM evidence WHERE epoch = $epoch), '')
"""
"""Queries of a contest that are too new to be scored: one before them may still be under way, or a grade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFindings:
    """What the log says before anything is learned from it."""

    source: TrainingSource
    faults: list[LogFault]
    contest: OpenContest | None
    evidence: Evidence
    usd_per_audit: float
    monthly: int
    """Queries of the last 30 days."""
    scored: NDArray[np.uint64]
    """Units that some contest has scored; they never count again."""
    waiting: int = 0
    """Queries of the contest that are too new to be scored."""
    unscored: str = NO_ROWS
    """Why no query was scored, where none was."""
    won: bool = False
    """Whether its challenger has just come to serve."""

    def judged(self, evidence: Evidence, settings: Settings, more: Sequence[LogFault] = ()) -> Verdict:
        """Judge by some evidence, with `more` faults of the log than were found at first."""
        faults = [*more, *self.faults]
        return judged(
            evidence, settings, faults=faults, usd_per_audit=self.usd_per_audit, unscored=self.unscored
        )

    def notes(self) -> list[str]:
        """Return what is to be said beside the reasons of the verdict."""
        newest = (
            f"the {self.waiting} newest queries are not scored yet, for one before them may still be under way or "
            "ungraded: another `zetaroute retrain` a little later counts them"
        )
        waiting = [newest] if self.waiting else []
        return [*waiting, *self.source.notes, *(fault.words for fault in self.faults if not fault.refuses)]


def look_at(
    log: Log,
    registry: Registry,
    settings: Settings,
    *,
    since: str | None,
    sources: Sequence[str],
    cluster: str | None,
    partition_rows: int,
) -> LogFindings:
    """Return what to learn from, the faults of that log, and how the home's contest stands."""
    with opener(log, sources)() as connection:
        source = open_source(
            connection,
            log,
            settings,
            since=since,
            sources=sources,
            cluster=cluster is not None,
            partition_rows=partition_rows,
        )
        faults = faults_of_log(connection, registry, since=since)
        if source.own:
            return _with_contest(connection, source, faults, settings, serving=registry.current())
    with log.open() as connection:
        return _with_contest(connection, source, faults, settings, serving=registry.current())


def _with_contest(
    connection: DuckDBPyConnection,
    source: TrainingSource,
    faults: list[LogFault],
    settings: Settings,
    *,
    serving: str,
) -> LogFindings:
    usd, monthly, rated_alone = connection.execute(_MONEY).fetchone() or (0.0, 0, False)
    running, contest, waiting = running_contest(connection), None, 0
    evidence = Evidence.nothing(settings.objective)
    unscored = RATED_ALONE if rated_alone else NO_ROWS
    if running is None and serving != COLD and not rated_alone:
        unscored = NO_CONTEST.format(version=serving)
    if running is not None:
        evidence = Evidence.of_contest(connection, running, settings.objective)
        contest = OpenContest(running=running, found=evidence.standing)
        (waiting,) = connection.execute(_WAITING, {"epoch": running.event.epoch}).fetchone() or (0,)
    return LogFindings(
        source=source,
        faults=faults,
        contest=contest,
        evidence=evidence,
        usd_per_audit=float(usd),
        monthly=monthly,
        scored=scored_units(connection),
        waiting=waiting,
        unscored=unscored,
    )
