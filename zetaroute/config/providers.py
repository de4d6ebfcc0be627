"""The built-in providers: where each is, and which keys of a [[models]] block it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zetaroute.domain import Arm
from zetaroute.extensions import extension_names

PRACTICE_MODELS = ("small", "medium", "large")


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """One provider, which nothing imports before a model of it is asked."""

    module: str
    opens: str
    """What in the module opens it: called with `many`, whether calls run side by side."""
    mistake: Callable[[Arm], str | None]
    """Returns what is wrong with an arm's block, behind the place; None: nothing."""


def _at_an_address(arm: Arm) -> str | None:
    if arm.base_url is None:
        return 'needs a key base_url, for example base_url = "http://127.0.0.1:11434/v1".'
    if not arm.base_url.startswith(("http://", "https://")):
        return f"key base_url is {arm.base_url!r}: it must start with http:// or https://."
    return None


def _one_of_three(arm: Arm) -> str | None:
    if arm.model in PRACTICE_MODELS:
        return None
    return f"key model is {arm.model!r}: the practice models are {', '.join(PRACTICE_MODELS)}."


def _from_a_file(arm: Arm) -> str | None:
    return None if arm.file else 'needs a key file, for example file = "outcomes.parquet".'


BUILT_IN = {
    "openai": ProviderRow("zetaroute.providers.openai_provider", "OpenAIProvider", _at_an_address),
    "anthropic": ProviderRow("zetaroute.providers.anthropic_provider", "AnthropicProvider", _at_an_address),
    "responses": ProviderRow("zetaroute.providers.responses_provider", "ResponsesProvider", _at_an_address),
    "practice": ProviderRow("zetaroute.providers.practice_provider", "PracticeProvider", _one_of_three),
    "recorded": ProviderRow("zetaroute.providers.recorded_provider", "RecordedProvider", _from_a_file),
}


def provider_names() -> tuple[str, ...]:
    """Return every provider there is, those of installed packages last."""
    return (*BUILT_IN, *extension_names("providers"))
