"""Canaries: begin one, end one. They are judged at every merge, by `projections`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from zetaroute.arrays import Array
from zetaroute.config import Settings
from zetaroute.domain import CanaryEvent, new_id, utc_now
from zetaroute.errors import ArtifactError
from zetaroute.evaluate.eprocess import left_after, promotion_level
from zetaroute.evaluate.gate import FEWEST_HITS, Verdict
from zetaroute.evaluate.ope import Difference, Support
from zetaroute.log.canary import running_canary
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.projections.canary import SHARES, alpha_left, canary_rows, evidence_of, next_step
from zetaroute.registry import Registry

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

OUTDATED = 1.5
"""Times as many training rows as a candidate on trial learned from make it worth trying a new one instead."""
TAIL = 0.99
"""Quantile of earlier costs and times that bounds the scale: rare worse ones count like it."""


def begin_canary(
    log: Log,
    connection: DuckDBPyConnection,
    settings: Settings,
    *,
    version: str,
    champion: str,
    cost_usd: Array,
    response_s: Array,
    reason: str,
    author: str,
) -> CanaryEvent:
    """Give `version` a first share of the queries beside the champion; one that runs already is ended.

    `cost_usd` and `response_s` (n,) are of earlier rows, unknown ones NaN: they fix the scale of the judgement.
    """
    ended = _ended(connection, f"{version} is tried instead", author)
    # Little at first, to protect those whom the champion serves well; the successor of a candidate that did no
    # harm takes over its share.
    share = ended[0].share if ended else SHARES[0]
    left = alpha_left(connection)
    for event in ended:
        left = left_after(left, promoted=False, evidence=event.evidence)
    objective = settings.objective
    highest_usd, slowest = (_upper(values) for values in (cost_usd, response_s))
    identity = new_id()
    started = CanaryEvent(
        id=identity,
        time=utc_now(),
        canary=identity,
        step="started",
        version=version,
        champion=champion,
        share=share,
        promote_at=promotion_level(left),
        evidence=1.0,
        accuracy_margin=settings.gate.accuracy_margin,
        answer_value_usd=objective.answer_value_usd,
        second_value_usd=objective.second_value_usd,
        lowest_usd=-highest_usd - objective.second_value_usd * slowest,
        highest_usd=objective.answer_value_usd,
        unknown_usd=highest_usd,
        free=tuple(arm.id for arm in settings.arms if arm.local),
        reason=reason,
        author=author,
    )
    log.write(connection, Entry(canaries=(*ended, started)))
    return started


def deserves_trial(promote: str, verdict: Verdict, utility: Difference, support: Support) -> bool:
    """Return whether a candidate that was not promoted is tried on a share of the queries.

    Its estimate must be positive, from rows that show what it would do differently, and no harm proven; who asks
    for a canary by name gets one unless harm is proven.
    """
    if verdict.word == "REJECT" or support.disagreement == 0.0 or promote not in {"auto", "canary"}:
        return False
    if promote == "canary":
        return True
    hopeful = utility.mean > 0 and verdict.collapse is None
    return hopeful and support.propensities_consistent and support.hits >= FEWEST_HITS


def may_succeed(running: Mapping[str, Any] | None, registry: Registry, training_rows: int) -> bool:
    """Return whether a new candidate may take the place of the one that a canary tries.

    Only where it has learned from half as many rows again, and while the evidence for the other has not come
    halfway: a restart costs rows and a level, and so does waiting for a verdict on what is outdated.
    """
    if running is None:
        return True
    evidence = running["evidence"]
    try:
        learned_from = registry.manifest(running["version"])["training"]["rows"]
    except ArtifactError:
        return True
    halfway = math.sqrt(evidence["promotes_at"])
    return bool(training_rows >= OUTDATED * learned_from and evidence["gain"] < halfway)


def end_canary(log: Log, connection: DuckDBPyConnection, *, reason: str, author: str) -> CanaryEvent | None:
    """Stop giving queries to a candidate; return the last step of the canary that ran, or None."""
    ended = _ended(connection, reason, author)
    if not ended:
        return None
    log.write(connection, Entry(canaries=ended))
    return ended[0]


def _ended(connection: DuckDBPyConnection, reason: str, author: str) -> tuple[CanaryEvent, ...]:
    """Return the last step of the canary that runs; nothing without one."""
    running = running_canary(connection)
    if running is None:
        return ()
    finding = evidence_of(running, canary_rows(connection, running))
    return (next_step(running, "stopped", evidence=finding.gain, reason=reason, author=author),)


def _upper(values: Array) -> float:
    known = values[~np.isnan(values)]
    return float(np.quantile(known, TAIL)) if len(known) else 0.0
