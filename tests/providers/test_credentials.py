"""Secrets are masked in every form in which a server may send them back."""

from __future__ import annotations

import base64

from zetaroute.domain import Arm
from zetaroute.providers.credentials import credentials, redact


def test_a_login_in_an_address_is_masked_as_a_header_carries_it():
    arm = Arm(id="x/m", provider="openai", model="m", base_url="http://me:h%40rd-word@localhost/v1")
    secrets = credentials(arm, key_header="authorization").secrets
    coded = base64.b64encode(b"me:h@rd-word").decode()
    assert redact(f"got Basic {coded} and h@rd-word and h%40rd-word", secrets).count("[key]") == 3
    assert redact(f"in base64 {base64.b64encode(b'sk-1234567').decode()}", ["sk-1234567"]).startswith(
        "in base64 [key]"
    )
