"""The [serve] table: what it may hold."""

from __future__ import annotations

import pytest

from zetaroute.config import Serving, parse_settings
from zetaroute.errors import ConfigError

MODEL = "[[models]]\nid = 'a/b'\nprovider = 'practice'\nmodel = 'small'\n"


def test_everything_has_a_default() -> None:
    assert parse_settings(MODEL, file=None).serving == Serving()
    assert parse_settings(MODEL + "[serve]\n", file=None).serving == Serving()


def test_what_it_says_is_taken() -> None:
    text = MODEL + '[serve]\nport = 9000\nhosts = ["Router.Home"]\nshutdown_s = 3\nmax_requests = 7\n'
    assert parse_settings(text, file=None).serving == Serving(
        port=9000, hosts=("router.home",), shutdown_s=3.0, max_requests=7
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('token_sha256 = "secret"', "64 hexadecimal digits"),
        ("max_requests = 0", "max_requests"),
        ("timeout_s = 0", "timeout_s"),
        ("prot = 1", "did you mean 'port'"),
    ],
)
def test_a_mistake_is_named(line: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_settings(f"{MODEL}[serve]\n{line}\n", file=None)
