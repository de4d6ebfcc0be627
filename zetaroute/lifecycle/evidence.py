"""What was measured of challengers so far: in the contest that runs, or by past rows that were played through."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from zetaroute.analysis.contest_result import Measured, contest_gain, contest_lines, measured
from zetaroute.config import Settings
from zetaroute.domain import Figure, Objective
from zetaroute.evaluate.before_after import BeforeAfter
from zetaroute.evaluate.e_process import believed_gain
from zetaroute.evaluate.intervals import NOTHING
from zetaroute.evaluate.scoring import design
from zetaroute.learn.incremental.collect import ReadRows
from zetaroute.learn.progressive import Challenged
from zetaroute.lifecycle.past_evidence import past_columns
from zetaroute.log.contest_events import RunningContest
from zetaroute.projections.contest_standing import ContestStanding, standing_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the scored queries say together."""

    standing: ContestStanding
    found: Measured | None
    """The queries; None where none was scored."""
    table: BeforeAfter | None
    """Every KPI of the champion and of the challengers."""
    rejected: bool = False
    """Whether a challenger was stopped for the harm that it did."""
    serves: bool = False
    """Whether the challenger serves already, and is held against the champion of before."""

    @classmethod
    def of_contest(
        cls, connection: DuckDBPyConnection, running: RunningContest, objective: Objective
    ) -> Evidence:
        """Return the evidence of the contest that runs."""
        event = running.event
        found = measured(connection, contest_lines(connection, event.epoch))
        evidence = cls._of(standing_of(connection, event), found, objective)
        return replace(evidence, rejected=event.step == "rejected", serves=event.step == "promoted")

    @classmethod
    def of_past(
        cls, connection: DuckDBPyConnection, past: Challenged, newest: ReadRows, settings: Settings
    ) -> Evidence:
        """Return the evidence of past rows, whose answers `connection` shows."""
        objective = settings.objective
        standing = past.found(objective, settings.gate.accuracy_margin)
        found = measured(connection, past_columns(past, newest))
        return cls._of(ContestStanding(**standing), found, objective)

    @classmethod
    def nothing(cls, objective: Objective) -> Evidence:
        """Return what is known where nothing was scored."""
        unit, none = objective.answer_value_usd, np.zeros(0)
        belief = believed_gain(none, none > 0, point=unit / 100.0, design=design(unit, 0.5))
        standing = ContestStanding(
            units=0, paired=0, e_value=1.0, left=1.0, accuracy=1.0, harm=1.0, belief=belief, own_mean_usd=None
        )
        return cls(standing=standing, found=None, table=None)

    @classmethod
    def _of(cls, standing: ContestStanding, found: Measured, objective: Objective) -> Evidence:
        if not standing.units:
            return cls(standing=standing, found=None, table=None)
        return cls(standing=standing, found=found, table=found.table(objective))

    def satisfaction(self) -> Figure:
        """Return the change in satisfaction."""
        return NOTHING if self.table is None else self.table.difference["satisfaction_score"]

    def gain(self, objective: Objective) -> Figure:
        """Return the gain in utility per query with an interval that holds at every look: at a promotion too."""
        if self.found is None:
            return NOTHING
        return contest_gain(self.found.lines, objective.answer_value_usd / 100.0)
