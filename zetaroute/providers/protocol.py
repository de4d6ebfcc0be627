"""What every provider is: one wire format that turns an arm and a query into a completion.

It lives apart from the formats so that calling, and any format to come, knows this shape and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from zetaroute.domain import Arm, Completion, Query

OnText = Callable[[str], None]
"""Takes each piece of answer text at the moment it arrives."""


class Provider(Protocol):
    """One wire format, shared by all arms that speak it and by a whole run."""

    async def complete(self, arm: Arm, query: Query, on_text: OnText | None = None) -> Completion:
        """Ask `arm` once: streamed piece by piece to `on_text`, or in one plain request without it.

        Raises ProviderError when the call fails and ConfigError when the arm is configured wrongly.
        """
        ...

    async def aclose(self) -> None:
        """Give back the connections."""
        ...
