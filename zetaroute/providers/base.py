"""What every provider is, and what all wire formats ask alike."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Protocol

from zetaroute.domain import Arm, Attachment, Completion, Query

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


def call_cost_usd(
    arm: Arm,
    *,
    input_tokens: int | None,
    output_tokens: int | None,
    cached_tokens: int | None = None,
    cache_write_tokens: int | None = None,
    reasoning_tokens: int | None = None,
) -> float | None:
    """Return the cost in USD, or None when a price or a token count is unknown."""
    if arm.prices is None or input_tokens is None or output_tokens is None:
        return None
    # A server that claims more cached tokens than it read would make the call cheaper than free.
    cached = min(cached_tokens or 0, input_tokens)
    return arm.prices.cost_usd(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_tokens=cached,
        cache_write_tokens=min(cache_write_tokens or 0, input_tokens - cached),
        reasoning_tokens=min(reasoning_tokens or 0, output_tokens),
    )


def options(arm: Arm, query: Query) -> dict[str, Any]:
    """Return the options of the arm and, before them, of the query, under the names that the server knows.

    An arm's effort stands before all: it is what the arm is an arm for.
    """
    merged = {**arm.options, **query.options}
    if arm.effort is not None:
        merged["reasoning_effort"] = arm.effort
    if "max_tokens" in merged:
        merged[arm.max_tokens_key] = merged.pop("max_tokens")
    return merged


def text_with_files(query: Query) -> str:
    """Return the query's text behind the text files that go with it."""
    files = (
        f'<file name="{file.note.name}">\n{file.content.decode()}\n</file>\n\n'
        for file in query.attachments
        if file.kind == "text"
    )
    return "".join(files) + query.text


def binary_files(query: Query) -> list[Attachment]:
    """Return the files that are not text."""
    return [file for file in query.attachments if file.kind != "text"]


def base64_of(file: Attachment) -> str:
    """Return the file's content as JSON can hold it."""
    return base64.b64encode(file.content).decode("ascii")
