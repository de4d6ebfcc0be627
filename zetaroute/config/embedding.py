"""The [embedding] table: an endpoint that turns a text into a vector, in place of counting its words.

Apart from the models because it never answers; it is called like one all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from zetaroute.config.reader import Table
from zetaroute.domain import Arm, Prices

BATCH_SIZE = 64
MAX_CHARACTERS = 8000


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """Where vectors come from."""

    arm: Arm
    """How to call it: address, key, time limit, price of the input."""
    dimensions: int | None = None
    """Asked for, and checked in the answer; None: as many as the model has."""
    batch_size: int = BATCH_SIZE
    """Texts in one request."""
    max_characters: int = MAX_CHARACTERS
    """Of a longer text the first and the last half of this are sent."""

    @property
    def space(self) -> str:
        """The name of the space that the vectors lie in: only vectors of one space can be compared."""
        return f"{self.arm.model}/{self.dimensions or 'native'}/{self.max_characters}"


def read_embedding(table: Table | None) -> Embedding | None:
    """Return what the table says; None where there is none."""
    if table is None:
        return None
    base_url = table.text("base_url", required=True) or ""
    if not base_url.startswith(("http://", "https://")):
        table.fail(f"key base_url is {base_url!r}: it must start with http:// or https://.")
    model = table.text("model", required=True) or ""
    price = table.number("price")
    arm = Arm(
        id=f"embedding/{model}",
        provider="openai",
        model=model,
        base_url=base_url.rstrip("/"),
        api_key_env=table.text("api_key_env"),
        api_key_header=table.text("api_key_header"),
        tags=table.texts("tags") or (("local",) if _is_loopback(base_url) else ()),
        prices=None if price is None else Prices(input=price, output=0.0),
        timeout_s=table.number("timeout_s", 5.0, low=0.01) or 5.0,
        max_concurrency=table.whole("max_concurrency") or 4,
    )
    if arm.api_key_header is not None and arm.api_key_env is None:
        table.fail('key api_key_header needs api_key_env, for example api_key_env = "AZURE_OPENAI_KEY".')
    embedding = Embedding(
        arm=arm,
        dimensions=table.whole("dimensions"),
        batch_size=table.whole("batch_size") or BATCH_SIZE,
        max_characters=table.whole("max_characters", low=100) or MAX_CHARACTERS,
    )
    table.finish()
    return embedding


def _is_loopback(base_url: str) -> bool:
    try:
        host = urlsplit(base_url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
