"""The judgement of the canary that runs: its rows, its evidence and what follows from it at every merge."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from zetaroute.config import Home
from zetaroute.domain import CanaryEvent, CanaryStep, Promotion, new_id
from zetaroute.errors import ArtifactError
from zetaroute.log.canary import running_canary
from zetaroute.log.journal import Entry
from zetaroute.log.views import LOST, graded_from
from zetaroute.registry import Registry

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from zetaroute.evaluate.eprocess import Evidence, Trials

SHARES = (0.1, 0.25, 0.5)
"""Shares of the queries that a candidate is given, one after the other while no harm shows."""
GRADED_PER_SHARE = 100
"""Graded rows at one share before the next."""
LITTLE_HARM = 2.0
"""Evidence of harm below which the share may rise; an equal candidate hardly passes it."""
MOST_GRADED = 10_000
"""Graded rows after which a canary that decided nothing ends: there is hardly a difference."""

_MILLIS = 13
"""Characters of an id that tell its millisecond: within one, ids have no order."""

_ROWS = f"""
    SELECT duel.share, duel.least,
           r.received AS accuracy,
           $answer * r.received - $second * coalesce(r.response_s, 0)
               - coalesce(r.cost_usd, CASE WHEN list_contains($free, r.model) THEN 0 ELSE $unknown END) AS utility,
           duel.before_usd, duel.after_usd, duel.before_accuracy, duel.after_accuracy,
           duel.before <> duel.after AS differ,
           CASE WHEN r.model = duel.before THEN 1 / r.propensity ELSE 0 END AS took_before,
           CASE WHEN r.model = duel.after THEN 1 / r.propensity ELSE 0 END AS took_after
    FROM (SELECT *, CASE WHEN {LOST} THEN 0.0 ELSE accuracy END AS received FROM ({graded_from("$begin")})) r
    WHERE duel.canary = $canary AND r.propensity IS NOT NULL AND r.fallback_of IS NULL
          AND r.status <> 'cancelled' AND r.received IS NOT NULL
    ORDER BY r.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryRows:
    """The graded rows of a canary on the scale of its judgement."""

    utility: Trials
    accuracy: Trials
    at_share: int
    """How many of them had the share of now."""

    @property
    def graded(self) -> int:
        """Number of rows."""
        return len(self.utility.reward)


def alpha_left(connection: DuckDBPyConnection) -> float:
    """Return what the canaries that ended have left of their share of false promotions."""
    from zetaroute.evaluate.eprocess import ALPHA, left_after

    left = ALPHA
    ended = connection.execute(
        "SELECT step, evidence FROM canaries WHERE step NOT IN ('started', 'raised') ORDER BY time, id"
    ).fetchall()
    for step, evidence in ended:
        left = left_after(left, promoted=step == "promoted", evidence=evidence)
    return left


def next_step(
    canary: CanaryEvent,
    step: CanaryStep,
    *,
    evidence: float,
    reason: str,
    author: str,
    share: float | None = None,
) -> CanaryEvent:
    """Return the event with which a canary goes on or ends, with the evidence for its candidate by then."""
    return replace(
        canary,
        id=new_id(),
        time=datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds"),
        step=step,
        evidence=evidence,
        share=canary.share if share is None else share,
        reason=reason,
        author=author,
    )


def judge_canary(connection: DuckDBPyConnection, home: Home) -> Entry | None:
    """Judge the canary that runs by all of its rows; return what to write down, None when nothing changes.

    Moves the pointer to the current version where the evidence promotes.
    """
    canary = running_canary(connection)
    if canary is None:
        return None
    registry = Registry(home.artifacts)
    current = registry.current_or_none()
    rows = canary_rows(connection, canary)
    finding = evidence_of(canary, rows)
    if current != canary.champion:
        return _event(canary, "stopped", finding, f"{current} was made current")
    if finding.end == "promoted":
        return _promoted(registry, canary, finding)
    if finding.end == "rolled_back":
        return _event(canary, "rolled_back", finding, finding.reason)
    if rows.graded >= MOST_GRADED:
        return _event(canary, "stopped", finding, f"{rows.graded} graded rows show no difference either way")
    return _raised(canary, rows, finding)


def _raised(canary: CanaryEvent, rows: CanaryRows, finding: Evidence) -> Entry | None:
    """Give the candidate the next share where it had enough rows at this one and shows no harm."""
    higher = [share for share in SHARES if share > canary.share]
    if not higher or rows.at_share < GRADED_PER_SHARE or finding.harm >= LITTLE_HARM:
        return None
    reason = f"no harm shows in {rows.graded} graded rows"
    return _event(canary, "raised", finding, reason, share=higher[0])


def _event(
    canary: CanaryEvent, step: CanaryStep, finding: Evidence, reason: str, *, share: float | None = None
) -> Entry:
    event = next_step(canary, step, evidence=finding.gain, reason=reason, author="canary", share=share)
    return Entry(canaries=(event,))


def evidence_of(canary: CanaryEvent, rows: CanaryRows) -> Evidence:
    """Return what the rows say of the canary."""
    from zetaroute.evaluate.eprocess import judge

    return judge(rows.utility, rows.accuracy, promote_at=canary.promote_at, margin=canary.accuracy_margin)


def canary_rows(connection: DuckDBPyConnection, canary: CanaryEvent) -> CanaryRows:
    """Return the graded rows of a canary in the order in which they came."""
    import numpy as np

    from zetaroute.evaluate.eprocess import Trials

    columns = connection.execute(
        _ROWS,
        {
            "canary": canary.canary,
            "begin": canary.canary[:_MILLIS],
            "answer": canary.answer_value_usd,
            "second": canary.second_value_usd,
            "free": list(canary.free),
            "unknown": canary.unknown_usd,
        },
    ).fetchnumpy()
    values = {
        name: np.asarray(np.ma.filled(np.ma.asarray(column, dtype=np.float64), math.nan), dtype=np.float64)
        for name, column in columns.items()
    }

    def trials(reward: str, before: str, after: str, *, lowest: float, highest: float) -> Trials:
        scaled = (
            np.clip((values[name] - lowest) / (highest - lowest), 0.0, 1.0)
            for name in (reward, before, after)
        )
        return Trials(
            **dict(zip(("reward", "before", "after"), scaled, strict=True)),
            took_before=values["took_before"],
            took_after=values["took_after"],
            differ=values["differ"] > 0,
            least=values["least"],
        )

    return CanaryRows(
        utility=trials(
            "utility", "before_usd", "after_usd", lowest=canary.lowest_usd, highest=canary.highest_usd
        ),
        accuracy=trials("accuracy", "before_accuracy", "after_accuracy", lowest=0.0, highest=1.0),
        at_share=int((np.abs(values["share"] - canary.share) < 1e-9).sum()),
    )


def _promoted(registry: Registry, canary: CanaryEvent, finding: Evidence) -> Entry:
    """Make the candidate current; where its artifact is damaged the canary ends instead."""
    try:
        registry.verify(canary.version)
    except ArtifactError as error:
        return _event(canary, "stopped", finding, str(error))
    registry.make_current(canary.version)
    event = next_step(canary, "promoted", evidence=finding.gain, reason=finding.reason, author="canary")
    promotion = Promotion(
        id=new_id(),
        time=event.time,
        version=canary.version,
        previous=canary.champion,
        reason=f"canary: {finding.reason}",
        author="canary",
    )
    return Entry(canaries=(event,), promotions=(promotion,))
