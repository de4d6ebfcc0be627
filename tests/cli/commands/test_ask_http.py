"""`ask` over HTTP to a real model server: streams, fallbacks, conversations, keys, terminals."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.command import command, environment, ok, on_terminal, refused, rows, run
from tests.cli.conftest import by_model, fails, says
from tests.providers.loopback import RESET, ModelServer, chat, delta, http, stream
from tests.support.waiting import PATIENCE_S

KEY = "sk-loopback-0123456789abcdef"
NASTY = "plain \x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J bell\x07 \u202eright\u202c end\ttab"


@pytest.mark.parametrize("flags", [(), ("--no-stream",)])
def test_plain_and_streamed(http_folder: Path, server: ModelServer, flags: tuple[str, ...]) -> None:
    server.reply(says("Grüße, 你好!"))
    said = ok(http_folder, "ask", "-m", "one/m1", "-s", "be brief", *flags, "hello")
    assert said.out == "Grüße, 你好!\n"
    (seen,) = server.seen
    assert seen.target == "/v1/chat/completions"
    assert seen.body["stream"] == (not flags)
    assert (seen.body["model"], seen.body["messages"]) == (
        "m1",
        [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}],
    )
    ((ttft_s, *facts),) = rows(
        http_folder,
        "SELECT ttft_s, response, served_model, input_tokens, output_tokens, cost_usd, status FROM outcomes",
    )
    assert (ttft_s is None) == bool(flags)
    assert facts == ["Grüße, 你好!", "served-1", 10, 5, pytest.approx(20e-6), "ok"]


def test_tokens_of_thinking_are_told(http_folder: Path, server: ModelServer) -> None:
    counts = {
        "prompt_tokens": 10,
        "completion_tokens": 50,
        "completion_tokens_details": {"reasoning_tokens": 40},
    }
    server.reply(http(chat("12", usage=counts)))
    ok(http_folder, "ask", "-m", "one/m1", "--no-stream", "hello")
    assert "10 in, 50 out, 40 of them thinking" in ok(http_folder, "log", "show").out


def test_a_failing_model_is_replaced_and_both_rows_are_kept(http_folder: Path, server: ModelServer) -> None:
    server.reply(by_model(m1=fails(), m2=says("from two")))
    # The seed draws the model with the higher prior.
    seed = next(
        str(seed)
        for seed in range(50)
        if ok(http_folder, "ask", "--dry-run", "--json", "--seed", str(seed), "hi").json["model"] == "one/m1"
    )
    result = ok(http_folder, "ask", "--json", "--seed", seed, "hi").json
    assert (result["model"], result["answer"]) == ("two/m2", "from two")
    assert [attempt["model"] for attempt in result["attempts"]] == ["one/m1", "two/m2"]
    assert "no" in result["attempts"][0]["error"]
    first, second = rows(
        http_folder,
        "SELECT id, model, status, attempt, fallback_of, propensity, pmf FROM outcomes ORDER BY attempt",
    )
    assert first[1:5] == ("one/m1", "error", 1, None)
    assert 0 < first[5] < 1
    assert second[1:6] == ("two/m2", "ok", 2, first[0], None)
    kpis = ok(http_folder, "kpi", "--json").json
    assert kpis["rows"] == 1
    assert (kpis["kpis"]["fallback_rate"]["value"], kpis["kpis"]["error_rate"]["value"]) == (1.0, 0.0)


def test_a_stream_that_breaks_off_is_told_and_the_next_model_answers(
    http_folder: Path, server: ModelServer
) -> None:
    broken = stream(delta("half an ans"), RESET)
    server.reply(by_model(m1=lambda seen: broken, m2=says("whole")))
    config = http_folder / "config.toml"
    config.write_text(config.read_text() + "\n[explore]\ncold_start_rate = 0\n")
    said = ok(http_folder, "ask", "hi")
    assert said.out == "half an ans\nwhole\n"
    assert "asking two/m2" in said.err
    assert rows(http_folder, "SELECT status FROM outcomes ORDER BY attempt") == [("error",), ("ok",)]


def test_when_all_fail_it_says_so_and_the_rows_are_kept(http_folder: Path, server: ModelServer) -> None:
    server.reply(fails(403))
    sentence = refused(run(http_folder, "ask", "hi"), 3)
    assert "one/m1" in sentence
    assert "two/m2" in sentence
    stored = rows(http_folder, "SELECT status, error_kind, response FROM outcomes")
    assert stored == [("error", "unauthorised", None)] * 2


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    text = '[[models]]\nid = "one/m1"\nprovider = "openai"\nbase_url = "http://127.0.0.1:9/v1"\n'
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    assert "127.0.0.1:9" in refused(run(tmp_path, "ask", "hi"), 3)


def test_the_time_for_a_query_is_kept(http_folder: Path, server: ModelServer) -> None:
    server.reply((2 * PATIENCE_S,))
    assert "0.3 s" in refused(run(http_folder, "ask", "--timeout", "0.3", "hi"), 3)


def test_a_conversation_goes_on_with_its_model_and_its_history(
    http_folder: Path, server: ModelServer
) -> None:
    server.reply(says(lambda seen: f"answer {len(seen.body['messages'])}"))
    ok(http_folder, "ask", "-m", "two/m2", "-s", "be brief", "first")
    ok(http_folder, "ask", "-c", "second")
    ok(http_folder, "ask", "--continue", "third")
    ok(http_folder, "ask", "-m", "one/m1", "unrelated")
    assert server.seen[2].body["model"] == "m2"
    assert [turn["content"] for turn in server.seen[2].body["messages"]] == [
        "be brief",
        "first",
        "answer 2",
        "second",
        "answer 4",
        "third",
    ]
    assert [turn["role"] for turn in server.seen[1].body["messages"]] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert len(server.seen[3].body["messages"]) == 1
    stored = rows(http_folder, "SELECT conversation, id, query FROM outcomes ORDER BY id")
    assert [row[0] for row in stored[:3]] == [None, stored[0][1], stored[0][1]]
    assert [row[2] for row in stored[:3]] == ["first", "second", "third"]


def test_without_a_conversation_there_is_nothing_to_continue(http_folder: Path) -> None:
    refused(run(http_folder, "ask", "-c", "more"), 2)


@pytest.mark.parametrize("flags", [(), ("--no-stream",)])
def test_a_terminal_is_protected_and_a_pipe_gets_the_answer_as_it_is(
    http_folder: Path, server: ModelServer, flags: tuple[str, ...]
) -> None:
    server.reply(says(NASTY))
    words = command(http_folder, "--quiet", "ask", "-m", "one/m1", *flags, "hi")
    code, seen = on_terminal(words, environment(TERM="xterm"))
    assert code == 0
    assert seen == "plain [31mred[0m ]0;title 2J bell right end\ttab\r\n"
    assert ok(http_folder, "ask", "-m", "one/m1", *flags, "hi").out == NASTY + "\n"
    assert json.loads(ok(http_folder, "log", "show", "--json").out)["response"] == NASTY


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_what_the_log_shows_cannot_steer_a_terminal(
    http_folder: Path, server: ModelServer, form: tuple[str, ...]
) -> None:
    server.reply(says(NASTY))
    ok(http_folder, "ask", "-m", "one/m1", "hi")
    code, seen = on_terminal(command(http_folder, "log", "show", *form), environment(TERM="xterm"))
    assert code == 0
    assert "[31mred" in seen
    assert not any(sign in seen for sign in ("\x1b[31m", "\x9b", "\x07", "\u202e"))
    if form:
        assert json.loads(seen)["response"] == NASTY


@pytest.mark.parametrize("status", [200, 401, 500])
def test_a_key_is_used_and_never_seen_again(
    http_folder: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("LOOPBACK_KEY", KEY)
    config = http_folder / "config.toml"
    keyed = config.read_text().replace(
        'provider = "openai"', 'provider = "openai"\napi_key_env = "LOOPBACK_KEY"'
    )
    config.write_text(keyed)
    server.reply(says("fine") if status == 200 else fails(status, f"the key {KEY} is wrong"))
    arguments = ("ask", "--timeout", "60", "--explain", "-m", "one/m1", "hi")
    texts = [run(http_folder, *arguments)]
    assert texts[0].code == (0 if status == 200 else 3)
    assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"
    texts += [
        run(http_folder, "log", "list", "--json"),
        run(http_folder, "log", "show"),
        run(http_folder, "kpi"),
    ]
    assert [said for said in texts if KEY in said.out + said.err] == []
    kept = [path for path in http_folder.rglob("*") if path.is_file()]
    assert any(path.name == "zetaroute.duckdb" for path in kept)
    assert [path for path in kept if KEY.encode() in path.read_bytes()] == []


def test_a_key_that_is_not_set_is_told_by_its_name(
    http_folder: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOOPBACK_KEY", raising=False)
    config = http_folder / "config.toml"
    config.write_text(
        config.read_text().replace('provider = "openai"', 'provider = "openai"\napi_key_env = "LOOPBACK_KEY"')
    )
    assert "LOOPBACK_KEY" in refused(run(http_folder, "ask", "hi"), 3)
    assert server.seen == []


def test_ctrl_c_in_the_middle_of_an_answer(http_folder: Path, server: ModelServer) -> None:
    server.reply(stream(delta("the beginning"), 2 * PATIENCE_S))
    words = command(http_folder, "ask", "-m", "one/m1", "hi")
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(13) == b"the beginning"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert b"kept" in err
    stored = rows(http_folder, "SELECT status, response, propensity FROM outcomes")
    assert stored == [("cancelled", "the beginning", None)]
    assert ok(http_folder, "kpi", "--json").json["rows"] == 0
