"""A [[models]] block and how it becomes an arm.

Apart from the other settings because it has the most keys, and the most ways to get one wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from zetaroute.config.providers import BUILT_IN, provider_names
from zetaroute.config.toml_table import Table
from zetaroute.domain import Arm, Prices
from zetaroute.errors import UsageError

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


ATTACHMENTS = ("image", "file")
OWN_FIELDS = ("model", "messages", "system", "stream", "stream_options", "n")
"""Fields of a request that zetaroute fills; options may not."""
_KEY_HEADERS = {"authorization", "proxy-authorization", "api-key", "x-api-key"}
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""A token of RFC 9110, 5.6.2."""


def read_arm(table: Table, *, folder: Path) -> Arm:
    """Return the arm that a [[models]] block describes; relative paths count from `folder`."""
    model_id = table.text("id", required=True) or ""
    provider = table.text("provider", required=True) or ""
    if provider not in BUILT_IN:
        provider = table.choice("provider", provider_names())
    base_url = table.text("base_url")
    prices = _prices(table.table("price"))
    timeout_s = table.number("timeout_s", 60.0, low=0.01) or 60.0
    arm = Arm(
        id=model_id,
        provider=provider,
        model=table.text("model") or model_id.partition("/")[2] or model_id,
        base_url=base_url.rstrip("/") if base_url else None,
        api_key_env=table.text("api_key_env"),
        api_key_header=_header_name(table, table.text("api_key_header")),
        headers=_headers(table),
        proxy=_web_address(table, "proxy"),
        ca_file=_path(table, "ca_file", folder),
        file=_path(table, "file", folder),
        tags=table.texts("tags"),
        system=table.text("system"),
        prices=prices,
        price_source="config" if prices else None,
        prior_accuracy=table.number("prior_accuracy", high=1),
        prior_response_s=table.number("prior_response_s"),
        timeout_s=timeout_s,
        connect_timeout_s=table.number("connect_timeout_s", 10.0, low=0.01) or 10.0,
        first_token_timeout_s=table.number("first_token_timeout_s", low=0.01),
        max_concurrency=table.whole("max_concurrency") or 8,
        server_concurrency=table.whole("server_concurrency"),
        context_window=table.whole("context_window"),
        accepts=_accepts(table),
        options=_options(table),
        max_tokens_key=table.text("max_tokens_key") or "max_tokens",
        delay=_or(table.number("delay"), 1.0),
    )
    table.finish()
    _check(table, arm)
    return arm


def check_options(options: Mapping[str, Any]) -> None:
    """Raise UsageError when an option would replace what zetaroute itself puts into a request."""
    taken = [name for name in options if name in OWN_FIELDS]
    if taken:
        raise UsageError(
            f"the option {taken[0]} is not yours to set: zetaroute fills {', '.join(OWN_FIELDS)} itself."
        )


def _check(table: Table, arm: Arm) -> None:
    row = BUILT_IN.get(arm.provider)
    if row is not None and (mistake := row.mistake(arm)):
        table.fail(mistake)
    if arm.api_key_header is not None and arm.api_key_env is None:
        table.fail('key api_key_header needs api_key_env, for example api_key_env = "AZURE_OPENAI_KEY".')


def _prices(table: Table | None) -> Prices | None:
    if table is None:
        return None
    per_input, per_output = table.number("input"), table.number("output")
    if per_input is None or per_output is None:
        table.fail("needs both input and output, in USD per million tokens; leave price out when unknown.")
    prices = Prices(input=per_input, output=per_output, cached_input=table.number("cached_input"))
    table.finish()
    return prices


def _headers(table: Table) -> Mapping[str, str]:
    headers = {}
    for name, value in table.pairs("headers").items():
        _header_name(table, name)
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            table.fail(f'header {name} must be a text of plain characters, for example {name} = "$MY_NAME".')
        if name.lower() in _KEY_HEADERS and "$" not in value:
            table.fail(
                f"header {name} holds a secret: put it into an environment variable and write its name, "
                f'for example {name} = "Bearer $MY_KEY".'
            )
        headers[name] = value
    return headers


def _header_name(table: Table, name: str | None) -> str | None:
    if name is not None and not _HEADER_NAME.fullmatch(name):
        table.fail(f"{name!r} is no name of an HTTP header: use letters, digits and hyphens.")
    return name


def _web_address(table: Table, key: str) -> str | None:
    value = table.text(key)
    if value is not None and not value.startswith(("http://", "https://", "$")):
        table.fail(f"key {key} must start with http:// or https://, or be an environment variable's $NAME.")
    return value


def _accepts(table: Table) -> tuple[str, ...]:
    accepts = table.texts("accepts")
    for kind in accepts:
        if kind not in ATTACHMENTS:
            table.fail(f"key accepts holds {kind!r}: choose from {', '.join(ATTACHMENTS)}.")
    return accepts


def _options(table: Table) -> Mapping[str, Any]:
    options = table.pairs("options")
    try:
        check_options(options)
        json.dumps(options, allow_nan=False)
    except UsageError as error:
        table.fail(f"options: {error}")
    except (TypeError, ValueError):
        table.fail("options hold a value that JSON does not know: no dates, no inf and no nan.")
    return options


def _path(table: Table, key: str, folder: Path) -> str | None:
    value = table.text(key)
    return str((folder / Path(value).expanduser()).absolute()) if value else None


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
