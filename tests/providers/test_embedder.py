"""Vectors over a real connection: in order, in batches, soon told when there are none."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.waiting import PATIENCE_S
from zetaroute.config.models import Embedding
from zetaroute.domain import Arm, Prices
from zetaroute.errors import ConfigError, ProviderError
from zetaroute.providers.embedder import REST_S, RETRIES, Embedder, shortened

from .carrier import CARRIER
from .loopback import CLOSE, RESET, ModelServer, Reply, Seen, http

pytestmark = pytest.mark.usefixtures("each_carrier")

KEY = "sk-se/cr+et=0123456789"


def embedding_at(server: ModelServer, *, arm: dict[str, object] | None = None, **fields: object) -> Embedding:
    model = Arm(
        id="embedding/e1",
        provider="openai",
        model="e1",
        base_url=f"{server.url}/v1",
        timeout_s=PATIENCE_S,
        max_concurrency=4,
    )
    return replace(Embedding(arm=replace(model, **(arm or {}))), **fields)


def of_length(seen: Seen) -> Reply:
    """Answer every text with its length and 1, the last text first."""
    texts = seen.body["input"]
    data = [{"index": place, "embedding": [len(text), 1]} for place, text in enumerate(texts)]
    return http({"object": "list", "data": data[::-1], "model": "e1", "usage": {"prompt_tokens": 100}})


def with_embedder(embedding: Embedding, use: Callable[[Embedder], Awaitable[Any]]) -> Any:
    async def once() -> Any:
        embedder = Embedder(embedding, many=CARRIER.many, sleep=lambda _: asyncio.sleep(0))
        try:
            return await use(embedder)
        finally:
            await embedder.aclose()

    return asyncio.run(once())


def failure(embedding: Embedding, texts: tuple[str, ...] = ("a", "b")) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        with_embedder(embedding, lambda embedder: embedder.embed(texts))
    return caught.value


async def is_asked(server: ModelServer) -> None:
    while server.now == 0:
        await asyncio.sleep(0.002)


def test_request_and_vectors_in_the_order_of_the_texts(server: ModelServer, monkeypatch) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    server.reply(of_length)
    embedding = embedding_at(
        server, arm={"api_key_env": "SOME_KEY", "prices": Prices(input=0.5, output=0)}, dimensions=2
    )
    vectors = with_embedder(embedding, lambda embedder: embedder.embed(("ab", "ü", "abcd", "ab")))
    assert [vector.values.tolist() for vector in vectors] == [[2, 1], [1, 1], [4, 1], [2, 1]]
    assert vectors[0].values.dtype == np.float32
    (seen,) = server.seen
    assert seen.target == "/v1/embeddings"
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert seen.body == {"model": "e1", "input": ["ab", "ü", "abcd"], "dimensions": 2}
    costs = [vector.cost_usd for vector in vectors]
    assert costs == pytest.approx([100 * 0.5e-6 * share for share in (0.25, 0.25, 0.5, 0.25)], rel=0.02)


def test_cost_without_a_price_is_unknown_and_dimensions_are_asked_for_only_when_set(server) -> None:
    server.reply(of_length)
    (vector,) = with_embedder(embedding_at(server), lambda embedder: embedder.embed(("a",)))
    assert vector.cost_usd is None
    assert server.seen[0].body == {"model": "e1", "input": ["a"]}


def test_many_texts_go_in_parts_side_by_side(server: ModelServer) -> None:
    two = threading.Event()

    def together(seen: Seen) -> Reply:
        if server.now == 2:
            two.set()
        return (two, *of_length(seen))

    server.reply(together)
    texts = tuple("x" * size for size in range(1, 24))
    vectors = with_embedder(embedding_at(server, batch_size=4), lambda embedder: embedder.embed(texts))
    assert [vector.values[0] for vector in vectors] == list(range(1, 24))
    assert sorted(len(seen.body["input"]) for seen in server.seen) == [3, 4, 4, 4, 4, 4]
    assert 2 <= server.peak <= 4


def test_nothing_to_embed_asks_nobody(server: ModelServer) -> None:
    assert with_embedder(embedding_at(server), lambda embedder: embedder.embed(())) == ()
    assert server.seen == []


def test_single_texts_of_one_moment_share_a_request(server: ModelServer) -> None:
    server.reply(of_length)

    async def workers(embedder: Embedder) -> list[float]:
        found = await asyncio.gather(*(embedder.one("x" * size) for size in (3, 1, 3, 2, 5)))
        return [float(vector.values[0]) for vector in found]

    assert with_embedder(embedding_at(server), workers) == [3, 1, 3, 2, 5]
    assert [seen.body["input"] for seen in server.seen] == [["xxx", "x", "xx", "xxxxx"]]


def test_full_request_does_not_wait_for_more_texts(server: ModelServer) -> None:
    server.reply(of_length)

    async def workers(embedder: Embedder) -> None:
        await asyncio.gather(*(embedder.one("x" * size) for size in range(1, 6)))

    with_embedder(embedding_at(server, batch_size=2), workers)
    assert sorted(len(seen.body["input"]) for seen in server.seen) == [1, 2, 2]


def test_one_who_gives_up_takes_nothing_from_the_others(server: ModelServer) -> None:
    go_on = threading.Event()
    server.reply(lambda seen: (go_on, *of_length(seen)))

    async def workers(embedder: Embedder) -> tuple[object, ...]:
        left, stays = asyncio.create_task(embedder.one("a")), asyncio.create_task(embedder.one("bb"))
        await is_asked(server)
        left.cancel()
        go_on.set()
        return tuple(await asyncio.gather(left, stays, return_exceptions=True))

    left, stays = with_embedder(embedding_at(server), workers)
    assert isinstance(left, asyncio.CancelledError)
    assert stays.values[0] == 2


def test_closing_cancels_every_call_that_waits(server: ModelServer) -> None:
    server.reply((2 * PATIENCE_S, CLOSE))

    async def leave() -> object:
        embedder = Embedder(embedding_at(server), many=CARRIER.many)
        waiting = asyncio.create_task(embedder.one("a"))
        await is_asked(server)
        await embedder.aclose()
        return (await asyncio.gather(waiting, return_exceptions=True))[0]

    assert isinstance(asyncio.run(leave()), asyncio.CancelledError)


@pytest.mark.parametrize("again", [http({"error": {"message": "busy"}}, status=503), (RESET,)])
def test_passing_fault_is_asked_again(server: ModelServer, again: Reply) -> None:
    server.reply(again, again, of_length)
    (vector,) = with_embedder(embedding_at(server), lambda embedder: embedder.embed(("abc",)))
    assert vector.values[0] == 3
    assert len(server.seen) == 1 + RETRIES


@pytest.mark.parametrize(
    ("reply", "kind", "words", "calls"),
    [
        (http({"error": {"message": "no such model"}}, status=404), "rejected", "no such model", 1),
        (http({"error": {"message": "who"}}, status=401), "unauthorised", "api_key_env", 1),
        (http({"error": {"message": "full"}}, status=500), "server", "HTTP 500: full", 3),
        (http({"error": {"message": "soon"}}, status=429), "rate_limited", "rate limit", 3),
        (http({"error": "too long"}), "server", "too long", 1),
        (http("<html>", content_type="text/html"), "malformed", "not JSON", 1),
        (http({"data": []}), "malformed", "shape", 1),
        (http({"data": [{"index": 0, "embedding": [1, 2]}]}), "malformed", "shape", 1),
        (http({"data": [{"embedding": [1]}, {"embedding": [1, 2]}]}), "malformed", "shape", 1),
        (http({"data": [{"embedding": [1]}, {"embedding": [0.0]}]}), "malformed", "shape", 1),
        (http({"data": [{"embedding": [1]}, {"embedding": ["1"]}]}), "malformed", "shape", 1),
        (http('{"data": [{"embedding": [1]}, {"embedding": [NaN]}]}'), "malformed", "shape", 1),
        (http('{"data": [{"embedding": [1]}, {"embedding": [1e400]}]}'), "malformed", "shape", 1),
        (http({"data": [{"embedding": [1]}, {"embedding": [10**400]}]}), "malformed", "shape", 1),
        (http({"data": [{"embedding": [1]}, None]}), "malformed", "shape", 1),
        (http({"data": [{"embedding": [1]}, {"embedding": "AACAPw=="}]}), "malformed", "shape", 1),
    ],
)
def test_what_is_no_vector_is_told_in_one_sentence(server, reply, kind, words, calls) -> None:
    server.reply(reply)
    error = failure(embedding_at(server))
    assert error.kind == kind
    assert str(error).startswith("embedding/e1: ")
    assert words in str(error)
    assert len(server.seen) == calls


@pytest.mark.parametrize("asked", [3, None])
def test_length_must_be_the_one_asked_for_and_stay(server: ModelServer, asked: int | None) -> None:
    three = http({"data": [{"embedding": [1, 2, 3]}]})
    server.reply(three, of_length)

    async def twice(embedder: Embedder) -> None:
        await embedder.embed(("a",))
        await embedder.embed(("b",))

    with pytest.raises(ProviderError, match="vectors have 2 numbers, not 3; correct model or dimensions"):
        with_embedder(embedding_at(server, dimensions=asked), twice)


def test_places_that_make_no_sense_leave_the_order_as_it_came(server: ModelServer) -> None:
    server.reply(http({"data": [{"index": 7, "embedding": [1]}, {"index": 7, "embedding": [2]}]}))
    vectors = with_embedder(embedding_at(server), lambda embedder: embedder.embed(("a", "b")))
    assert [vector.values[0] for vector in vectors] == [1, 2]


def test_time_limit_holds_for_the_request_with_its_retries(server: ModelServer) -> None:
    server.reply((2 * PATIENCE_S, CLOSE))
    error = failure(embedding_at(server, arm={"timeout_s": 0.3}))
    assert error.kind == "timeout"
    assert "within 0.3 s" in str(error)


def test_endpoint_that_failed_rests(server: ModelServer) -> None:
    server.reply(http({"error": {"message": "gone"}}, status=404), of_length)

    async def twice(embedder: Embedder) -> list[str]:
        said = []
        for text in ("a", "b"):
            with pytest.raises(ProviderError) as caught:
                await embedder.one(text)
            said.append(str(caught.value))
        return said

    first, second = with_embedder(embedding_at(server), twice)
    assert first == second
    assert len(server.seen) == 1
    assert REST_S >= 10


def test_no_server_at_all(server: ModelServer) -> None:
    embedding = embedding_at(server, arm={"base_url": "http://127.0.0.1:9/v1"})
    assert failure(embedding).kind == "connection"
    with pytest.raises(ConfigError, match="base_url"):
        with_embedder(embedding_at(server, arm={"base_url": "http://"}), lambda embedder: embedder.one("a"))


def test_key_is_never_shown(server: ModelServer, monkeypatch) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    server.reply(http(json.dumps({"error": {"message": f"bad key {KEY}"}}), status=401))
    error = failure(embedding_at(server, arm={"api_key_env": "SOME_KEY"}))
    assert KEY not in str(error)
    assert "check SOME_KEY" in str(error)
    monkeypatch.delenv("SOME_KEY")
    assert "SOME_KEY is not set" in str(failure(embedding_at(server, arm={"api_key_env": "SOME_KEY"})))


@pytest.mark.parametrize(
    ("text", "sent"),
    [("short", "short"), ("a" * 60 + "b" * 60, "a" * 50 + "\n" + "b" * 50), ("", "?"), (" \n", "?")],
)
def test_what_is_sent_of_a_text(text: str, sent: str) -> None:
    assert shortened(text, 100) == sent
