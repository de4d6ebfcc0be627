"""`chat`: turns at the prompt, what begins with a slash, and that nothing ends it but the person."""

from __future__ import annotations

from tests.cli.command import ok, refused, rows, run
from tests.cli.conftest import by_model, fails, says


def typed(*lines: str) -> bytes:
    return "".join(line + "\n" for line in lines).encode()


def test_turns_are_one_conversation_that_keeps_its_model(http_folder, server):
    server.reply(says("yes"))
    said = ok(http_folder, "chat", "-m", "two/m2", "-s", "Be brief.", stdin=typed("first", "second"))
    assert said.out == "yes\nyes\n"
    assert [turn["content"] for turn in server.seen[-1].body["messages"]] == [
        *("Be brief.", "first", "yes", "second")
    ]
    ((first, none), (_, conversation)) = rows(
        http_folder, "SELECT id, conversation FROM outcomes ORDER BY id"
    )
    assert (none, conversation) == (None, first)
    ok(http_folder, "ask", "-c", "third")
    assert server.seen[-1].body["model"] == "m2"
    assert len(server.seen[-1].body["messages"]) == 6


def test_a_named_conversation_goes_on_and_new_begins_another(http_folder, server):
    server.reply(says("yes"))
    ok(http_folder, "chat", "--cid", "trip", stdin=typed("first", "/quit", "never"))
    ok(http_folder, "chat", "-c", stdin=typed("second", "/new", "third"))
    asked = "SELECT query, conversation FROM outcomes ORDER BY id"
    assert rows(http_folder, asked) == [("first", "trip"), ("second", "trip"), ("third", None)]


def test_a_model_is_chosen_and_the_choice_given_back(http_folder, server):
    server.reply(says("yes"))
    ok(http_folder, "chat", stdin=typed("/model two/m2", "first", "/model", "second"))
    pinned, free = rows(http_folder, "SELECT model, forced FROM outcomes ORDER BY id")
    assert (pinned, free[1]) == (("two/m2", True), False)


def test_the_last_answer_is_rated_and_explained(http_folder, server):
    server.reply(says("yes"))
    said = ok(http_folder, "chat", stdin=typed("first", "/rate 4", "/explain"))
    assert rows(http_folder, "SELECT metric, value FROM feedback") == [("rating", 4.0)]
    assert "note: kept rating 4" in said.err
    assert "tokens in" in said.err
    assert "probability" in said.err


def test_what_goes_wrong_is_said_and_the_next_turn_comes(http_folder, server):
    server.reply(by_model(m1=says("yes"), m2=fails()))
    lines = typed("/nope", "/rate up", "/model none", "/model two/m2", "first", "/model one/m1", "second")
    said = ok(http_folder, "chat", stdin=lines)
    assert said.out == "yes\n"
    assert len(said.errors) == 4
    assert "there is no /nope" in said.errors[0]
    assert "Traceback" not in said.err


def test_a_line_goes_on_and_help_is_given(http_folder, server):
    server.reply(says("yes"))
    said = ok(http_folder, "chat", stdin=typed("first \\", "second", "/help", "   "))
    assert [seen.body["messages"][-1]["content"] for seen in server.seen] == ["first \nsecond"]
    assert "/explain" in said.err


def test_two_conversations_at_once_are_refused(http_folder):
    refused(run(http_folder, "chat", "-c", "--cid", "trip"), 2)
    refused(run(http_folder, "chat", "-c"), 2)
    refused(run(http_folder, "chat", "-m", "none"), 2)
