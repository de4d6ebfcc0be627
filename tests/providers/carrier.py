"""Which library carries the calls of a test: plain httpx, or httpx over aiohttp as in a batch.

It lives apart so that the same tests hold for both, whatever helper makes their provider.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Carrier:
    many: bool = False


CARRIER = Carrier()
