"""How many calls at once one server bears: fewer after it said "too many", slowly more while it answers.

It lives apart because only the answers of a server say how much it bears, whatever the config promises.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from zetaroute.errors import ProviderError

LONGEST_PAUSE_S = 20.0
"""A server that asks for more patience than this is left to the retries and fallbacks of its calls."""
_GROWTH = 0.1
"""Calls at once that are added for each round of answers; at 1 a call in four would be refused for ever."""


class Pace:
    """Lets calls through to one server: additive increase, multiplicative decrease (Chiu and Jain 1989)."""

    def __init__(self, most: int, *, pauses: bool = True) -> None:
        self.limit = float(most)
        """Calls at once, as learned so far."""
        self._most = most
        self._pauses = pauses
        """Whether all calls wait when the server asks one to; a lone query rather asks another model there."""
        self._under_way = 0
        self._slowed_at = 0.0
        self._resume_at = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold a turn for one call, whose end tells how the server bears it."""
        await self._enter()
        began_at = asyncio.get_running_loop().time()
        try:
            yield
            self.limit = min(self._most, self.limit + _GROWTH / self.limit)
        except ProviderError as error:
            if error.kind == "rate_limited":
                self._slow(began_at, error.retry_after_s or 0.0)
            raise
        finally:
            self._under_way -= 1
            self._wake()

    async def _enter(self) -> None:
        loop = asyncio.get_running_loop()
        while self._under_way >= int(self.limit) or loop.time() < self._resume_at:
            if loop.time() < self._resume_at:
                await asyncio.sleep(self._resume_at - loop.time())
                continue
            turn = loop.create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                self._wake()
                raise
        self._under_way += 1

    def _slow(self, began_at: float, asked_s: float) -> None:
        now = asyncio.get_running_loop().time()
        # Calls that began before the last step back tell nothing new.
        if began_at >= self._slowed_at:
            self.limit, self._slowed_at = max(1.0, self._under_way / 2), now
        if self._pauses and asked_s <= LONGEST_PAUSE_S:
            self._resume_at = max(self._resume_at, now + asked_s)

    def _wake(self) -> None:
        free = int(self.limit) - self._under_way
        while self._waiting and free > 0:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1
