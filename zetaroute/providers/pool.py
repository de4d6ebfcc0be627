"""All providers of a run: opened when first asked, limited in calls at once, closed together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from types import TracebackType
from urllib.parse import urlsplit

from zetaroute.config.providers import BUILT_IN
from zetaroute.domain import Arm, Completion, Query
from zetaroute.errors import ConfigError, ProviderError, ZetarouteError
from zetaroute.extensions import load_extension
from zetaroute.providers.base import OnText, Provider

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


class Providers:
    """Sends each query to the provider of its arm, when the arm and its server have a free turn."""

    def __init__(
        self, turns: Mapping[str, asyncio.Semaphore], paces: Mapping[str, Pace], *, many: bool
    ) -> None:
        self._turns = turns
        """By arm."""
        self._paces = paces
        """By arm; those of one server share one."""
        self._many = many
        self._open: dict[str, Provider] = {}

    async def complete(self, arm: Arm, query: Query, on_text: OnText | None = None) -> Completion:
        """Ask `arm` when it has a free turn; raises what its provider raises."""
        async with self._turns[arm.id], self._paces[arm.id].turn():
            if arm.provider not in self._open:
                self._open[arm.provider] = _open_provider(arm, many=self._many)
            return await self._open[arm.provider].complete(arm, query, on_text)

    async def aclose(self) -> None:
        """Close every provider that was opened."""
        while self._open:
            _, provider = self._open.popitem()
            await provider.aclose()

    async def __aenter__(self) -> Providers:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class ExtensionProvider:
    """A provider of an installed package, whose unforeseen exceptions are failed calls and no traceback."""

    def __init__(self, name: str, provider: Provider) -> None:
        self._name = name
        self._provider = provider

    async def complete(self, arm: Arm, query: Query, on_text: OnText | None = None) -> Completion:
        """Ask `arm` once; raises ZetarouteError alone."""
        try:
            return await self._provider.complete(arm, query, on_text)
        except ZetarouteError:
            raise
        except Exception as error:
            raise ProviderError(
                f"{arm.id}: the provider {self._name!r} broke ({type(error).__name__}: {error}); fix its package.",
                kind="malformed",
                perhaps_billed=True,
            ) from error

    async def aclose(self) -> None:
        """Close the provider."""
        await self._provider.aclose()


def open_providers(arms: Iterable[Arm], *, many: bool = False) -> Providers:
    """Return the providers of these arms, to be used in `async with`; `many` when calls run side by side."""
    arms = tuple(arms)
    turns = {arm.id: asyncio.Semaphore(arm.max_concurrency) for arm in arms}
    servers: dict[str, list[Arm]] = {}
    for arm in arms:
        servers.setdefault(_server(arm), []).append(arm)
    paces = {server: Pace(_most(at), pauses=many) for server, at in servers.items()}
    paces = {arm.id: paces[server] for server, at in servers.items() for arm in at}
    return Providers(turns, paces, many=many)


def _most(arms: Sequence[Arm]) -> int:
    """Return how many calls at once the config allows a server: the smallest number that its arms name."""
    named = [arm.server_concurrency for arm in arms if arm.server_concurrency is not None]
    return min(named, default=sum(arm.max_concurrency for arm in arms))


def _server(arm: Arm) -> str:
    """Return what arms on one server have in common: the origin of their base_url."""
    if arm.base_url is None:
        return arm.provider
    url = urlsplit(arm.base_url)
    return f"{url.scheme}://{url.netloc}".lower()


def _open_provider(arm: Arm, *, many: bool) -> Provider:
    row = BUILT_IN.get(arm.provider)
    if row is not None:
        opened: Provider = getattr(import_module(row.module), row.opens)(many=many)
        return opened
    opens = load_extension("providers", arm.provider, is_usable=callable)
    if opens is None:
        raise ConfigError(f"Model {arm.id}: there is no provider {arm.provider!r}; correct provider.")
    return ExtensionProvider(arm.provider, opens(many=many))
