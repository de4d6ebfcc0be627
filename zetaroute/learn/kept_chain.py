"""Whether a retrain keeps the chain that an earlier one has fitted, by the audited answers that have come since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zetaroute.domain import Objective
from zetaroute.learn.fit import Fitted
from zetaroute.learn.frame import TEACHING
from zetaroute.policy.chain.plan import AuditedAnswers, ChainPlan
from zetaroute.policy.learned import LearnedPredictor
from zetaroute.policy.policy import Policy

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

REFITTED_AFTER = 0.1
"""Part of its answers that must have come since a chain was fitted, or been graded, to fit it anew."""
AUDITED = "status = 'ok' AND audited AND role IN ('served', 'chain', 'audit', 'seed')"
READABLE = f"{TEACHING} AND store IS NULL AND response IS NOT NULL"
_COUNT = f"""
    SELECT count(*) FILTER ({READABLE}), count(accuracy) FILTER ({READABLE}), count(*) FILTER (NOT ({READABLE}))
    FROM graded WHERE {AUDITED}
"""


def kept_chain(
    connection: DuckDBPyConnection, known: Policy, fitted: Fitted, objective: Objective
) -> tuple[ChainPlan | None, tuple[str, ...]]:
    """Return the chain of a `known` policy and in words why it is kept; none where it is to be fitted anew.

    It is kept while nearly all answers are those that it was fitted on and none of these is gone, for the same
    models, prices, map and objective, unless a model has changed.
    """
    plan, now, before = known.chain, fitted.predictor, known.predictor
    if plan is None or plan.learned_from is None or fitted.drifts or not isinstance(before, LearnedPredictor):
        return None, ()
    prices = [{model: one.prices for model, one in each.priced.items()} for each in (now, before)]
    same = (now.models, now.map.identity(), objective) == (
        before.models,
        before.map.identity(),
        plan.objective,
    )
    if not same or prices[0] != prices[1]:
        return None, ()
    then, there = plan.learned_from, audited_answers(connection)
    new, more = there.answers - then.answers, int(REFITTED_AFTER * then.answers)
    if there.gone != then.gone or not 0 <= new <= more or abs(there.graded - then.graded) > more:
        return None, ()
    words = (
        f"the chain is kept as it was fitted: {new} audited answers have come since its {then.answers}, "
        f"more than {more} fit it anew"
    )
    return plan, (words,)


def audited_answers(connection: DuckDBPyConnection) -> AuditedAnswers:
    """Return how many answers a chain can be fitted on now."""
    answers, graded, gone = connection.execute(_COUNT).fetchone() or (0, 0, 0)
    return AuditedAnswers(answers=answers, graded=graded, gone=gone)
