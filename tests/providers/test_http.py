"""What a [[models]] block says about requests, as a real server sees it."""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE_S, in_ever_more_time
from zetaroute.domain import Arm, Attachment, Completion, FileNote, Kind, Query
from zetaroute.errors import ProviderError
from zetaroute.providers.anthropic_provider import AnthropicProvider
from zetaroute.providers.pool import open_providers
from zetaroute.providers.transport import AiohttpTransport

from .carrier import CARRIER
from .loopback import DONE, ModelServer, Running, Seen, Step, chat, delta, event, http, stream
from .test_anthropic_provider import whole
from .test_openai_provider import arm_at, ask, failure

pytestmark = pytest.mark.usefixtures("each_carrier")

TLS = Path(__file__).parent / "tls"
OK = http(chat("because"))


@pytest.fixture
def certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "certificate.pem", TLS / "key.pem")
    return context


@pytest.fixture
def secure_server(certificate: ssl.SSLContext) -> Iterator[ModelServer]:
    running = Running(certificate)
    yield running.start()
    running.stop()


def attachment(kind: Kind, content: bytes, media_type: str = "text/plain", name: str = "a.txt") -> Attachment:
    digest = hashlib.sha256(content).hexdigest()
    note = FileNote(name=name, media_type=media_type, sha256=digest, size=len(content))
    return Attachment(note=note, kind=kind, content=content)


TEXT = attachment("text", "grün".encode())
IMAGE = attachment("image", b"\x89PNG\r\n\x1a\n!", "image/png", "a.png")
PDF = attachment("file", b"%PDF-1.7", "application/pdf", "a.pdf")


def messages(arm: Arm, query: Query) -> Completion:
    async def once() -> Completion:
        provider = AnthropicProvider(many=CARRIER.many)
        try:
            return await provider.complete(arm, query)
        finally:
            await provider.aclose()

    return asyncio.run(once())


def body(server: ModelServer) -> dict[str, object]:
    found = server.seen[-1].body
    assert isinstance(found, dict)
    return found


def test_headers_may_hold_environment_variables(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM", "blue team")
    monkeypatch.setenv("SOME_KEY", "sk-1")
    server.reply(OK)
    headers = {"X-Team": "the ${TEAM}", "X-Plain": "costs $5", "Authorization": "Basic $SOME_KEY"}
    ask(arm_at(server, headers=headers, api_key_env="SOME_KEY"))
    seen = server.seen[0].headers
    assert seen["x-team"] == "the blue team"
    assert seen["x-plain"] == "costs $5"
    # What the config says of a header counts more than what the wire format would send.
    assert seen["authorization"] == "Basic sk-1"


def test_a_header_whose_variable_is_not_set_is_not_sent(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEAM", raising=False)
    server.reply(OK)
    error = failure(arm_at(server, headers={"X-Team": "$TEAM"}))
    assert error.kind == "unauthorised"
    assert "TEAM is not set" in str(error)
    assert server.seen == []


@pytest.mark.parametrize("status", [200, 500])
def test_secrets_of_headers_and_proxies_are_masked(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("TEAM", "blue-team-77")
    proxy = server.url.replace("http://", "http://user:pass-word-88@")
    server.reply(http({"error": "no blue-team-77 nor pass-word-88"}, status=status))
    error = failure(arm_at(server, headers={"X-Team": "$TEAM"}, proxy=proxy))
    assert "no [key] nor [key]" in str(error)


def test_a_key_may_have_a_header_of_its_own(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "az-1")
    server.reply(OK)
    base = f"{server.url}/openai/deployments/d?api-version=2024-06-01"
    ask(arm_at(server, base_url=base, api_key_env="SOME_KEY", api_key_header="api-key"))
    (seen,) = server.seen
    assert seen.target == "/openai/deployments/d/chat/completions?api-version=2024-06-01"
    assert seen.headers["api-key"] == "az-1"
    assert "authorization" not in seen.headers


def test_a_proxy_of_the_config_is_used_even_for_loopback(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_PROXY", server.url)
    server.reply(OK)
    for base in ("http://models.invalid/v1", "http://127.0.0.1:9/v1"):
        assert ask(arm_at(server, base_url=base, proxy="$MY_PROXY")).text == "because"
    targets = [seen.target for seen in server.seen]
    assert targets == [
        "http://models.invalid/v1/chat/completions",
        "http://127.0.0.1:9/v1/chat/completions",
    ]


def test_a_host_in_no_proxy_is_asked_directly(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("NO_PROXY", "models.invalid")
    server.reply(OK)
    assert failure(arm_at(server, base_url="http://models.invalid/v1")).kind == "connection"
    assert server.seen == []


def test_a_ca_file_is_trusted_beside_the_usual_ones(secure_server: ModelServer) -> None:
    secure_server.reply(OK)
    refused = failure(arm_at(secure_server))
    assert (refused.kind, refused.retryable) == ("connection", False)
    assert "check https and the certificate" in str(refused)
    assert ask(arm_at(secure_server, ca_file=str(TLS / "certificate.pem"))).text == "because"


def test_a_server_that_never_says_goodbye_leaves_no_connection_open(certificate: ssl.SSLContext) -> None:
    over = threading.Event()

    def answer_and_be_deaf(door: socket.socket) -> None:
        with certificate.wrap_socket(door.accept()[0], server_side=True) as line:
            line.recv(65_536)
            line.sendall(OK[0])
            over.wait(PATIENCE_S)

    with socket.create_server(("127.0.0.1", 0)) as door, ThreadPoolExecutor() as pool:
        try:
            pool.submit(answer_and_be_deaf, door)
            arm = Arm(
                id="a/m",
                provider="openai",
                model="m",
                base_url=f"https://127.0.0.1:{door.getsockname()[1]}/v1",
                ca_file=str(TLS / "certificate.pem"),
            )
            assert ask(arm).text == "because"
            # A connection that is still open says so in a warning, which is an error.
            gc.collect()
        finally:
            over.set()


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_ca_file_of_no_use_fails_its_model_alone(
    secure_server: ModelServer, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    error = failure(arm_at(secure_server, ca_file=str(path)))
    assert (error.kind, error.retryable) == ("unsupported", False)
    assert "ca.pem cannot be read as certificates" in str(error)


@pytest.mark.parametrize(
    ("fields", "of_query", "sent"),
    [
        ({}, {}, {}),
        ({"options": {"temperature": 0.2, "seed": 7}}, {}, {"temperature": 0.2, "seed": 7}),
        (
            {"options": {"temperature": 0.2}},
            {"temperature": 0, "stop": ["x"]},
            {"temperature": 0, "stop": ["x"]},
        ),
        ({"options": {"max_tokens": 5}}, {}, {"max_tokens": 5}),
        (
            {"options": {"max_tokens": 5}, "max_tokens_key": "max_completion_tokens"},
            {"max_tokens": 6},
            {"max_completion_tokens": 6},
        ),
    ],
)
def test_options_are_sent_and_those_of_the_query_win(
    server: ModelServer, fields: dict[str, object], of_query: dict[str, object], sent: dict[str, object]
) -> None:
    server.reply(OK)
    ask(arm_at(server, **fields), Query(text="why?", options=of_query))
    assert {
        key: value for key, value in body(server).items() if key not in {"model", "messages", "stream"}
    } == sent
    server.reply(http(whole("because")))
    messages(arm_at(server, **fields), Query(text="why?", options=of_query))
    rest = {key: value for key, value in body(server).items() if key not in {"model", "messages", "stream"}}
    named = {"stop_sequences" if key == "stop" else key: value for key, value in sent.items()}
    assert rest == {"max_tokens": 4096, **named}


def test_text_files_are_inlined_for_any_model(server: ModelServer) -> None:
    server.reply(OK)
    ask(arm_at(server), Query(text="why?", attachments=(TEXT,)))
    (message,) = server.seen[0].body["messages"]
    assert message["content"] == '<file name="a.txt">\ngrün\n</file>\n\nwhy?'


def test_images_and_files_are_content_parts(server: ModelServer) -> None:
    server.reply(OK)
    ask(arm_at(server), Query(text="why?", attachments=(TEXT, IMAGE, PDF)))
    words, image, pdf = server.seen[0].body["messages"][0]["content"]
    assert words == {"type": "text", "text": '<file name="a.txt">\ngrün\n</file>\n\nwhy?'}
    assert image["type"] == "image_url"
    head, data = image["image_url"]["url"].split(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(data) == IMAGE.content
    assert pdf["file"]["filename"] == "a.pdf"
    assert pdf["file"]["file_data"].startswith("data:application/pdf;base64,")


def test_images_and_files_are_blocks_of_a_message(server: ModelServer) -> None:
    server.reply(http(whole("because")))
    messages(arm_at(server), Query(text="why?", attachments=(IMAGE, PDF)))
    image, document, words = server.seen[0].body["messages"][0]["content"]
    data = base64.b64encode(IMAGE.content).decode()
    assert image == {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    assert (document["type"], document["source"]["media_type"]) == ("document", "application/pdf")
    assert words == {"type": "text", "text": "why?"}


SILENT = stream(b": wait\n\n", delta(""), 2 * PATIENCE_S, delta("because", finish="stop"), DONE)
THINKING = {"choices": [{"index": 0, "delta": {"reasoning_content": "hm"}}]}


def test_a_stream_must_begin_within_its_time(server: ModelServer) -> None:
    server.reply(SILENT)
    error = failure(arm_at(server, first_token_timeout_s=0.2), on_text=lambda _: None)
    assert error.kind == "timeout"
    assert "no first word within 0.2 s; raise first_token_timeout_s" in str(error)


def test_after_its_first_word_a_stream_has_the_whole_time(server: ModelServer) -> None:
    end = delta("cause", finish="stop"), DONE

    def slow(first_s: float) -> None:
        for begin, text in ((THINKING, "cause"), (delta("be"), "because")):
            server.reply(stream(begin, 1.5 * first_s, *end))
            completion = ask(arm_at(server, first_token_timeout_s=first_s), on_text=lambda _: None)
            assert completion.text == text

    in_ever_more_time(slow)


def test_thinking_of_the_other_wire_format_is_a_beginning_too(server: ModelServer) -> None:
    thought = {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}}
    answer = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "because"}}

    async def once(arm: Arm) -> Completion:
        async with open_providers([arm], many=CARRIER.many) as providers:
            return await providers.complete(arm, Query(text="why?"), lambda _: None)

    def slow(first_s: float) -> Completion:
        server.reply(stream(event(thought), 1.5 * first_s, event(answer), event({"type": "message_stop"})))
        arm = replace(arm_at(server), provider="anthropic", first_token_timeout_s=first_s)
        return asyncio.run(once(arm))

    assert in_ever_more_time(slow).text == "because"


def test_a_whole_answer_knows_no_first_word(server: ModelServer) -> None:
    server.reply((0.5, *OK))
    assert ask(arm_at(server, first_token_timeout_s=0.2)).text == "because"


def test_a_server_gets_no_more_calls_at_once_than_it_takes(server: ModelServer) -> None:
    two = threading.Event()

    def together(seen: Seen) -> tuple[Step, ...]:
        if server.now == 2:
            two.set()
        return (two, 0.05, *OK)

    server.reply(together)
    # Two models, one server; the smaller of the two limits counts, and a slash more makes no other server.
    arms = [
        arm_at(server, id="l/a", server_concurrency=2),
        arm_at(server, id="l/b", server_concurrency=9, base_url=f"{server.url}/v1/"),
        arm_at(server, id="l/c"),
    ]

    async def many() -> None:
        async with open_providers(arms, many=CARRIER.many) as providers:
            await asyncio.gather(*(providers.complete(arm, Query(text="why?")) for arm in arms * 4))

    asyncio.run(many())
    assert len(server.seen) == 12
    assert server.peak == 2


def test_a_refused_turn_is_given_back(server: ModelServer) -> None:
    def now_and_then(seen: Seen) -> tuple[bytes | float | str, ...]:
        return OK if len(server.seen) > 1 else http({}, status=500)

    server.reply(now_and_then)
    arm = arm_at(server, server_concurrency=1)

    async def twice() -> str:
        async with open_providers([arm], many=CARRIER.many) as providers:
            with pytest.raises(ProviderError):
                await providers.complete(arm, Query(text="why?"))
            return (await providers.complete(arm, Query(text="why?"))).text

    assert asyncio.run(twice()) == "because"


@pytest.mark.parametrize(("asked", "sent"), [(None, "be kind"), ("be brief", "be brief"), ("", "")])
def test_system_prompt_of_the_config_is_for_queries_without_one(
    server: ModelServer, asked: str | None, sent: str
) -> None:
    server.reply(OK)
    ask(arm_at(server, system="be kind"), Query(text="hi", system=asked))
    (seen,) = server.seen
    assert seen.body["messages"][0] == {"role": "system", "content": sent}


TOOL_CALLS = '{"tool_calls": [{"name": "weather", "arguments": "{\\"city\\": \\"Oslo\\"}"}]}'


def test_tool_calls_without_words_are_an_answer(server: ModelServer) -> None:
    wanted = {"type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
    answer = chat(None, finish="tool_calls")
    answer["choices"][0]["message"]["tool_calls"] = [wanted]  # type: ignore[index]
    server.reply(http(answer))
    found = ask(arm_at(server), Query(text="hi"))
    assert (found.text, found.finish_reason) == (TOOL_CALLS, "tool_calls")


def test_streamed_tool_calls_are_put_together(server: ModelServer) -> None:
    def part(**function: str) -> dict[str, object]:
        piece = delta()
        piece["choices"][0]["delta"] = {"tool_calls": [{"index": 0, "function": function}]}  # type: ignore[index]
        return piece

    pieces = part(name="weather"), part(arguments='{"city": '), part(arguments='"Oslo"}')
    server.reply(stream(*pieces, delta(finish="tool_calls"), DONE))
    shown: list[str] = []
    assert ask(arm_at(server), Query(text="hi"), shown.append).text == TOOL_CALLS
    assert "".join(shown) == ""


@pytest.mark.parametrize("streamed", [False, True])
def test_tool_use_of_anthropic_is_an_answer(server: ModelServer, streamed: bool) -> None:
    use = {"type": "tool_use", "id": "t1", "name": "weather"}
    if streamed:
        parts = [
            {"type": "message_start", "message": {"type": "message", "model": "m1", "content": []}},
            {"type": "content_block_start", "index": 0, "content_block": {**use, "input": {}}},
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "input_json_delta", "partial_json": '{"city": '},
            },
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "input_json_delta", "partial_json": '"Oslo"}'},
            },
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
            {"type": "message_stop"},
        ]
        server.reply(stream(*parts))
    else:
        message = {**whole("x"), "content": [{**use, "input": {"city": "Oslo"}}], "stop_reason": "tool_use"}
        server.reply(http(message))
    arm = Arm(id="far/m1", provider="anthropic", model="m1", base_url=server.url, timeout_s=PATIENCE_S)

    async def once() -> Completion:
        provider = AnthropicProvider()
        try:
            return await provider.complete(arm, Query(text="hi"), (lambda _: None) if streamed else None)
        finally:
            await provider.aclose()

    found = asyncio.run(once())
    assert (found.text, found.finish_reason) == (TOOL_CALLS, "tool_use")


def test_an_answer_over_a_shared_line_is_nothing_of_httpx_unless_it_is_packed(server: ModelServer) -> None:
    packed = http(chat("because"), headers=["content-encoding: identity"])
    server.reply(OK, packed)

    async def heads() -> list[str]:
        line = AiohttpTransport(None)
        try:
            sent = [
                await line.send("POST", server.url, headers={}, content=b"{}", connect_s=5.0)
                for _ in range(2)
            ]
            for one in sent:
                await one.aclose()
        finally:
            await line.aclose()
        return [type(one).__module__.partition(".")[0] for one in sent]

    assert asyncio.run(heads()) == ["zetaroute", "httpx"]
