"""API keys: read from the environment when a call needs one, and kept out of every message.

It lives apart because a key may only ever go into a request header. The config holds a variable's NAME.
"""

from __future__ import annotations

import os
import re

from zetaroute.domain import Arm
from zetaroute.errors import ProviderError

_MASK = "[key]"


def key_of(arm: Arm) -> str | None:
    """Return the arm's key, None when it needs none; raises ProviderError `unauthorised` when it is not set."""
    if arm.api_key_env is None:
        return None
    # `export KEY="$(cat file)"` and copied lines bring white space that no key has.
    key = os.environ.get(arm.api_key_env, "").strip()
    if not key:
        raise ProviderError(
            f"{arm.id}: the environment variable {arm.api_key_env} is not set; put the API key in it.",
            kind="unauthorised",
        )
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise ProviderError(
            f"{arm.id}: the environment variable {arm.api_key_env} holds characters that no API key has; "
            "set it again.",
            kind="unauthorised",
        )
    return key


def redact(text: str, key: str | None) -> str:
    """Return `text` without the key, be it plain, percent-encoded or escaped as in JSON, in any letter case."""
    if not key:
        return text
    forms = (rf"\\*(?:{re.escape(char)}|%{ord(char):02x}|u{ord(char):04x})" for char in key)
    return re.sub("".join(forms), _MASK, text, flags=re.IGNORECASE)
