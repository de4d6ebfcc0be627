"""Every way in which a model server fails, over a real connection, streamed and plain."""

from __future__ import annotations

import email.utils
import json
import socket
import time
from urllib.parse import quote

import httpx
import pytest

from tests.support.waiting import PATIENCE_S
from zetaroute.domain import Arm
from zetaroute.providers.base import OnText
from zetaroute.providers.call_errors import Faults

from .loopback import CLOSE, DONE, RESET, ModelServer, Reply, chat, chunked, delta, event, http, stream
from .test_openai_provider import arm_at, ask, failure

LONG_S = 2 * PATIENCE_S

pytestmark = pytest.mark.usefixtures("each_carrier")

KEY = "sk-se/cr+et=0123456789"


@pytest.fixture(params=[True, False], ids=["streamed", "plain"])
def on_text(request: pytest.FixtureRequest) -> OnText | None:
    return (lambda _: None) if request.param else None


@pytest.mark.parametrize(
    ("status", "kind", "retryable", "words"),
    [
        (301, "rejected", False, "correct base_url"),
        (400, "rejected", False, "rejected the request"),
        (401, "unauthorised", False, "api_key_env"),
        (402, "rejected", False, "rejected the request"),
        (403, "unauthorised", False, "api_key_env"),
        (404, "rejected", False, "check that the model 'm1' and base_url http://127.0.0.1"),
        (408, "timeout", True, "gave up waiting"),
        (413, "rejected", False, "rejected the request"),
        (422, "rejected", False, "rejected the request"),
        (429, "rate_limited", True, "rate limit"),
        (500, "server", True, "the server failed"),
        (502, "server", True, "the server failed"),
        (503, "server", True, "the server failed"),
        (529, "server", True, "the server failed"),
    ],
)
def test_statuses(
    server: ModelServer, on_text: OnText | None, status: int, kind: str, retryable: bool, words: str
) -> None:
    server.reply(http({"error": {"message": "told so"}}, status=status))
    error = failure(arm_at(server), on_text)
    assert (error.kind, error.retryable) == (kind, retryable)
    assert str(error).startswith("local/m1: ")
    assert f"HTTP {status}: told so" in str(error)
    assert words in str(error)
    assert len(server.seen) == 1


def test_a_key_that_litellm_does_not_know_is_a_key_refused(
    server: ModelServer, on_text: OnText | None
) -> None:
    body = {"error": {"message": "No connected db.", "type": "no_db_connection", "code": "400"}}
    server.reply(http(body, status=400))
    error = failure(arm_at(server), on_text)
    assert (error.kind, error.retryable) == ("unauthorised", False)
    assert "LiteLLM does not know the key" in str(error)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": {"message": "told so", "type": "server_error"}}, "told so [server_error]"),
        ({"type": "error", "error": {"type": "api_error", "message": "told so"}}, "told so [api_error]"),
        ({"error": "told so"}, "told so"),
        ({"detail": "told so"}, "told so"),
        ({"detail": [{"loc": ["body"], "msg": "told so"}]}, "told so"),
        ({"message": "told so"}, "told so"),
        ({"object": "error", "message": "told so", "code": 500}, "told so"),
        ([{"error": {"message": "told so"}}], "told so"),
        ({"reason": "told so"}, '{"reason": "told so"}'),
        ("<html><head><title>502</title></head><body><h1>Bad\nGateway</h1></body></html>", "502 Bad Gateway"),
        ("told so", "told so"),
        ("", "no explanation"),
        (b"\xff\xfe\x00", "\ufffd\ufffd"),
        ('{"error": {"message": "told', '{"error": {"message": "told'),
        ({"error": {"message": "a\u001b[31mb\u202ec\nd"}}, "a [31mb c d"),
        ({"error": {"error": {"error": {"error": {"error": {"error": "deep"}}}}}}, '{"error": {"error"'),
        ('{"error":' * 5000, '{"error":{"error"'),
    ],
)
def test_what_an_error_body_says(server: ModelServer, body: object, said: str) -> None:
    server.reply(http(body, status=500))
    assert f"(HTTP 500: {said}" in str(failure(arm_at(server)))


@pytest.mark.parametrize("body", ["x" * 5_000_000, {"error": {"message": "x" * 5_000_000}}, "<" * 5_000_000])
def test_long_error_bodies_are_cut(server: ModelServer, body: object) -> None:
    server.reply(http(body, status=500))
    begun_s = time.process_time()
    error = failure(arm_at(server))
    assert len(str(error)) < 400
    # Of work, however long it took beside that of others.
    assert time.process_time() - begun_s < 20


def test_an_error_body_that_breaks_off_still_has_its_status(
    server: ModelServer, on_text: OnText | None
) -> None:
    (whole,) = http({"error": "told so"}, status=503)
    server.reply((whole[:-4],))
    assert failure(arm_at(server), on_text).kind == "server"


def test_no_money_left_is_not_asked_again(server: ModelServer) -> None:
    server.reply(http({"error": {"message": "pay", "code": "insufficient_quota"}}, status=429))
    error = failure(arm_at(server))
    assert (error.kind, error.retryable) == ("rate_limited", False)


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [("7", 7, 7), ("1.5", 1.5, 1.5), ("0", 0, 0), ("in 100 s", 50, 101), ("100 s ago", 0, 0)],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after(server: ModelServer, header: str, low: float, high: float, status: int) -> None:
    shift_s = {"in 100 s": 100, "100 s ago": -100}.get(header)
    if shift_s is not None:
        header = email.utils.formatdate(time.time() + shift_s, usegmt=True)
    server.reply(http({}, status=status, headers=[f"Retry-After: {header}"]))
    wait_s = failure(arm_at(server)).retry_after_s
    assert wait_s is not None
    assert low <= wait_s <= high


@pytest.mark.parametrize("header", ["soon", "-5", "nan", "inf", "1e9", "Fri, 99 Foo 2026", "9" * 400, ""])
def test_a_retry_after_that_is_none(server: ModelServer, header: str) -> None:
    server.reply(http({}, status=429, headers=[f"Retry-After: {header}"]))
    assert failure(arm_at(server)).retry_after_s is None


HALF = [delta("be"), delta("cau")]


@pytest.mark.parametrize(
    ("reply", "kind", "retryable", "words"),
    [
        pytest.param(http(chat("")), "empty", False, "finish reason: stop", id="empty content"),
        pytest.param(http(chat(" \n")), "empty", False, "no text", id="blank content"),
        pytest.param(http(chat(None, finish="length")), "empty", False, "length", id="no content"),
        pytest.param(http({"choices": []}), "empty", False, "none given", id="empty choices"),
        pytest.param(http({"choices": [7]}), "empty", False, "no text", id="choice of a wrong type"),
        pytest.param(stream(delta(finish="stop"), DONE), "empty", False, "stop", id="empty stream"),
        pytest.param(stream(DONE), "empty", False, "none given", id="sign-off only"),
        pytest.param(http({"choices": None}), "malformed", False, "shape", id="choices of a wrong type"),
        pytest.param(http({"hello": 1}), "malformed", False, "shape", id="another object"),
        pytest.param(http("[1]"), "malformed", False, "shape", id="no object"),
        pytest.param(http('{"choices": [{"mess'), "malformed", False, "not JSON", id="half of a JSON"),
        pytest.param(http("[" * 100_000), "malformed", False, "not JSON", id="deep JSON"),
        pytest.param(http(""), "malformed", False, "not JSON", id="no body"),
        pytest.param(
            http("<html>hi</html>", content_type="text/html"), "malformed", False, "text/html", id="HTML"
        ),
        pytest.param(
            http(b"no gzip", headers=["content-encoding: gzip"]), "malformed", False, "compression", id="gzip"
        ),
        pytest.param(stream(*HALF), "malformed", True, "truncated", id="truncated stream"),
        pytest.param(stream(*HALF, b'data: {"choi'), "malformed", True, "truncated", id="cut in an event"),
        pytest.param(stream(), "malformed", False, "not JSON", id="stream of nothing"),
        pytest.param(stream(b": ping\n\n"), "malformed", True, "truncated", id="comments only"),
        pytest.param(stream(*HALF, b"data: {x}\n\n"), "malformed", False, "not JSON", id="broken event"),
        pytest.param(chunked(*HALF, finish=False), "connection", True, "broke", id="last chunk missing"),
        pytest.param(chunked(*HALF, 0.02, RESET), "connection", True, "broke", id="reset in the stream"),
        pytest.param((RESET,), "connection", True, "broke", id="reset before the answer"),
        pytest.param((CLOSE,), "connection", True, "broke", id="hung up before the answer"),
        pytest.param((b"nonsense\r\n\r\n",), "connection", True, "broke", id="no HTTP"),
        pytest.param(
            (b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{", CLOSE),
            "connection",
            True,
            "broke",
            id="too long a promise",
        ),
        pytest.param(
            http({"error": {"message": "told so", "code": 429}}),
            "rate_limited",
            True,
            "told so",
            id="200 with 429",
        ),
        pytest.param(http({"error": "told so"}), "server", False, "told so", id="200 with an error text"),
        pytest.param(
            http({"object": "error", "message": "told so", "code": 400}),
            "rejected",
            False,
            "told so",
            id="error object",
        ),
        pytest.param(
            http({"choices": [{"error": {"code": 502, "message": "told so"}, "finish_reason": "error"}]}),
            "server",
            True,
            "told so",
            id="error in a choice",
        ),
        pytest.param(
            stream(*HALF, {"error": {"message": "told so", "type": "server_error"}}, DONE),
            "server",
            True,
            "told so",
            id="error in a stream",
        ),
        pytest.param(
            stream(delta(finish="stop"), {"error": {"message": "told so", "code": 500}}),
            "server",
            True,
            "told so",
            id="error after the end of an empty answer",
        ),
        pytest.param(
            stream(*HALF, event({"error": {"code": "401", "message": "told so"}}, "error")),
            "unauthorised",
            False,
            "told so",
            id="error event",
        ),
        pytest.param(
            stream(*HALF, b"event: error\ndata: told so\n\n"),
            "server",
            False,
            "told so",
            id="error event in text",
        ),
    ],
)
def test_answers_of_no_use(
    server: ModelServer, on_text: OnText | None, reply: Reply, kind: str, retryable: bool, words: str
) -> None:
    server.reply(reply)
    error = failure(arm_at(server), on_text)
    assert (error.kind, error.retryable) == (kind, retryable)
    assert error.perhaps_billed is (kind in {"connection", "malformed", "empty"})
    assert words in str(error)
    assert str(error).startswith("local/m1: ")
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param((LONG_S,), id="nothing"),
        pytest.param((b"HTTP/1.1 200 OK\r\n", LONG_S), id="half a head"),
        pytest.param(stream(delta("a"), LONG_S, DONE), id="a pause in the stream"),
        pytest.param(stream(*(b":", 0.05) * 9999), id="a byte now and then"),
        pytest.param(stream(*(event(delta("a")), 0.05) * 9999), id="endless"),
        pytest.param((b"HTTP/1.1 500 X\r\ncontent-length: 9\r\n\r\n", LONG_S), id="error"),
    ],
)
def test_the_time_limit_holds_for_the_whole_call(
    server: ModelServer, on_text: OnText | None, reply: Reply
) -> None:
    server.reply(reply)
    error = failure(arm_at(server, timeout_s=0.3), on_text)
    assert (error.kind, error.retryable, error.perhaps_billed) == ("timeout", False, True)
    assert "within 0.3 s" in str(error)


@pytest.mark.parametrize(
    ("error", "perhaps_billed"),
    [
        (httpx.ConnectTimeout("x"), False),
        (httpx.ConnectError("x"), False),
        (httpx.ProxyError("x"), False),
        (httpx.UnsupportedProtocol("x"), False),
        (httpx.ReadError("x"), True),
        (httpx.RemoteProtocolError("x"), True),
        (httpx.DecodingError("x"), True),
    ],
)
def test_only_what_reached_a_server_may_be_billed(error: httpx.RequestError, perhaps_billed: bool) -> None:
    arm = Arm(id="local/m1", provider="openai", model="m1")
    assert Faults(arm=arm, url="http://somewhere").transport(error).perhaps_billed is perhaps_billed


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(http(b'{"choices": "' + b"x" * 25_000_000), id="JSON"),
        pytest.param(stream(*[event(delta("x" * 1_000_000))] * 25), id="stream"),
        pytest.param(stream(b"data: ", *[b"x" * 1_000_000] * 25), id="one event"),
    ],
)
def test_an_answer_over_20_mb_is_stopped(server: ModelServer, on_text: OnText | None, reply: Reply) -> None:
    server.reply(reply)
    error = failure(arm_at(server), on_text)
    assert error.kind == "malformed"
    assert "20 MB" in str(error)


def test_nobody_listens(server: ModelServer) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://user:hidden@127.0.0.1:{taken.getsockname()[1]}/v1?token=hidden"
        error = failure(arm_at(server, base_url=url))
    assert (error.kind, error.retryable) == ("connection", True)
    assert "cannot connect to http://127.0.0.1" in str(error)
    assert "hidden" not in str(error)


def test_no_tls(server: ModelServer) -> None:
    server.reply(http(chat("because")))
    error = failure(arm_at(server, base_url=server.url.replace("http:", "https:")))
    assert (error.kind, error.retryable) == ("connection", False)
    assert "no secure connection" in str(error)


def test_no_such_host(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = failure(arm_at(server, base_url="http://models.invalid/v1"))
    assert (error.kind, error.retryable) == ("connection", False)
    assert "no host has the name in http://models.invalid/v1" in str(error)


def test_a_key_that_is_not_set(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.reply(http(chat("because")))
    monkeypatch.delenv("SOME_KEY", raising=False)
    error = failure(arm_at(server, api_key_env="SOME_KEY"))
    assert (error.kind, error.retryable) == ("unauthorised", False)
    assert "SOME_KEY is not set" in str(error)
    assert server.seen == []


@pytest.mark.parametrize("key", ["sk-é", "sk-a\x07b", "sk-a\nb", "sk a"])
def test_a_key_that_cannot_be_sent(server: ModelServer, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("SOME_KEY", key)
    error = failure(arm_at(server, api_key_env="SOME_KEY"))
    assert error.kind == "unauthorised"
    assert "SOME_KEY" in str(error)
    assert key not in str(error)


@pytest.mark.parametrize(
    "echo",
    [
        KEY,
        KEY.upper(),
        quote(KEY),
        quote(KEY, safe=""),
        KEY.replace("/", "\\/"),
        "x" * 290 + KEY,
        f"{KEY}\n{KEY}",
    ],
)
@pytest.mark.parametrize("status", [200, 401, 500])
def test_a_key_echoed_by_the_server_is_masked(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch, echo: str, status: int
) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    for body in (echo, {"error": {"message": f"bad key {echo}"}}, json.dumps({"odd": echo})):
        server.reply(http(body, status=status, content_type=f"text/{KEY}"))
        error = failure(arm_at(server, api_key_env="SOME_KEY"))
        shown = str(error).lower()
        assert "0123456789" not in shown
        assert "sk-se" not in shown


def test_hostile_names_in_an_answer_are_made_harmless(server: ModelServer) -> None:
    server.reply(http(chat("because", finish="st\u001b[1mop", model="m\u202e" * 1000)))
    completion = ask(arm_at(server))
    assert completion.finish_reason == "st [1mop"
    assert completion.served_model is not None
    assert len(completion.served_model) <= 200
    assert completion.served_model.replace(" ", "").isprintable()
