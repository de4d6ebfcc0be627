"""Which version began to serve, when and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """One change of the current policy version."""

    id: str
    time: str
    version: str
    previous: str | None
    reason: str
    author: str
    forced: bool = False
