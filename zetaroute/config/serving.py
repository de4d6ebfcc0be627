"""The [serve] table: where `zetaroute serve` listens, who may ask, and how much at once.

Apart from the other settings because nothing but that command reads it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from zetaroute.config.toml_table import Table

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
    max_body_mb: float = 32.0
    timeout_s: float = 300.0
    """For one answer, all attempts together."""
    shutdown_s: float = 20.0
    """How long answers under way may take to end when the server stops."""


def read_serving(table: Table | None) -> Serving:
    """Return what the table says; the defaults where there is none."""
    if table is None:
        return Serving()
    token = table.text("token_sha256")
    if token is not None and not _HASH.fullmatch(token):
        table.fail(
            "key token_sha256 must be the 64 hexadecimal digits that `printf %s TOKEN | sha256sum` prints."
        )
    default = Serving()
    serving = Serving(
        host=table.text("host") or default.host,
        port=table.whole("port") or default.port,
        token_sha256=token,
        hosts=tuple(name.lower() for name in table.texts("hosts")),
        max_requests=table.whole("max_requests") or default.max_requests,
        max_body_mb=table.number("max_body_mb", low=0.001) or default.max_body_mb,
        timeout_s=table.number("timeout_s", low=0.01) or default.timeout_s,
        shutdown_s=table.number("shutdown_s", low=0.01) or default.shutdown_s,
    )
    table.finish()
    return serving
