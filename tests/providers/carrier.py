"""Which library carries the calls of a test: plain httpx, or httpx over aiohttp as in a batch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Carrier:
    many: bool = False


CARRIER = Carrier()
