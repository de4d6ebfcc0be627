"""The [serve] table: where `zetaroute serve` listens, who may ask, and how much at once."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Annotated

from zetaroute.config.toml_table import TomlTable
from zetaroute.domain.arm import Bounds, Patience

_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """How the endpoint is offered."""

    host: str = "127.0.0.1"
    port: int = 8642
    token_sha256: str | None = None
    """Hash of the token that every request must carry; None: none is asked for."""
    hosts: tuple[str, ...] = ()
    """Names under which clients reach this server, beside the loopback's."""
    max_requests: int = 256
    """At once, per process; more are told to come back."""
    max_body_mb: Annotated[float, Bounds(low=0.001)] = 32.0
    timeout_s: Patience = 300.0
    """For one answer, all attempts together."""
    shutdown_s: Patience = 20.0
    """How long answers under way may take to end when the server stops."""


def read_serving(root: TomlTable) -> Serving:
    """Return what the table [serve] says."""
    serving = root.section("serve", Serving)
    if serving.token_sha256 is not None and not _HASH.fullmatch(serving.token_sha256):
        root.fail(
            "[serve] key token_sha256 must be the 64 hexadecimal digits that `printf %s TOKEN | sha256sum` prints."
        )
    return replace(serving, hosts=tuple(name.lower() for name in serving.hosts))
