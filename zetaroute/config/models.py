"""[[models]] blocks and the [embedding] table: how each becomes an arm."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from zetaroute.config.prices import prices_in
from zetaroute.config.providers import BUILT_IN, provider_names
from zetaroute.config.toml_table import TomlTable
from zetaroute.domain import Arm, Prices
from zetaroute.domain.arm import Bounds
from zetaroute.errors import UsageError

OWN_FIELDS = ("model", "messages", "system", "stream", "stream_options", "n")
"""Fields of a request that zetaroute fills; options may not."""
_ATTACHMENTS = ("image", "file")
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_OF_ITS_OWN = ("id", "aliases", "effort")
"""Keys of a [[models]] block that one `of` it does not take over."""
_KEY_HEADERS = {"authorization", "proxy-authorization", "api-key", "x-api-key"}
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""A token of RFC 9110, 5.6.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """Where vectors come from."""

    arm: Arm
    """How to call it: address, key, time limit, price of the input."""
    dimensions: int | None = None
    """Asked for, and checked in the answer; None: as many as the model has."""
    batch_size: int = 64
    """Texts in one request."""
    max_characters: Annotated[int, Bounds(low=100)] = 8000
    """Of a longer text the first and the last half of this are sent."""

    @property
    def space(self) -> str:
        """The name of the space that the vectors lie in: only vectors of one space can be compared."""
        return f"{self.arm.model}/{self.dimensions or 'native'}/{self.max_characters}"


def read_arms(root: TomlTable, *, folder: Path) -> tuple[Arm, ...]:
    """Return the arms that the [[models]] blocks describe, whose names are all different."""
    tables = root.tables("models")
    bases = {table.text("id"): table for table in tables if table.text("of") is None}
    arms: list[Arm] = []
    for table in tables:
        of = table.text("of")
        if of is not None and of not in bases:
            table.fail(f"is of the model {of!r}, but no other [[models]] block without `of` has that id.")
        whole = table if of is None else table.beside(bases[of], *_OF_ITS_OWN)
        arms.append(read_arm(whole, folder=folder, named_after=of))
    names: list[str] = []
    for number, arm in enumerate(arms, start=1):
        for name in (arm.id, *arm.aliases):
            if name in names:
                what = "id" if name == arm.id else "alias"
                root.fail(
                    f"[[models]] number {number} repeats the {what} {name!r}: give every model its own."
                )
            names.append(name)
    return tuple(arms)


def arm_named(arms: Iterable[Arm], name: str) -> Arm | None:
    """Return the arm with this id or alias, or None."""
    return next((arm for arm in arms if name == arm.id or name in arm.aliases), None)


def read_arm(table: TomlTable, *, folder: Path, named_after: str | None = None) -> Arm:
    """Return the arm that a [[models]] block describes; relative paths count from `folder`.

    The server's name for the model, where it is not told, is in its id, or in that of the arm it is `named_after`.
    """
    model_id, provider = table.needed("id"), table.needed("provider")
    if provider not in BUILT_IN:
        table.choice("provider", provider_names())
    base_url, prices, named = table.text("base_url"), _prices(table.table("price")), named_after or model_id
    effort, options = table.text("effort"), _with_max_tokens(table, _options(table))
    if effort is not None:
        table.choice("effort", EFFORTS)
        if "reasoning_effort" in options:
            table.fail("effort stands there and, as reasoning_effort, in options: give one of the two.")
    arm = table.read(
        Arm,
        id=model_id,
        provider=provider,
        model=table.text("model") or named.partition("/")[2] or named,
        base_url=base_url.rstrip("/") if base_url else None,
        headers=_headers(table),
        proxy=_web_address(table, "proxy"),
        ca_file=_path(table, "ca_file", folder),
        file=_path(table, "file", folder),
        prices=prices,
        price_source="config" if prices else None,
        accepts=table.texts("accepts", _ATTACHMENTS),
        aliases=table.texts("aliases"),
        effort=effort,
        options=options,
    )
    row = BUILT_IN.get(arm.provider)
    if row is not None and (mistake := row.mistake(arm)):
        table.fail(mistake)
    _check_key(table, arm)
    return arm


def read_embedding(table: TomlTable | None) -> Embedding | None:
    """Return what the table says; None where there is none."""
    if table is None:
        return None
    base_url, model, price = table.needed("base_url"), table.needed("model"), table.number("price")
    arm = Arm(
        id=f"embedding/{model}",
        provider="openai",
        model=model,
        base_url=base_url.rstrip("/"),
        tags=table.texts("tags") or (("local",) if is_loopback(base_url) else ()),
        prices=None if price is None else Prices(input=price, output=0.0),
        timeout_s=5.0,
        max_concurrency=4,
    )
    arm = table.change(arm, "api_key_env", "api_key_header", "timeout_s", "max_concurrency")
    if mistake := BUILT_IN[arm.provider].mistake(arm):
        table.fail(mistake)
    _check_key(table, arm)
    return table.read(Embedding, arm=arm)


def check_options(options: Mapping[str, Any]) -> None:
    """Raise UsageError when an option would replace what zetaroute itself puts into a request."""
    taken = [name for name in options if name in OWN_FIELDS]
    if taken:
        raise UsageError(
            f"the option {taken[0]} is not yours to set: zetaroute fills {', '.join(OWN_FIELDS)} itself."
        )


def _check_key(table: TomlTable, arm: Arm) -> None:
    if arm.api_key_header is None:
        return
    _check_header_name(table, arm.api_key_header)
    if arm.api_key_env is None:
        table.fail('key api_key_header needs api_key_env, for example api_key_env = "AZURE_OPENAI_KEY".')


def is_loopback(base_url: str) -> bool:
    """Tell whether an address is on this machine."""
    try:
        host = (urlsplit(base_url).hostname or "").rstrip(".")
        return host == "localhost" or host.endswith(".localhost") or ip_address(host).is_loopback
    except ValueError:
        return False


def _prices(table: TomlTable | None) -> Prices | None:
    if table is None:
        return None
    prices = prices_in(table, "leave price out when unknown")
    table.finish()
    return prices


def _headers(table: TomlTable) -> Mapping[str, str]:
    headers = {}
    for name, value in table.pairs("headers").items():
        _check_header_name(table, name)
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            table.fail(f'header {name} must be a text of plain characters, for example {name} = "$MY_NAME".')
        if name.lower() in _KEY_HEADERS and "$" not in value:
            table.fail(
                f"header {name} holds a secret: put it into an environment variable and write its name, "
                f'for example {name} = "Bearer $MY_KEY".'
            )
        headers[name] = value
    return headers


def _check_header_name(table: TomlTable, name: str) -> None:
    if not _HEADER_NAME.fullmatch(name):
        table.fail(f"{name!r} is no name of an HTTP header: use letters, digits and hyphens.")


def _web_address(table: TomlTable, key: str) -> str | None:
    value = table.text(key)
    if value is not None and not value.startswith(("http://", "https://", "$")):
        table.fail(f"key {key} must start with http:// or https://, or be an environment variable's $NAME.")
    return value


def _options(table: TomlTable) -> Mapping[str, Any]:
    options = table.pairs("options")
    try:
        check_options(options)
        json.dumps(options, allow_nan=False)
    except UsageError as error:
        table.fail(f"options: {error}")
    except (TypeError, ValueError):
        table.fail("options hold a value that JSON does not know: no dates, no inf and no nan.")
    return options


def _with_max_tokens(table: TomlTable, options: Mapping[str, Any]) -> Mapping[str, Any]:
    most = table.whole("max_tokens")
    if most is None:
        return options
    if "max_tokens" in options:
        table.fail("max_tokens stands there and in options: give one of the two.")
    return {**options, "max_tokens": most}


def _path(table: TomlTable, key: str, folder: Path) -> str | None:
    value = table.text(key)
    return str((folder / Path(value).expanduser()).absolute()) if value else None
