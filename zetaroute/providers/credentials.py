"""Secrets: read from the environment when a call needs them, and kept out of every message."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from zetaroute.domain import Arm
from zetaroute.errors import ProviderError

_MASK = "[key]"
_REFERENCE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What lets a call in, and which words of it must stay hidden."""

    headers: Mapping[str, str]
    """By their names in small letters."""
    proxy: str | None
    secrets: tuple[str, ...]


def credentials(arm: Arm, *, key_header: str, scheme: str = "") -> Credentials:
    """Return the arm's headers with its key and its proxy, every `$NAME` replaced by the variable's value.

    The key stands behind `scheme` in `key_header`, or alone in the arm's own `api_key_header`. Raises
    ProviderError `unauthorised` when a variable is not set.
    """
    headers: dict[str, str] = {}
    secrets: list[str] = []
    if arm.api_key_env is not None:
        key = _variable(arm, arm.api_key_env)
        secrets.append(key)
        own = arm.api_key_header
        headers[(own or key_header).lower()] = key if own else f"{scheme}{key}"
    for name, value in arm.headers.items():
        headers[name.lower()] = _expanded(arm, value, secrets)
    proxy = None if arm.proxy is None else _expanded(arm, arm.proxy, secrets)
    for address in (proxy, arm.base_url):
        secrets += _logins(address)
    return Credentials(headers=headers, proxy=proxy, secrets=tuple(secrets))


def _logins(address: str | None) -> list[str]:
    """Return what must stay hidden of an address's login, also as a header carries it."""
    parts = urlsplit(address or "")
    if not parts.password:
        return []
    password = unquote(parts.password)
    login = f"{unquote(parts.username or '')}:{password}"
    return [password, base64.b64encode(login.encode()).decode().rstrip("=")]


def secret_variables(arm: Arm) -> frozenset[str]:
    """Return the names of the environment variables whose values the arm's calls carry."""
    texts = (*arm.headers.values(), arm.proxy or "")
    named = {found[1] or found[2] for text in texts for found in _REFERENCE.finditer(text)}
    return frozenset(named | ({arm.api_key_env} if arm.api_key_env else set()))


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return `text` without the secrets: plain, percent-encoded, escaped as in JSON, in any case, or in base64."""
    plain = set(secrets)
    coded = {base64.b64encode(secret.encode()).decode().rstrip("=") for secret in plain}
    for secret in sorted(plain | coded, key=len, reverse=True):
        forms = (rf"\\*(?:{re.escape(char)}|%{ord(char):02x}|u{ord(char):04x})" for char in secret)
        text = re.sub("".join(forms), _MASK, text, flags=re.IGNORECASE)
    return text


def _expanded(arm: Arm, value: str, secrets: list[str]) -> str:
    def replace(reference: re.Match[str]) -> str:
        secret = _variable(arm, reference[1] or reference[2], spaces=True)
        secrets.append(secret)
        return secret

    return _REFERENCE.sub(replace, value)


def _variable(arm: Arm, name: str, *, spaces: bool = False) -> str:
    # `export KEY="$(cat file)"` and copied lines bring white space that no key has.
    value = os.environ.get(name, "").strip()
    if not value:
        raise ProviderError(
            f"{arm.id}: the environment variable {name} is not set; put the API key in it.",
            kind="unauthorised",
        )
    if not (value.isascii() and value.isprintable() and (spaces or " " not in value)):
        raise ProviderError(
            f"{arm.id}: the environment variable {name} holds characters that no API key has; set it again.",
            kind="unauthorised",
        )
    return value
