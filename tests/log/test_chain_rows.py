"""Rows of chains among others: which answer was given, and what the rest of them says of their models."""

from __future__ import annotations

import pytest

from tests.log.test_log import feedback, outcome
from zetaroute.config import Home
from zetaroute.domain import ALL_TASKS, ChainAsk, Query, new_id, utc_now
from zetaroute.feedback.ingest import resolve
from zetaroute.feedback.judgement import Judgement
from zetaroute.learn.frame import read_frame
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.log.standings import read_state
from zetaroute.router.conversations import in_conversation


def chain_entry(*, audited: bool, given: int) -> Entry:
    """Return a query whose chain asked `a` and then `b`, which was right; the answer at place `given` was given."""
    asks = [
        ChainAsk(probability_right=0.5, agrees=0.0, waited_s=None, returned=place == given, why="it is so")
        for place in range(2)
    ]
    first = outcome(
        id=new_id(),
        time=utc_now(),
        query=new_id(),
        response="of a",
        conversation="talk",
        policy_version="v0001",
        propensity=0.9,
        audited=audited,
        audit_probability=0.25,
        chain=asks[0],
    )
    second = outcome(
        id=new_id(),
        time=utc_now(),
        query=first.query,
        model="b",
        response="of b",
        conversation="talk",
        policy_version="v0001",
        attempt=2,
        fallback_of=first.id,
        role="chain",
        escalated=True,
        audited=audited,
        audit_probability=0.25 if audited else None,
        chain=asks[1],
    )
    return Entry(outcomes=(first, second), feedback=(feedback(first.id, 0.0), feedback(second.id, 1.0)))


@pytest.mark.parametrize("audited", [False, True])
def test_what_a_chain_asked_teaches_where_the_query_was_audited(home: Home, audited: bool) -> None:
    log = Log(home)
    log.append([chain_entry(audited=audited, given=1)])
    log.merge()
    with log.open() as connection:
        models = read_frame(connection)["model"].to_list()
    assert models == (["a", "b"] if audited else ["a"])
    tally = read_state(home).standings["b"].tallies[ALL_TASKS]
    assert (tally.calls, tally.graded) == (1, int(audited))


@pytest.mark.parametrize("given", [0, 1])
def test_what_names_a_query_of_a_chain_means_the_answer_that_was_given(home: Home, given: int) -> None:
    log = Log(home)
    entry = chain_entry(audited=False, given=given)
    log.append([entry])
    log.merge()
    said = Judgement(
        metric="rating",
        value=5.0,
        outcome_id=entry.outcomes[0].id,
        custom_id=None,
        source="user",
        author="user",
    )
    (found,) = resolve(log, [said])
    assert found is not None
    assert found.feedback.outcome_id == entry.outcomes[given].id
    query, model = in_conversation(log, Query(text="and then?"), "talk")
    assert model == "ab"[given]
    assert [turn.content for turn in query.history][1:] == [f"of {'ab'[given]}"]
