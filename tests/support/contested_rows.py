"""Rows of a contest as the engine writes them: the first row of a query, its audit, its grades."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

from tests.log.test_log import feedback, outcome
from zetaroute.domain import ContestEvent, Outcome, Pairing, UtilityRange, new_id
from zetaroute.log.journal import Entry

BEGAN_S = time.time() - 2000.0
"""Contests began then, and their queries came since, each a tenth of a second after the one before."""
_NUMBER = count()


def began(champion: str, challenger: str, **changes: Any) -> ContestEvent:
    """Return the event with which a contest begins between the models `a`, which the champion asks, and `b`."""
    identity = new_id(BEGAN_S)
    event = ContestEvent(
        id=identity,
        time="2026-05-05T00:00:00",
        epoch=identity,
        step="began",
        champion=champion,
        anchor="a",
        challenger=challenger,
        ranges=tuple(UtilityRange(model=model, low_usd=-0.001, high_usd=0.01) for model in "ab"),
        answer_value_usd=0.01,
        second_value_usd=0.001,
        unknown_usd=0.0005,
        free=("b",),
        accuracy_margin=0.02,
        max_regret_usd=None,
        evidence=1.0,
        harm=1.0,
        reason="learned",
        author="test",
    )
    return replace(event, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One query of a contest."""

    row: Outcome
    shadows: Sequence[Outcome] = ()
    grades: Mapping[str, float | None] = field(default_factory=dict)
    """By model; None: not graded yet."""
    source: str = "truth"

    @property
    def id(self) -> str:
        """Id of its first row."""
        return self.row.id

    @property
    def entry(self) -> Entry:
        """What is journaled of it."""
        rows = (self.row, *self.shadows)
        return Entry(outcomes=rows, feedback=tuple(said for row in rows for said in self.graded(row)))

    def graded(self, row: Outcome, value: float | None = None) -> list[Any]:
        """Return what is said of one of its rows: its grade, or a value in place of it."""
        grade = self.grades.get(row.model) if value is None else value
        return [] if grade is None else [feedback(row.id, grade, source=self.source)]


def asked(
    event: ContestEvent,
    *,
    right: Mapping[str, float | None],
    heads: bool = False,
    model: str | None = None,
    wants: str = "b",
    at_s: float | None = None,
    share: float = 0.5,
    source: str = "truth",
    draw: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Asked:
    """Return a query whose champion wants `a` and whose challenger wants `wants`.

    `right` grades the answers by model. With `heads` both are asked; else `model` was drawn, `a` unless said.
    """
    number = next(_NUMBER)
    moment = BEGAN_S + 1.0 + 0.1 * number if at_s is None else at_s
    first = model or "a"
    pairing = Pairing(
        epoch=event.epoch,
        challenger=event.challenger,
        share=share,
        kept=0.83,
        side="challenger" if first == wants else "champion",
        champion_model="a",
        challenger_model=wants,
        champion_p=0.4,
        challenger_p=0.25,
        champion_usd=0.004,
        challenger_usd=0.006,
        champion_accuracy=0.5,
        challenger_accuracy=0.6,
    )
    row = outcome(
        id=new_id(moment),
        time=datetime.fromtimestamp(moment, UTC).replace(tzinfo=None).isoformat(timespec="microseconds"),
        query=f"query {number}",
        reference="yes",
        model=first,
        policy_version=event.champion,
        propensity=0.4,
        response_s=0.0,
        cost_usd=0.0,
        role="served",
        audit_probability=0.25,
        audited=heads,
        contest=replace(pairing, **(draw or {})),
    )
    row = replace(row, **changes)
    others = [one for one in dict.fromkeys(["a", wants]) if one != first] if heads else []
    shadows = [
        replace(
            row,
            id=new_id(moment + 0.001),
            model=one,
            role="audit",
            fallback_of=row.id,
            propensity=None,
            contest=None,
            status="ok",
            error_kind=None,
        )
        for one in others
    ]
    return Asked(row=row, shadows=shadows, grades=right, source=source)
