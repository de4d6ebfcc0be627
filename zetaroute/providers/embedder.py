"""Vectors of texts from an endpoint that speaks OpenAI's /v1/embeddings.

A decision asks for a vector, many at a time, and must be told soon when there is none.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np

from zetaroute.arrays import Array32
from zetaroute.config.models import Embedding
from zetaroute.domain import Query
from zetaroute.errors import ProviderError, ZetarouteError
from zetaroute.providers.credentials import credentials
from zetaroute.providers.http import Ask, Exchange, endpoint
from zetaroute.providers.retry import LONGEST_WAIT_S
from zetaroute.providers.stream import Take
from zetaroute.wire.draft import Draft
from zetaroute.wire.json_values import JsonObject, count, mapping, sequence

RETRIES = 2
LINGER_S = 0.01
"""How long a single text waits for others to share its request."""
REST_S = 30.0
"""How long an endpoint that failed is not asked again: a run waits for it once, not with every query."""
_FIRST_WAIT_S = 0.25
_PUT_DOWN = "vectors"
"""What stands for the text of the answer, which these answers do not have."""

Sleep = Callable[[float], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """What the endpoint made of one text."""

    values: Array32
    """(D,) as it came: of any length and scale."""
    cost_usd: float | None
    """The text's share of its request by size; None while the price is unknown."""


class Embedder:
    """Asks one endpoint for the vectors of texts."""

    def __init__(
        self,
        embedding: Embedding,
        *,
        many: bool = False,
        sleep: Sleep = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self.space = embedding.space
        self._embedding = embedding
        self._exchange = Exchange(many=many)
        self._turns = asyncio.Semaphore(embedding.arm.max_concurrency)
        self._sleep, self._rng = sleep, rng or random.Random()
        self._size = embedding.dimensions
        self._failure: ProviderError | None = None
        self._rests_until = 0.0
        self._pending: list[tuple[str, asyncio.Future[Vector]]] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def embed(self, texts: Sequence[str]) -> tuple[Vector, ...]:
        """Return the vectors of `texts` in their order; equal texts are sent once.

        Raises ProviderError when one request fails, and ConfigError for an unusable base_url.
        """
        sent = [shortened(text, self._embedding.max_characters) for text in texts]
        distinct = list(dict.fromkeys(sent))
        size = self._embedding.batch_size
        parts = [distinct[start : start + size] for start in range(0, len(distinct), size)]
        try:
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(self._request(part)) for part in parts]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        found = dict(zip(distinct, (vector for task in asked for vector in task.result()), strict=True))
        return tuple(found[text] for text in sent)

    async def one(self, text: str) -> Vector:
        """Return the vector of one text; calls at about the same time share a request. Raises as `embed`."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Vector] = loop.create_future()
        self._pending.append((text, future))
        if len(self._pending) >= self._embedding.batch_size:
            self._send()
        elif len(self._pending) == 1:
            loop.call_later(LINGER_S, self._send)
        return await future

    async def pass_on(self, body: JsonObject) -> JsonObject:
        """Ask for what somebody else wants, as they put it, and return the endpoint's answer as it came.

        Raises ProviderError, and ConfigError for an unusable base_url.
        """
        kept: list[JsonObject] = []

        def take(payload: JsonObject, draft: Draft) -> str | None:
            if not isinstance(payload.get("data"), list):
                return None
            kept.append(payload)
            return _PUT_DOWN

        async with self._turns:
            await self._exchange.complete(self._ask({**body, "model": self._embedding.arm.model}, take), None)
        return kept[-1]

    async def aclose(self) -> None:
        """Close the connections; every call that still waits for a vector is cancelled."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._exchange.aclose()

    def _send(self) -> None:
        waiting, self._pending = self._pending, []
        if waiting:
            task = asyncio.get_running_loop().create_task(self._share(waiting))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _share(self, waiting: Sequence[tuple[str, asyncio.Future[Vector]]]) -> None:
        try:
            vectors = await self.embed([text for text, _ in waiting])
            for (_, future), vector in zip(waiting, vectors, strict=True):
                if not future.done():
                    future.set_result(vector)
        except ZetarouteError as error:
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error)
        finally:
            for _, future in waiting:
                future.cancel()

    async def _request(self, texts: Sequence[str]) -> list[Vector]:
        """Ask for the vectors of one part, with retries, within the time limit and unless the endpoint rests."""
        async with self._turns:
            now = asyncio.get_running_loop().time()
            if self._failure is not None and now < self._rests_until:
                raise ProviderError(str(self._failure), kind=self._failure.kind)
            limit = asyncio.timeout(self._embedding.arm.timeout_s)
            try:
                async with limit:
                    return await self._tried(texts)
            except ProviderError as error:
                raise self._rest(error) from error
            except TimeoutError:
                if not limit.expired():
                    raise
                arm = self._embedding.arm
                words = f"{arm.id}: no vector within {arm.timeout_s:g} s; raise timeout_s if it needs longer."
                raise self._rest(ProviderError(words, kind="timeout")) from None

    def _rest(self, error: ProviderError) -> ProviderError:
        self._failure, self._rests_until = error, asyncio.get_running_loop().time() + REST_S
        return error

    async def _tried(self, texts: Sequence[str]) -> list[Vector]:
        tries = 0
        while True:
            tries += 1
            try:
                return await self._once(texts)
            except ProviderError as error:
                asked_s = error.retry_after_s or 0.0
                if not error.retryable or tries > RETRIES or asked_s > LONGEST_WAIT_S:
                    raise
            await self._sleep(asked_s + _FIRST_WAIT_S * 2 ** (tries - 1) * self._rng.uniform(0.5, 1.0))

    async def _once(self, texts: Sequence[str]) -> list[Vector]:
        arm, dimensions = self._embedding.arm, self._embedding.dimensions
        body: JsonObject = {"model": arm.model, "input": list(texts)}
        taken = _Taken(len(texts))
        wanted_body = body if dimensions is None else {**body, "dimensions": dimensions}
        done = await self._exchange.complete(self._ask(wanted_body, taken.take, texts), None)
        got, wanted = len(taken.rows[0]), self._size
        if wanted is not None and got != wanted:
            words = f"{arm.id}: its vectors have {got} numbers, not {wanted}; correct model or dimensions."
            raise ProviderError(words, kind="malformed")
        self._size = got
        sizes = [len(text.encode("utf-8", "replace")) for text in texts]
        return [
            Vector(values=row, cost_usd=None if done.cost_usd is None else done.cost_usd * size / sum(sizes))
            for row, size in zip(taken.rows, sizes, strict=True)
        ]

    def _ask(self, body: JsonObject, take: Take, texts: Sequence[str] = ()) -> Ask:
        arm = self._embedding.arm
        return Ask(
            arm=arm,
            query=Query(text="\n".join(texts)),
            url=endpoint(arm, "/embeddings", "https://api.openai.com/v1"),
            credentials=credentials(arm, key_header="authorization", scheme="Bearer "),
            bodies=(body,),
            take=take,
        )


class _Taken:
    """The vectors of one answer, once they are found to be what was asked for."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self.rows: list[Array32] = []

    def take(self, payload: JsonObject, draft: Draft) -> str | None:
        """Keep the vectors in the order of the texts; return None for anything that is not all of them."""
        data = [mapping(item) for item in sequence(payload.get("data"))]
        places = [count(item.get("index")) for item in data]
        if set(places) == set(range(self._wanted)):
            data = [data[places.index(place)] for place in range(self._wanted)]
        rows = [row for row in (_numbers(item.get("embedding")) for item in data) if row is not None]
        if len(rows) != self._wanted or len({len(row) for row in rows}) != 1:
            return None
        self.rows = rows
        return _PUT_DOWN


def shortened(text: str, characters: int) -> str:
    """Return what is sent of a text: of a long one its two ends, of a blank one a sign that no server refuses."""
    if len(text) > characters:
        text = text[: characters // 2] + "\n" + text[-(characters // 2) :]
    return text if text.strip() else "?"


def _numbers(value: object) -> Array32 | None:
    """Return a vector of finite numbers that are not all zero, or None."""
    items = sequence(value)
    if not items or not all(isinstance(item, int | float) and not isinstance(item, bool) for item in items):
        return None
    try:
        with np.errstate(over="ignore"):
            row = np.array(items, dtype=np.float64).astype(np.float32)
    except OverflowError:
        return None
    return row if np.isfinite(row).all() and row.any() else None
