"""All providers of a run behind one door: opened when first asked, closed together.

It lives here so that a run pays at start-up only for the wire formats it uses, and so that one place
bounds how many calls an arm gets at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import TracebackType

from zetaroute.domain import Arm, Completion, Query
from zetaroute.errors import ConfigError
from zetaroute.providers.protocol import OnText, Provider


class Providers:
    """Sends each query to the provider of its arm, at most `max_concurrency` at once per arm."""

    def __init__(self, turns: dict[str, asyncio.Semaphore]) -> None:
        self._turns = turns
        self._open: dict[str, Provider] = {}

    async def complete(self, arm: Arm, query: Query, on_text: OnText | None = None) -> Completion:
        """Ask `arm` when it has a free turn; raises what its provider raises."""
        async with self._turns[arm.id]:
            if arm.provider not in self._open:
                self._open[arm.provider] = _provider(arm)
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


def open_providers(arms: Iterable[Arm]) -> Providers:
    """Return the providers of these arms, to be used in `async with`."""
    return Providers({arm.id: asyncio.Semaphore(arm.max_concurrency) for arm in arms})


def _provider(arm: Arm) -> Provider:
    match arm.provider:
        case "openai":
            from zetaroute.providers.openai import OpenAIProvider

            return OpenAIProvider()
        case "anthropic":
            from zetaroute.providers.anthropic import AnthropicProvider

            return AnthropicProvider()
        case "practice":
            from zetaroute.practice.models import MODELS
            from zetaroute.providers.practice import PracticeProvider

            return PracticeProvider(MODELS)
        case "recorded":
            from zetaroute.providers.recorded import RecordedProvider

            return RecordedProvider()
        case _:
            raise ConfigError(f"Model {arm.id}: there is no provider {arm.provider!r}; correct provider.")
