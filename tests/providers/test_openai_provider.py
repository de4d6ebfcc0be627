"""Chat completions over a real connection: every shape that servers answer in."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from dataclasses import replace

import pytest

from tests.support.waiting import PATIENCE_S
from zetaroute.domain import Arm, Completion, Message, Prices, Query
from zetaroute.errors import ConfigError, ProviderError
from zetaroute.providers.base import OnText
from zetaroute.providers.call_errors import PartialAnswerError
from zetaroute.providers.openai_provider import OpenAIProvider

from .carrier import CARRIER
from .loopback import DONE, RESET, ModelServer, Reply, chat, chunked, delta, event, http, stream, usage

PRICES = Prices(input=1.0, cached_input=0.5, output=2.0)


pytestmark = pytest.mark.usefixtures("each_carrier")


def arm_at(server: ModelServer, **fields: object) -> Arm:
    arm = Arm(id="local/m1", provider="openai", model="m1", base_url=f"{server.url}/v1", timeout_s=PATIENCE_S)
    return replace(arm, **fields)


def ask(arm: Arm, query: Query | None = None, on_text: OnText | None = None) -> Completion:
    async def once() -> Completion:
        provider = OpenAIProvider(many=CARRIER.many)
        try:
            return await provider.complete(arm, query or Query(text="why?"), on_text)
        finally:
            await provider.aclose()

    return asyncio.run(once())


def test_thinking_that_no_mark_opens_is_shown_once_at_the_most(server: ModelServer) -> None:
    server.reply(stream(delta("Let me see.\n</think>\n\n"), delta("Yes.", finish="stop"), usage(10, 5), DONE))

    async def shown_twice() -> list[str]:
        provider, shown = OpenAIProvider(many=CARRIER.many), []
        try:
            for _ in range(2):
                pieces: list[str] = []
                completion = await provider.complete(arm_at(server), Query(text="why?"), pieces.append)
                assert (completion.text, completion.thinking) == ("Yes.", "Let me see.")
                shown.append("".join(pieces))
        finally:
            await provider.aclose()
        return shown

    assert asyncio.run(shown_twice())[1] == "Yes."


def failure(arm: Arm, on_text: OnText | None = None) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        ask(arm, on_text=on_text)
    return caught.value


def test_plain_request_and_answer(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-1\n")
    counts = {
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 40},
    }
    server.reply((0.05, *http(chat("because", usage=counts))))
    history = (Message(role="user", content="a"), Message(role="assistant", content="b"))
    query = Query(text="ünd?", system="be brief", history=history)
    completion = ask(arm_at(server, prices=PRICES, api_key_env="SOME_KEY"), query)
    assert completion == Completion(
        text="because",
        served_model="served-1",
        finish_reason="stop",
        ttft_s=None,
        response_s=completion.response_s,
        input_tokens=100,
        output_tokens=10,
        cached_tokens=40,
        cost_usd=pytest.approx((60 * 1.0 + 40 * 0.5 + 10 * 2.0) / 1e6),
    )
    assert 0.05 <= completion.response_s < PATIENCE_S
    (seen,) = server.seen
    assert seen.target == "/v1/chat/completions"
    assert seen.headers["authorization"] == "Bearer sk-1"
    assert seen.headers["content-type"] == "application/json"
    assert seen.body == {
        "model": "m1",
        "stream": False,
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": "ünd?"},
        ],
    }


def test_streamed_request_and_answer(server: ModelServer) -> None:
    read = threading.Event()
    end = (delta("cause"), delta(finish="stop"), usage(100, 10, 40), DONE)
    server.reply(stream(0.05, delta("be"), read, 0.1, *end))
    pieces: list[str] = []

    def show(piece: str) -> None:
        pieces.append(piece)
        read.set()

    completion = ask(arm_at(server, prices=PRICES), on_text=show)
    assert pieces == ["be", "cause"]
    assert completion.text == "because"
    assert completion.ttft_s is not None
    assert 0.05 <= completion.ttft_s <= completion.response_s - 0.08
    assert (completion.input_tokens, completion.cached_tokens, completion.output_tokens) == (100, 40, 10)
    assert completion.cost_usd == pytest.approx((60 * 1.0 + 40 * 0.5 + 10 * 2.0) / 1e6)
    assert (completion.served_model, completion.finish_reason) == ("served-1", "stop")
    (seen,) = server.seen
    assert seen.body["stream"] is True
    assert seen.body["stream_options"] == {"include_usage": True}
    assert "authorization" not in seen.headers


def test_pieces_are_shown_when_they_arrive(server: ModelServer) -> None:
    shown = threading.Event()
    # The second piece is sent only once the first was shown.
    server.reply(stream(delta("a"), shown, delta("b"), delta(finish="stop"), DONE))
    assert ask(arm_at(server), on_text=lambda _: shown.set()).text == "ab"


WHOLE = [delta("be"), delta("cause"), delta(finish="stop")]
EVENTS = b"".join(map(event, WHOLE))


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(stream(*WHOLE, DONE), id="ordinary"),
        pytest.param(stream(*WHOLE), id="no sign-off"),
        pytest.param(stream(EVENTS + b"data: [DONE]"), id="no line end after the sign-off"),
        pytest.param(stream(delta("because"), DONE), id="no finish reason"),
        pytest.param(stream((EVENTS + DONE).replace(b"\n", b"\r\n")), id="CRLF"),
        pytest.param(stream(b": PROCESSING\n\n", *WHOLE, b": ping\n\n", DONE), id="keep-alive comments"),
        pytest.param(stream(b"\n\n  \n", *WHOLE, DONE), id="empty lines first"),
        pytest.param(stream(*((EVENTS + DONE)[i : i + 7] for i in range(0, len(EVENTS) + 14, 7))), id="cut"),
        pytest.param(stream(*WHOLE, DONE, content_type="text/plain"), id="another content type"),
        pytest.param(chunked(*WHOLE, DONE), id="chunked"),
        pytest.param(chunked(*WHOLE, finish=False), id="last chunk missing after the finish"),
        pytest.param(stream(*WHOLE, b"data: {broken\n\n"), id="nonsense after the finish"),
        pytest.param(stream(*WHOLE, 0.05, RESET), id="reset after the finish"),
        pytest.param(http(chat("because")), id="plain JSON"),
        pytest.param(http(chat("because"), content_type="text/event-stream"), id="JSON called a stream"),
        pytest.param(http(b"\n \n" + json.dumps(chat("because")).encode()), id="JSON after empty lines"),
        pytest.param(http(chat("because"), content_type="text/html"), id="JSON called HTML"),
        pytest.param(http(chat([{"type": "text", "text": "be"}, {"text": "cause"}])), id="parts"),
        pytest.param(
            http(
                chat(
                    [{"type": "thinking", "thinking": [{"text": "hm"}]}, {"type": "text", "text": "because"}]
                )
            ),
            id="thinking part",
        ),
        pytest.param(
            stream(
                {"choices": [{"index": 0, "delta": {"reasoning_content": "hm", "content": None}}]},
                *WHOLE,
                DONE,
            ),
            id="reasoning content",
        ),
        pytest.param(
            stream({"choices": [{"index": 1, "delta": {"content": "other"}}]}, *WHOLE, DONE), id="choices"
        ),
        pytest.param(
            http(gzip.compress(json.dumps(chat("because")).encode()), headers=["content-encoding: gzip"]),
            id="compressed",
        ),
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
def test_every_shape_of_a_complete_answer(server: ModelServer, reply: Reply, streamed: bool) -> None:
    server.reply(reply)
    pieces: list[str] = []
    completion = ask(arm_at(server), on_text=pieces.append if streamed else None)
    assert completion.text == "because"
    assert "".join(pieces) == ("because" if streamed else "")
    assert len(server.seen) == 1


def test_a_stream_answered_in_one_piece_has_no_time_to_first_token(server: ModelServer) -> None:
    server.reply(http(chat("because")))
    assert ask(arm_at(server), on_text=lambda _: None).ttft_s is None


def test_a_character_cut_in_two_escapes_is_put_together(server: ModelServer) -> None:
    halves = [delta("a\ud83d"), delta("\ude00b"), delta("\ud83d"), delta("c", finish="stop")]
    server.reply(stream(*halves, DONE))
    pieces: list[str] = []
    assert ask(arm_at(server), on_text=pieces.append).text == "a😀b\ufffdc"
    assert "".join(pieces).encode() == "a😀b\ufffdc".encode()


def test_undecodable_input_is_still_sent(server: ModelServer) -> None:
    server.reply(http(chat("because")))
    ask(arm_at(server), Query(text="a\udcffb"))
    assert server.seen[0].body["messages"][0]["content"] == "a?b"


# "why?" is 4 bytes, so 1 token, and 4 for being a message; "because" is 7 bytes, so 2 tokens.
ESTIMATED_USD = (5 * 1.0 + 2 * 2.0) / 1e6


@pytest.mark.parametrize(
    ("counts", "prices", "tokens", "cost_usd"),
    [
        (None, PRICES, (None, None), ESTIMATED_USD),
        ({"prompt_tokens": 10, "completion_tokens": 5}, None, (10, 5), None),
        ({"prompt_tokens": 10, "completion_tokens": 5}, Prices(input=0, output=0), (10, 5), 0.0),
        (None, None, (None, None), None),
        ({"prompt_tokens": 0, "completion_tokens": 0}, PRICES, (None, None), ESTIMATED_USD),
        ({"prompt_tokens": 10}, PRICES, (10, None), (10 * 1.0 + 2 * 2.0) / 1e6),
        ({"prompt_tokens": "10", "completion_tokens": -5}, PRICES, (None, None), ESTIMATED_USD),
        ({"prompt_tokens": 10.0, "completion_tokens": True}, PRICES, (10, None), (10 * 1.0 + 2 * 2.0) / 1e6),
        ("many", PRICES, (None, None), ESTIMATED_USD),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 99},
            },
            PRICES,
            (10, 5),
            (10 * 0.5 + 5 * 2.0) / 1e6,
        ),
    ],
)
def test_what_is_not_counted_is_estimated_and_an_unknown_price_stays_unknown(
    server: ModelServer,
    counts: object,
    prices: Prices | None,
    tokens: tuple[int | None, int | None],
    cost_usd: float | None,
) -> None:
    server.reply(http(chat("because", usage=counts)))
    completion = ask(arm_at(server, prices=prices))
    counted = tuple(known or estimate for known, estimate in zip(tokens, (5, 2), strict=True))
    assert (completion.input_tokens, completion.output_tokens) == counted
    assert completion.tokens_estimated is (None in tokens)
    assert completion.cost_usd == (None if cost_usd is None else pytest.approx(cost_usd))


@pytest.mark.parametrize("status", [400, 422])
def test_a_server_that_does_not_know_the_usage_option_is_asked_without(
    server: ModelServer, status: int
) -> None:
    def strict(seen: object) -> Reply:
        if "stream_options" in server.seen[-1].body:
            return http({"detail": [{"loc": ["body", "stream_options"], "msg": "extra"}]}, status=status)
        return stream(*WHOLE, DONE)

    server.reply(strict)

    async def twice() -> list[str]:
        provider = OpenAIProvider()
        query = Query(text="why?")
        texts = [(await provider.complete(arm_at(server), query, lambda _: None)).text for _ in range(2)]
        await provider.aclose()
        return texts

    assert asyncio.run(twice()) == ["because", "because"]
    # The second call remembers.
    assert ["stream_options" in seen.body for seen in server.seen] == [True, False, False]


def test_a_server_that_cannot_stream_is_asked_plainly(server: ModelServer) -> None:
    def plain(seen: object) -> Reply:
        if server.seen[-1].body["stream"]:
            return http({"error": "Streaming is not supported"}, status=400)
        return http(chat("because"))

    server.reply(plain)
    pieces: list[str] = []
    assert ask(arm_at(server), on_text=pieces.append).text == "because"
    assert pieces == ["because"]
    assert len(server.seen) == 3


def test_another_rejection_is_not_asked_again(server: ModelServer) -> None:
    server.reply(http({"error": "too long"}, status=400))
    assert failure(arm_at(server), lambda _: None).kind == "rejected"
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("base", "target"),
    [
        ("/v1", "/v1/chat/completions"),
        ("/v1/", "/v1/chat/completions"),
        ("", "/chat/completions"),
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/openai/deployments/x?api-version=1", "/openai/deployments/x/chat/completions?api-version=1"),
    ],
)
def test_where_a_base_url_leads(server: ModelServer, base: str, target: str) -> None:
    server.reply(http(chat("because")))
    ask(arm_at(server, base_url=server.url + base))
    assert server.seen[0].target == target


@pytest.mark.parametrize(
    "base_url",
    [
        None,
        "",
        "127.0.0.1:11434/v1",
        "ftp://host/v1",
        "http://",
        "http://a..b/v1",
        f"http://{'a' * 64}.x",
        "http://h:x",
    ],
)
def test_a_base_url_that_is_none(base_url: str | None) -> None:
    arm = Arm(id="local/m1", provider="openai", model="m1", base_url=base_url)
    with pytest.raises(
        ConfigError, match=r'^Model local/m1: base_url is not a web address; write base_url = "'
    ):
        ask(arm)


@pytest.mark.parametrize(
    "base_url", ["http://xn--.invalid/v1", "http://host/\udc80/v1", "http://\udc80@host/v1"]
)
def test_a_base_url_that_nothing_can_be_sent_to(base_url: str) -> None:
    error = failure(Arm(id="local/m1", provider="openai", model="m1", base_url=base_url))
    assert (error.kind, error.retryable) == ("rejected", False)
    assert "check base_url" in str(error)


def test_a_proxy_of_the_environment_is_used_but_never_for_loopback(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    server.reply(http(chat("because")))
    assert ask(arm_at(server, base_url="http://models.invalid/v1")).text == "because"
    assert ask(arm_at(server)).text == "because"
    targets = [seen.target for seen in server.seen]
    assert targets == ["http://models.invalid/v1/chat/completions", "/v1/chat/completions"]


def test_a_broken_proxy_setting_fails_its_model_alone_without_its_password(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "nonsense://user:hidden@host:1")
    error = failure(arm_at(server, base_url="http://models.invalid/v1"))
    assert error.kind == "unsupported"
    assert "HTTP_PROXY" in str(error)
    assert "hidden" not in str(error)


def test_calls_share_one_connection(server: ModelServer) -> None:
    server.reply(http(chat("a"), keep=True), chunked(*WHOLE, DONE, keep=True), http(chat("b"), keep=True))

    async def thrice() -> None:
        provider = OpenAIProvider(many=CARRIER.many)
        for on_text in (None, lambda _: None, None):
            await provider.complete(arm_at(server), Query(text="why?"), on_text)
        await provider.aclose()

    asyncio.run(thrice())
    assert len(server.seen) == 3
    assert server.connections == 1


def test_a_stream_held_open_after_its_end_is_left(server: ModelServer) -> None:
    server.reply(stream(*WHOLE, usage(10, 5), DONE, 2 * PATIENCE_S))
    completion = ask(arm_at(server), on_text=lambda _: None)
    assert (completion.text, completion.output_tokens) == ("because", 5)
    assert completion.response_s < PATIENCE_S / 2


@pytest.mark.parametrize("error", [BrokenPipeError, TimeoutError, ValueError])
def test_what_the_screen_raises_passes_through(server: ModelServer, error: type[Exception]) -> None:
    def closed(_: str) -> None:
        raise error

    server.reply(stream(*WHOLE, DONE))
    with pytest.raises(error):
        ask(arm_at(server), on_text=closed)


def test_a_finish_reason_with_every_piece_ends_nothing(server: ModelServer) -> None:
    server.reply(stream(delta("be", finish="stop"), 1.3, delta("cause", finish="stop"), DONE))
    assert ask(arm_at(server), on_text=lambda _: None).text == "because"


def test_counts_that_come_late_count_and_take_no_time_of_the_answer(server: ModelServer) -> None:
    server.reply(stream(*WHOLE, 1.3, usage(10, 5), DONE))
    completion = ask(arm_at(server), on_text=lambda _: None)
    assert (completion.input_tokens, completion.output_tokens, completion.tokens_estimated) == (10, 5, False)
    assert completion.response_s < 1.3


def test_a_stream_that_breaks_keeps_what_was_counted(server: ModelServer) -> None:
    counts = {"prompt_tokens": 100, "completion_tokens": 10}
    server.reply(stream(delta("be"), {**delta("c"), "usage": counts}, 0.1, RESET))
    error = failure(arm_at(server, prices=PRICES), lambda _: None)
    assert isinstance(error, PartialAnswerError)
    assert error.perhaps_billed
    assert error.arrived.cost_usd == pytest.approx((100 * 1.0 + 10 * 2.0) / 1e6)
    assert (error.arrived.text, error.arrived.input_tokens, error.arrived.output_tokens) == ("", 100, 10)


def test_the_effort_of_an_arm_stands_before_that_of_a_request(server: ModelServer) -> None:
    server.reply(http(chat("4")))
    query = Query(text="why?", options={"reasoning_effort": "low"})
    for arm in (arm_at(server, effort="high"), arm_at(server)):
        ask(arm, query)
    assert [request.body["reasoning_effort"] for request in server.seen] == ["high", "low"]
