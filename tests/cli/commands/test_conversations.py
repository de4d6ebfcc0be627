"""Conversations by name, which model goes on with them, and answers by a schema."""

from __future__ import annotations

import json

import pytest

from tests.cli.command import ok, refused, rows, run
from tests.cli.conftest import http_config, says
from tests.providers.loopback import http

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def asked(server):
    return [(seen.body["model"], [turn["content"] for turn in seen.body["messages"]]) for seen in server.seen]


def test_a_named_conversation_keeps_its_turns_and_its_model(http_folder, server):
    server.reply(says("yes"))
    ok(http_folder, "ask", "--cid", "trip", "-m", "two/m2", "first")
    ok(http_folder, "ask", "-m", "one/m1", "something else")
    for _ in range(3):
        server.seen.clear()
        ok(http_folder, "ask", "--cid", "trip", "next")
        assert {model for model, _ in asked(server)} == {"m2"}
    assert asked(server)[0][1] == ["first", "yes", "next", "yes", "next", "yes", "next"]
    told = rows(http_folder, "SELECT DISTINCT conversation FROM outcomes WHERE query = 'next'")
    assert told == [("trip",)]


@pytest.mark.parametrize("limit", [("--local-only",), ("--max-cost-usd", "0.001")])
def test_limits_of_a_turn_hold_for_the_model_that_goes_on(http_folder, server, limit):
    server.reply(says("yes"))
    ok(http_folder, "ask", "--cid", "trip", "-m", "two/m2", "first")
    server.seen.clear()
    ok(http_folder, "ask", "--cid", "trip", *limit, "next")
    assert {model for model, _ in asked(server)} == {"m1"}


def test_reroute_lets_the_policy_choose(http_folder, server):
    server.reply(says("yes"))
    ok(http_folder, "ask", "--cid", "trip", "-m", "two/m2", "first")
    kept = ok(http_folder, "ask", "--cid", "trip", "--dry-run", "--json", "next").json
    free = ok(http_folder, "ask", "--cid", "trip", "--reroute", "--dry-run", "--json", "next").json
    again = ok(http_folder, "ask", "-c", "--reroute", "--dry-run", "--json", "next").json
    assert (kept["forced"], kept["propensity"]) == (True, None)
    assert [(one["forced"], one["propensity"] > 0) for one in (free, again)] == [(False, True)] * 2


def test_a_model_that_is_gone_is_replaced_with_a_word(http_folder, server):
    server.reply(says("yes"))
    ok(http_folder, "ask", "--cid", "trip", "-m", "two/m2", "first")
    (http_folder / "config.toml").write_text(http_config(server).replace("two/m2", "two/m3"))
    said = ok(http_folder, "ask", "--cid", "trip", "next")
    assert "two/m2, which answered before, is not configured any more" in said.err


def test_conversations_are_listed(http_folder, server):
    server.reply(says("yes"))
    ok(http_folder, "ask", "alone")
    ok(http_folder, "ask", "--cid", "trip", "begin\x1b[31m")
    ok(http_folder, "ask", "plain")
    ok(http_folder, "ask", "-c", "more")
    found = ok(http_folder, "log", "list", "--conversations", "--json").json
    assert [(one["turns"], one["first_query"]) for one in found] == [(2, "plain"), (1, "begin\x1b[31m")]
    assert found[1]["name"] == "trip"
    shown = ok(http_folder, "log", "list", "--conversations")
    assert "trip" in shown.out
    assert "\x1b[31m" not in shown.out


@pytest.mark.parametrize("words", [("-c", "--cid", "x"), ("--reroute",), ("--cid", " ")])
def test_wrong_usage(http_folder, server, words):
    refused(run(http_folder, "ask", *words, "hi"), 2)
    assert server.seen == []


def schema_file(folder, value=None):
    path = folder / "schema.json"
    path.write_text(json.dumps(SCHEMA) if value is None else value, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(("answer", "accuracy"), [('{"city": "Rome"}', 1.0), ('{"town": "Rome"}', 0.0)])
def test_a_schema_is_sent_and_grades_if_asked(http_folder, server, answer, accuracy):
    server.reply(says(answer))
    words = ("ask", "--json", "-m", "one/m1", "--schema", schema_file(http_folder))
    assert ok(http_folder, *words, "Where?").json["accuracy"] is None
    assert ok(http_folder, *words, "--grader", "json", "Where?").json["accuracy"] == accuracy
    sent = server.seen[0].body["response_format"]
    assert (sent["type"], sent["json_schema"]["schema"]) == ("json_schema", SCHEMA)


def test_prose_in_place_of_a_schema_is_told(http_folder, server):
    server.reply(says("It is in Rome."))
    said = ok(http_folder, "ask", "-m", "one/m1", "--schema", schema_file(http_folder), "Where?")
    assert "no answer passed the check" in said.err
    server.reply(says('{"city": "Rome"}'))
    said = ok(http_folder, "ask", "--json", "-m", "one/m1", "--schema", schema_file(http_folder), "Where?")
    assert (said.json["check"], "check" in said.err) == (1.0, False)


def test_a_format_without_schemas_is_told_in_words(http_folder, server):
    text = http_config(server).replace('provider = "openai"', 'provider = "anthropic"')
    (http_folder / "config.toml").write_text(text)
    message = {"type": "message", "model": "m1", "stop_reason": "end_turn", "usage": {}}
    server.reply(http({**message, "content": [{"type": "text", "text": '{"city": "Rome"}'}]}))
    words = ("--schema", schema_file(http_folder), "-s", "Be brief.", "Where?")
    ok(http_folder, "ask", "--no-stream", "-m", "one/m1", *words)
    body = server.seen[0].body
    assert "response_format" not in body
    assert body["system"].startswith("Be brief.\n\nAnswer with JSON alone")
    assert json.dumps(SCHEMA) in body["system"]


@pytest.mark.parametrize("value", ["{", "[]", "7", '{"type": 7}'])
def test_a_schema_that_is_none_is_refused(http_folder, server, value):
    refused(run(http_folder, "ask", "--schema", schema_file(http_folder, value), "Where?"), 2)
    refused(run(http_folder, "ask", "--schema", str(http_folder / "none.json"), "Where?"), 2)
    assert server.seen == []
