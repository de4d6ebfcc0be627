"""A server that says "too many" is asked more slowly, and faster again while it answers."""

from __future__ import annotations

import asyncio
import time

from tests.support.waiting import PATIENCE_S
from zetaroute.errors import ProviderError
from zetaroute.providers.pool import Pace


def too_many(retry_after_s: float | None = None) -> ProviderError:
    return ProviderError("too many", kind="rate_limited", retryable=True, retry_after_s=retry_after_s)


class Server:
    """Bears so many calls at once and refuses the others."""

    def __init__(self, places: int, pace: Pace) -> None:
        self.places = places
        self.pace = pace
        self.now = self.peak = self.served = self.refused = 0

    async def call(self) -> None:
        async with self.pace.turn():
            self.now += 1
            self.peak = max(self.peak, self.now)
            try:
                await asyncio.sleep(0.002)
                if self.now > self.places:
                    self.refused += 1
                    raise too_many()
                self.served += 1
            finally:
                self.now -= 1

    async def insist(self) -> None:
        """Call until it is served, as the retries do."""
        while True:
            try:
                return await self.call()
            except ProviderError:
                await asyncio.sleep(0)


def test_it_finds_what_a_server_bears() -> None:
    async def many() -> Server:
        server = Server(4, Pace(64))
        await asyncio.gather(*(server.insist() for _ in range(400)))
        return server

    server = asyncio.run(many())
    assert server.served == 400
    assert server.peak == 64
    assert server.refused < 200
    assert 1 <= server.pace.limit <= 9


def test_calls_of_one_moment_halve_it_once() -> None:
    async def refused() -> float:
        server = Server(0, Pace(16))
        await asyncio.gather(*(server.call() for _ in range(16)), return_exceptions=True)
        return server.pace.limit

    assert asyncio.run(refused()) == 8


def test_it_grows_back_to_what_the_config_allows_and_no_further() -> None:
    async def grown() -> list[float]:
        server, limits = Server(0, Pace(4)), []
        for places in (0, 0, 0, 100):
            server.places = places
            await asyncio.gather(*(server.call() for _ in range(4)), return_exceptions=True)
            limits.append(server.pace.limit)
        for _ in range(150):
            await server.call()
        return [*limits, server.pace.limit]

    limits = asyncio.run(grown())
    assert limits[:3] == sorted(limits[:3], reverse=True)
    assert limits[2] == 1
    assert limits[2] < limits[3] < limits[4] == 4


def test_everybody_waits_as_long_as_the_server_asks() -> None:
    async def waiting() -> float:
        pace = Pace(8)
        try:
            async with pace.turn():
                raise too_many(0.1)
        except ProviderError:
            began = time.perf_counter()
        async with pace.turn():
            return time.perf_counter() - began

    assert asyncio.run(waiting()) > 0.09


def test_a_caller_that_gives_up_takes_no_place_with_it() -> None:
    async def given_up() -> bool:
        pace, hold = Pace(1), asyncio.Event()

        async def holding() -> None:
            async with pace.turn():
                await hold.wait()

        async def waiting() -> None:
            async with pace.turn():
                pass

        first = asyncio.create_task(holding())
        await asyncio.sleep(0)
        others = [asyncio.create_task(waiting()) for _ in range(3)]
        await asyncio.sleep(0)
        hold.set()
        others[0].cancel()
        await first
        await asyncio.wait_for(asyncio.gather(*others[1:]), PATIENCE_S)
        return others[0].cancelled()

    assert asyncio.run(given_up())
