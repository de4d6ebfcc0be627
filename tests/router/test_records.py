"""The first row of a query carries the decision, and its id tells when that was made."""

from __future__ import annotations

import time
from dataclasses import replace

from tests.log.test_log import feedback, outcome
from zetaroute.domain import Attempt, Audit, Query
from zetaroute.policy import Limits
from zetaroute.router.options import AskOptions
from zetaroute.router.records import OutcomeRecords, reported_cost_usd, spent_usd
from zetaroute.router.router import open_router


def test_ids_go_by_the_order_of_decisions_not_of_answers(home, settings):
    router = open_router(home, settings)
    query, options = Query(text="hello"), AskOptions(limits=Limits())
    made = []
    for seed in range(3):
        decision = router.decide(query, seed=seed)
        made.append(OutcomeRecords(query, decision, options, router.arms))
        time.sleep(0.002)
    for records in reversed(made):
        model = records._decision.model
        records.add([Attempt(model=model, status="error", error_kind="server")] * 2, escalated=False)
    first = [records.outcomes[0].id for records in made]
    assert first == sorted(first)
    for records in made:
        assert [row.fallback_of for row in records.outcomes] == [None, records.outcomes[0].id]
        assert isinstance(records._decision.audit, Audit)
        # Rows have sixty fields: to make each a second time takes a twentieth of a row of `batch`.
        assert all(mine is row for mine, row in zip(records.outcomes, records.entry().outcomes, strict=True))


def test_a_recording_costs_what_it_says_and_takes_nothing_from_a_budget():
    rows = [outcome(recorded=recorded, cost_usd=0.25, status="ok") for recorded in (True, False)]
    said = [replace(feedback(rows[0].id, 1.0), cost_usd=0.125)]
    assert reported_cost_usd(rows, said) == 0.625
    assert spent_usd(rows, said) == 0.375
