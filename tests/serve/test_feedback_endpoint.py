"""Feedback from programs: named in every way, kept once, delayed, in bulk."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.command import ok, rows
from tests.serve.running import Server


def told(server: Server, body: Any, **headers: str) -> Any:
    answer = server.post("/v1/feedback", body, **headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def kept(server: Server, outcome: str) -> list[Any]:
    sql = (
        f"SELECT metric, value, source, author FROM feedback WHERE outcome_id = '{outcome}' ORDER BY time, id"
    )
    return rows(server.home, sql)


def test_an_answer_is_named_in_every_way(practice: Server) -> None:
    answer = practice.ask("What is 2 + 3?", metadata={"correlation_id": "order-17", "task": "sums"})
    outcome = answer.headers["x-zetaroute-outcome"]
    said = {"metric_name": "rating", "value": 4}
    told(practice, {**said, "outcome_id": outcome, "tags": {"author": "a"}})
    told(practice, {**said, "inference_id": answer.json()["id"], "tags": {"author": "b"}})
    told(practice, {**said, "metadata": {"correlation_id": "order-17"}, "tags": {"author": "c"}})
    told(
        practice,
        {"metric_name": "accuracy", "value": True, "outcome_id": outcome, "tags": {"source": "truth"}},
    )
    assert kept(practice, outcome) == [
        ("rating", 4.0, "user", "a"),
        ("rating", 4.0, "user", "b"),
        ("rating", 4.0, "user", "c"),
        ("accuracy", 1.0, "truth", "api"),
    ]
    found = rows(practice.home, f"SELECT task, accuracy, satisfaction FROM rounds WHERE id = '{outcome}'")
    assert found == [("sums", 1.0, 0.75)]


def test_a_repetition_adds_nothing_but_a_change_of_mind_counts(practice: Server) -> None:
    outcome = practice.ask("once").headers["x-zetaroute-outcome"]
    said = [{"metric_name": "rating", "value": value, "outcome_id": outcome} for value in (4, 4, 2, 4)]
    ids = [told(practice, one)["feedback_id"] for one in said]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert [value for _, value, _, _ in kept(practice, outcome)] == [4.0, 2.0, 4.0]
    assert told(practice, said)["feedback_ids"][0] == ids[3]


def test_a_key_is_good_for_one_time(practice: Server) -> None:
    outcome = practice.ask("keyed").headers["x-zetaroute-outcome"]
    body = [{"metric_name": name, "value": 1, "outcome_id": outcome} for name in ("thumbs", "useful")]
    first = told(practice, body, **{"idempotency-key": "k-1"})
    assert told(practice, body, **{"idempotency-key": "k-1"}) == first
    told(practice, body[0], **{"idempotency-key": "k-2"})
    assert sorted(metric for metric, *_ in kept(practice, outcome)) == ["thumbs", "thumbs", "useful"]


def test_one_that_is_unknown_keeps_all_out(practice: Server) -> None:
    outcome = practice.ask("partly").headers["x-zetaroute-outcome"]
    good = {"metric_name": "rating", "value": 5, "outcome_id": outcome}
    answer = practice.post("/v1/feedback", [good, {**good, "outcome_id": "no-such"}])
    assert answer.status_code == 404
    assert "no-such" in answer.json()["error"]["message"]
    assert kept(practice, outcome) == []


@pytest.mark.parametrize(
    "change",
    [
        {"value": 6},
        {"value": "4"},
        {"value": 10**400},
        {"metric_name": None},
        {"outcome_id": None},
        {"outcome_id": 3},
        {"tags": {"source": "rumour"}},
        {"tags": []},
        {"unknown": 1},
    ],
)
def test_what_is_no_feedback_is_refused(practice: Server, change: dict[str, Any]) -> None:
    body = {"metric_name": "rating", "value": 4, "outcome_id": "x"} | change
    assert practice.post("/v1/feedback", body).status_code == 400
    assert practice.post("/v1/feedback", []).status_code == 400


def test_the_command_line_rates_the_same_answers(practice: Server) -> None:
    outcome = practice.ask("rated by hand").headers["x-zetaroute-outcome"]
    ok(practice.home, "rate", outcome, "3")
    assert [value for _, value, _, _ in kept(practice, outcome)] == [3.0]
