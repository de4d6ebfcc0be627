"""Services that a key opens, and a few models of each to begin with.

Apart from the detection because names of models age: this is the one place to look after.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedModel:
    """A model to begin with; what is expected of it is a guess, like every prior."""

    name: str
    prior_accuracy: float
    prior_response_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedService:
    """A place that answers to a key."""

    name: str
    prefix: str
    key: str
    """NAME of the variable under which people keep its key."""
    base_url: str
    models: tuple[HostedModel, ...]
    provider: str = "openai"


def _models(*rows: tuple[str, float, float]) -> tuple[HostedModel, ...]:
    return tuple(
        HostedModel(name=name, prior_accuracy=accuracy, prior_response_s=seconds)
        for name, accuracy, seconds in rows
    )


SERVICES = (
    HostedService(
        name="OpenAI",
        prefix="openai",
        key="OPENAI_API_KEY",
        base_url="https://api.openai.com/v1",
        models=_models(("gpt-4.1-nano", 0.60, 1.5), ("gpt-4.1-mini", 0.72, 2.5), ("gpt-4.1", 0.80, 3.5)),
    ),
    HostedService(
        name="Anthropic",
        prefix="anthropic",
        key="ANTHROPIC_API_KEY",
        base_url="https://api.anthropic.com",
        models=_models(("claude-haiku-4-5", 0.76, 2.5), ("claude-sonnet-4-5", 0.84, 4.0)),
        provider="anthropic",
    ),
    HostedService(
        name="OpenRouter",
        prefix="openrouter",
        key="OPENROUTER_API_KEY",
        base_url="https://openrouter.ai/api/v1",
        models=_models(
            ("meta-llama/llama-3.3-70b-instruct", 0.68, 4.0),
            ("openai/gpt-4.1-mini", 0.72, 2.5),
            ("anthropic/claude-haiku-4.5", 0.76, 2.5),
        ),
    ),
    HostedService(
        name="Groq",
        prefix="groq",
        key="GROQ_API_KEY",
        base_url="https://api.groq.com/openai/v1",
        models=_models(("llama-3.1-8b-instant", 0.58, 0.8), ("llama-3.3-70b-versatile", 0.68, 1.5)),
    ),
    HostedService(
        name="Mistral",
        prefix="mistral",
        key="MISTRAL_API_KEY",
        base_url="https://api.mistral.ai/v1",
        models=_models(("mistral-small-latest", 0.66, 2.0), ("mistral-large-latest", 0.76, 4.0)),
    ),
    HostedService(
        name="DeepSeek",
        prefix="deepseek",
        key="DEEPSEEK_API_KEY",
        base_url="https://api.deepseek.com/v1",
        models=_models(("deepseek-chat", 0.76, 5.0), ("deepseek-reasoner", 0.82, 20.0)),
    ),
    HostedService(
        name="Gemini",
        prefix="gemini",
        key="GEMINI_API_KEY",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        models=_models(("gemini-2.5-flash", 0.74, 2.5), ("gemini-2.5-pro", 0.84, 10.0)),
    ),
    HostedService(
        name="Together",
        prefix="together",
        key="TOGETHER_API_KEY",
        base_url="https://api.together.xyz/v1",
        models=_models(("meta-llama/Llama-3.3-70B-Instruct-Turbo", 0.68, 2.0)),
    ),
    HostedService(
        name="xAI",
        prefix="xai",
        key="XAI_API_KEY",
        base_url="https://api.x.ai/v1",
        models=_models(
            ("grok-3-mini", 0.74, 4.0),
        ),
    ),
)


def available_services(environment: Mapping[str, str]) -> tuple[HostedService, ...]:
    """Return the services whose key is set in `environment`; the value of no variable goes any further."""
    return tuple(one for one in SERVICES if environment.get(one.key, "").strip())
