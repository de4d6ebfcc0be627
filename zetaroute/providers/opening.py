"""All providers of a run behind one door: opened when first asked, closed together.

It lives here so that a run pays at start-up only for the wire formats it uses, and so that one place
bounds how many calls an arm gets at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from urllib.parse import urlsplit

from zetaroute.domain import Arm, Completion, Query
from zetaroute.errors import ConfigError
from zetaroute.providers.pace import Pace
from zetaroute.providers.protocol import OnText, Provider


class Providers:
    """Sends each query to the provider of its arm, when the arm and its server have a free turn."""

    def __init__(
        self, turns: Mapping[str, asyncio.Semaphore], paces: Mapping[str, Pace], *, many: bool
    ) -> None:
        self._turns = turns
        """By arm."""
        self._paces = paces
        """By server."""
        self._many = many
        self._open: dict[str, Provider] = {}

    async def complete(self, arm: Arm, query: Query, on_text: OnText | None = None) -> Completion:
        """Ask `arm` when it has a free turn; raises what its provider raises."""
        async with self._turns[arm.id], self._paces[_server(arm)].turn():
            if arm.provider not in self._open:
                self._open[arm.provider] = _provider(arm, many=self._many)
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


def open_providers(arms: Iterable[Arm], *, many: bool = False) -> Providers:
    """Return the providers of these arms, to be used in `async with`; `many` when calls run side by side."""
    arms = tuple(arms)
    turns = {arm.id: asyncio.Semaphore(arm.max_concurrency) for arm in arms}
    servers: dict[str, list[Arm]] = {}
    for arm in arms:
        servers.setdefault(_server(arm), []).append(arm)
    paces = {server: Pace(_most(at), pauses=many) for server, at in servers.items()}
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


def _provider(arm: Arm, *, many: bool) -> Provider:
    match arm.provider:
        case "openai":
            from zetaroute.providers.openai import OpenAIProvider

            return OpenAIProvider(many=many)
        case "anthropic":
            from zetaroute.providers.anthropic import AnthropicProvider

            return AnthropicProvider(many=many)
        case "practice":
            from zetaroute.practice.models import MODELS
            from zetaroute.providers.practice import PracticeProvider

            return PracticeProvider(MODELS)
        case "recorded":
            from zetaroute.providers.recorded import RecordedProvider

            return RecordedProvider()
        case _:
            raise ConfigError(f"Model {arm.id}: there is no provider {arm.provider!r}; correct provider.")
