"""Services that a key opens, out of services.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


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


def hosted_services() -> tuple[HostedService, ...]:
    """Return the services of the table, in its order."""
    table = tomllib.loads((Path(__file__).parent / "services.toml").read_text(encoding="utf-8"))
    return tuple(
        HostedService(prefix=prefix, **{**row, "models": tuple(_model(*model) for model in row["models"])})
        for prefix, row in table.items()
    )


def available_services(environment: Mapping[str, str]) -> tuple[HostedService, ...]:
    """Return the services whose key is set in `environment`; the value of no variable goes any further."""
    return tuple(one for one in hosted_services() if environment.get(one.key, "").strip())


def _model(name: str, accuracy: float, seconds: float) -> HostedModel:
    return HostedModel(name=name, prior_accuracy=accuracy, prior_response_s=seconds)
