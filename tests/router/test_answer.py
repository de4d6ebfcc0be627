"""What became of a query: its figures, and the shapes in which they are reported."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.log.test_log import feedback, outcome
from zetaroute.domain import Candidate, Decision, Estimate, Query, ToolCall, tool_calls_as_text
from zetaroute.log.journal import Entry
from zetaroute.router.answer import Answer, output_line

SURE = Estimate(mean=0.5, se=0.1)
CANDIDATE = Candidate(
    model="a",
    eligible=True,
    reason="prior from the config",
    accuracy=SURE,
    satisfaction=SURE,
    response_s=SURE,
    cost_usd=None,
    utility_usd=SURE,
    probability=1.0,
)
DECISION = Decision(
    candidates=(CANDIDATE,),
    model="a",
    propensity=0.25,
    forced=False,
    explored=True,
    policy_version="v0001",
    seed=3,
    router_s=0.001,
)
FAILED = outcome(
    id="1", model="a", status="error", error="a: is down.", error_kind="server", response_s=2.0, cost_usd=None
)
WON = outcome(
    id="2",
    model="b",
    served_model="b-1",
    custom_id="c",
    response="naïve",
    response_s=1.0,
    cost_usd=0.5,
    input_tokens=3,
    output_tokens=4,
    finish_reason="stop",
)


def answer_of(*rows: Any, said: tuple[Any, ...] = (), **query: Any) -> Answer:
    asked = Query(text="q", **query)
    return Answer(query=asked, decision=DECISION, entry=Entry(outcomes=rows, feedback=said))


def test_the_last_answer_is_the_one_that_is_given() -> None:
    answer = answer_of(WON, FAILED, said=(feedback("2", 1.0), feedback("1", 0.0)))
    assert (answer.id, answer.model, str(answer), answer.error) == ("2", "b", "naïve", None)
    assert (answer.accuracy, answer.response_s, answer.cost_usd) == (1.0, 3.0, 0.5)
    assert (answer.policy, answer.propensity, answer.explored) == ("v0001", 0.25, True)
    assert answer.failures == "a: is down"


def test_without_an_answer_the_last_failure_speaks() -> None:
    answer = answer_of(FAILED, reference="5")
    # Neither an outage nor a mistake of the config says anything of how good a model is; an empty answer does.
    assert (answer.id, answer.text, answer.error, answer.accuracy) == ("1", "", "a: is down.", None)
    assert answer.cost_usd is None
    assert answer_of(replace(FAILED, error_kind="empty"), reference="5").accuracy == 0.0
    refused = outcome(status="error", error="no key", error_kind="unauthorised")
    assert answer_of(refused, reference="5").accuracy is None


def test_what_a_check_and_a_judge_said_is_told_apart() -> None:
    said = (
        feedback("2", 0.25, metric="check"),
        feedback("2", 1.0, metric="no_grade", comment="the judge is down", source="judge", cost_usd=0.125),
    )
    answer = answer_of(WON, said=said)
    assert (answer.check, answer.note, answer.accuracy) == (0.25, "the judge is down", None)
    assert (answer.judge_cost_usd, answer.spent_usd) == (0.125, 0.625)


def test_json_has_the_keys_of_the_contract_in_their_order() -> None:
    told = answer_of(FAILED, WON).json()
    assert " ".join(told) == (
        "id answer served_model model policy propensity forced explored seed router_s note candidates response_s "
        "ttft_s input_tokens output_tokens tokens_estimated finish_reason cost_usd accuracy check "
        "judge_cost_usd audited audit_cost_usd attempts chain session"
    )
    assert (told["model"], told["served_model"], told["policy"]) == ("b", "b-1", "v0001")
    assert told["attempts"] == [{"model": "a", "error": "a: is down."}, {"model": "b", "error": None}]
    (candidate,) = told["candidates"]
    assert " ".join(candidate) == (
        "model eligible reason accuracy satisfaction satisfied response_s cost_usd utility_usd probability se"
    )
    assert candidate["cost_usd"] is None
    assert candidate["se"] == {"accuracy": 0.1, "satisfaction": 0.1, "response_s": 0.1, "utility_usd": 0.1}


def test_a_plain_line() -> None:
    line = answer_of(WON).line("plain")
    assert line == (
        '{"custom_id": "c", "id": "2", "answer": "naïve", "model": "b", "accuracy": null, "response_s": 1.0, '
        '"cost_usd": 0.5, "finish_reason": "stop", "error": null}\n'
    )


def test_a_line_as_the_batch_api_writes_it() -> None:
    told = json.loads(answer_of(WON).line("openai"))
    assert told["error"] is None
    body = told["response"]["body"]
    assert body["created"] == 1767323045
    assert body["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert body["choices"][0]["message"] == {"role": "assistant", "content": "naïve"}
    failed = json.loads(answer_of(FAILED).line("openai"))
    assert failed["error"] == {"code": "server", "message": "a: is down."}
    assert failed["response"] is None


@pytest.mark.parametrize("form", ["plain", "openai"])
def test_a_row_that_no_model_takes_has_a_line_without_an_answer(form: Any) -> None:
    told = json.loads(output_line({"custom_id": "c", "error": "too long", "error_kind": "unfit"}, form))
    assert (told["custom_id"], told["id"]) == ("c", None)
    assert told["error"] == ("too long" if form == "plain" else {"code": "unfit", "message": "too long"})


def test_a_line_of_the_batch_api_has_tool_calls_as_calls():
    calls = [ToolCall(name="weather", arguments='{"city": "Paris"}'), ToolCall(name="now", arguments="{}")]
    told = {"id": "1", "answer": tool_calls_as_text(calls), "finish_reason": "tool_calls"}
    message = json.loads(output_line(told, "openai"))["response"]["body"]["choices"][0]["message"]
    assert message["content"] is None
    assert [one["function"] for one in message["tool_calls"]] == [
        {"name": call.name, "arguments": call.arguments} for call in calls
    ]
    assert len({one["id"] for one in message["tool_calls"]}) == 2


@pytest.mark.parametrize(
    "text", ['{"tool_calls": []} and more', '{"tool_calls": 1}', "[1]", "Yes.", "[" * 90_000]
)
def test_a_text_that_is_no_tool_call_stays_a_text(text):
    message = json.loads(output_line({"id": "1", "answer": text}, "openai"))["response"]["body"]["choices"][0]
    assert message["message"] == {"role": "assistant", "content": text}
