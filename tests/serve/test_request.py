"""What a request means, in whatever format."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zetaroute.serve.api_errors import ApiError
from zetaroute.serve.request import MOST_MESSAGES, ChatRequest, read_request
from zetaroute.wire.doors.chat_door import CHAT


def read(settings, turns, **fields) -> ChatRequest:
    headers = fields.pop("headers", {})
    return read_request(CHAT.read({"model": "auto", "messages": turns, **fields}), settings, headers=headers)


def talk(*words: str) -> list[dict[str, str]]:
    return [
        {"role": "assistant" if place % 2 else "user", "content": word} for place, word in enumerate(words)
    ]


def test_an_unnamed_conversation_is_known_from_its_first_turn_on(settings):
    first = read(settings, talk("my secret is 42")).known_as
    assert read(settings, talk("my secret is 42", "ok", "go on")).known_as == first
    assert read(settings, talk("another", "ok", "my secret is 42")).known_as != first


def test_a_body_of_too_many_messages_is_refused(settings):
    turns = [{"role": "user", "content": "x"}] * (MOST_MESSAGES + 1)
    assert read(settings, turns[1:]).query.text == "x"
    with pytest.raises(ApiError, match="more than 10000"):
        read(settings, turns)


@pytest.mark.parametrize("metadata", [{"task": "t" * 1001}, {str(place): "x" for place in range(65)}])
def test_names_of_any_size_are_refused(settings, metadata):
    with pytest.raises(ApiError, match="metadata may hold"):
        read(settings, talk("x"), metadata=metadata)
    for header in ("x-zetaroute-conversation", "x-zetaroute-session", "x-session-id"):
        with pytest.raises(ApiError, match="1000 characters"):
            read(settings, talk("x"), headers={header: "c" * 1001})
    with pytest.raises(ApiError, match="1000 characters"):
        read(settings, talk("x"), prompt_cache_key=["x"])
    assert read(settings, talk("x"), metadata={"task": "t" * 1000}).query.task == "t" * 1000


def test_the_session_of_a_client_tells_its_talks_apart_by_how_they_began(settings):
    header = {"x-claude-code-session-id": "s1"}
    first, later = (read(settings, talk(*words), headers=header) for words in (("x",), ("x", "ok", "yes")))
    assert (first.query.session, first.query.conversation) == ("s1", later.query.conversation)
    # Only the first turn is decided anew.
    assert (first.keeps_model, later.keeps_model) == (False, True)
    assert read(settings, talk("a title"), headers=header).query.conversation != first.query.conversation
    assert read(settings, talk("x"), prompt_cache_key="s2").query.session == "s2"
    assert read(settings, talk("x")).query.session is None
    named = read(settings, talk("x"), headers={"x-zetaroute-session": "trip"})
    assert (named.query.session, named.query.conversation, named.keeps_model) == ("trip", "trip", True)


@pytest.mark.parametrize(
    ("words", "model", "pinned", "keeps"),
    [
        ("auto", "practice/small", None, False),
        ("force practice/large", "auto", "practice/large", False),
        ("off", "practice/small", "practice/small", False),
        ("status", "auto", None, True),
        ("", "auto", None, True),
    ],
)
def test_a_header_says_who_chooses(settings, words, model, pinned, keeps):
    headers = {"x-zetaroute-route": words, "x-zetaroute-session": "trip"}
    wanted = read(settings, talk("x"), model=model, headers=headers)
    assert (wanted.model, wanted.keeps_model) == (pinned, keeps)
    assert wanted.only_decided == (words == "status")


@pytest.mark.parametrize("words", ["force", "force none", "off", "auto off", "maybe"])
def test_a_header_that_says_nothing_of_that_is_refused(settings, words):
    with pytest.raises(ApiError):
        read(settings, talk("x"), headers={"x-zetaroute-route": words})


def test_instructions_alone_are_answered(settings):
    query = read(settings, [{"role": "system", "content": "say hi"}]).query
    assert (query.text, query.system) == ("say hi", None)
    query = read(settings, [{"role": "system", "content": "a"}, {"role": "developer", "content": "b"}]).query
    assert (query.text, query.system) == ("b", "a")


def test_an_alias_names_a_model(settings):
    first, *others = settings.arms
    named = replace(settings, arms=(replace(first, aliases=("quick",)), *others))
    assert read(named, talk("x"), model="quick").model == first.id
