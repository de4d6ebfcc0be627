"""Whether a retrain keeps the chain that an earlier one has fitted, by the audited answers that have come since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from zetaroute.domain import Objective
from zetaroute.learn.fit import Fitted
from zetaroute.learn.frame import TEACHING
from zetaroute.policy.chain.plan import ChainPlan
from zetaroute.policy.learned import LearnedPredictor
from zetaroute.policy.policy import Policy

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

REFITTED_AFTER = 0.1
"""Part of its answers that must have come since a chain was fitted, or been graded, to fit it anew."""
AUDITED = "status = 'ok' AND audited AND role IN ('served', 'chain', 'audit', 'seed')"
READABLE = f"{TEACHING} AND store IS NULL AND response IS NOT NULL"
_COUNT = f"""
    SELECT count(*) FILTER ({READABLE}), count(accuracy) FILTER ({READABLE}),
        coalesce(sum(accuracy) FILTER ({READABLE}), 0.0), count(*) FILTER (NOT ({READABLE}))
    FROM graded WHERE {AUDITED}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedAnswers:
    """The answers of a log that teach a chain."""

    answers: int
    graded: int
    right: float
    """Sum of the grades."""
    gone: int
    """Those whose text was forgotten or never kept: a chain that was fitted before may know some of them."""

    @classmethod
    def of_log(cls, connection: DuckDBPyConnection) -> AuditedAnswers:
        """Count those of a log."""
        answers, graded, right, gone = connection.execute(_COUNT).fetchone() or (0, 0, 0.0, 0)
        return cls(answers=answers, graded=graded, right=right, gone=gone)


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedChain:
    """What a retrain knows of looking at answers."""

    plan: ChainPlan | None
    """None where audits are too few for any."""
    fitted_on: AuditedAnswers
    notes: tuple[str, ...] = ()
    """What is to be said of it."""


def kept_chain(
    connection: DuckDBPyConnection,
    known: Policy,
    manifest: Mapping[str, Any],
    fitted: Fitted,
    objective: Objective,
) -> LearnedChain | None:
    """Return what the `known` policy, with this manifest, has of a chain; None where one is to be fitted anew.

    It is kept while nearly all answers are those that it was fitted on and none of these is gone, for the same
    models, prices, map and objective, unless a model has changed.
    """
    now, before = fitted.predictor, known.predictor
    # Versions of before have none.
    found = manifest.get("chain_fitted_on")
    if found is None or "right" not in found or fitted.drifts or not isinstance(before, LearnedPredictor):
        return None
    same = (now.models, now.map.identity(), asdict(objective))
    prices = [{model: one.prices for model, one in each.priced.items()} for each in (now, before)]
    if same != (before.models, before.map.identity(), manifest["objective"]) or prices[0] != prices[1]:
        return None
    then, there = AuditedAnswers(**found), AuditedAnswers.of_log(connection)
    new, more = there.answers - then.answers, int(REFITTED_AFTER * then.answers)
    regraded = max(abs(there.graded - then.graded), abs(there.right - then.right))
    if there.gone != then.gone or not 0 <= new <= more or regraded > more:
        return None
    words = (
        f"the chain is kept as it was fitted: {new} audited answers have come since its {then.answers}, "
        f"more than {more} fit it anew"
    )
    return LearnedChain(plan=known.chain, fitted_on=then, notes=() if known.chain is None else (words,))
