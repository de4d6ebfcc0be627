"""What of a text is plainly secret or personal: keys, passwords, addresses, numbers of phones, cards and accounts.

The patterns of keys and the checks of numbers are those of libraries (the extra `privacy`), which are loaded when a
detector is first asked for. It answers yes or no and never says what it found, so that nothing of it can be written.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from zetaroute.errors import UsageError

Look = Callable[[str], bool]
"""Whether a text holds something of one kind."""

_PLUGINS = {
    "artifactory": "ArtifactoryDetector",
    "aws": "AWSKeyDetector",
    "azure_storage_key": "AzureStorageKeyDetector",
    "basic_auth": "BasicAuthDetector",
    "discord": "DiscordBotTokenDetector",
    "github_token": "GitHubTokenDetector",
    "jwt": "JwtTokenDetector",
    "mailchimp": "MailchimpDetector",
    "npm": "NpmDetector",
    "private_key": "PrivateKeyDetector",
    "sendgrid": "SendGridDetector",
    "slack": "SlackDetector",
    "square_oauth": "SquareOAuthDetector",
    "stripe": "StripeDetector",
    "twilio": "TwilioKeyDetector",
}
"""Detectors of detect-secrets that know a shape; those that go by entropy alone take hashes for secrets."""
_PREFIXED = re.compile(
    r"\b(?:sk-(?:ant-|proj-|or-v1-)?[A-Za-z0-9_-]{20,}|gsk_[A-Za-z0-9]{20,}|hf_[A-Za-z0-9]{20,}"
    r"|AIza[A-Za-z0-9_-]{35}|glpat-[A-Za-z0-9_-]{20,}|pypi-[A-Za-z0-9_-]{40,}|xai-[A-Za-z0-9]{20,}"
    r"|github_pat_[A-Za-z0-9_]{20,})|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|://[^/\s:@]*:[^/\s:@$<{]{4,}@[\w.-]+[:/]"
)
"""Keys of model servers and others, which the library does not know."""
_NAMED = re.compile(
    r"(?i)(?<![^\W\d_])(?:password|passwd|passphrase|pwd|pw|secret"
    r"|(?:secret|api|access)[_ -]?key|(?:auth|access)[_ -]?token|client[_ -]?secret"
    r"|credentials?|passwort|kennwort|wachtwoord|contraseña|mot de passe)\b"
    r"[\"']?\s*(?:(?:is|was|ist|lautet|es|est)\s*:?|:=?|=>?)\s*[\"'`]?(?P<value>[^\s\"'`,;]{6,})"
)
"""A word for a secret, and what is said to be it."""
_EMAIL = re.compile(r"(?<![\w.+-])(?!git@)[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[^\W\d_]{2,24}\b")
_EXAMPLE_HOST = re.compile(r"@(?:[\w-]+\.)*(?:example\.(?:com|org|net)|example|test|invalid|localhost)$")
_DIGITS = re.compile(r"(?<![\w.,/-])\d(?:[ -]?\d){12,18}(?![\w/-])(?!\.\d)")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{1,4}){3,8}\b")
_SOCIAL = re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])")
_CARD_STARTS = (
    "34",
    "37",
    "4",
    "51",
    "52",
    "53",
    "54",
    "55",
    "2221",
    "2720",
    "6011",
    "65",
    "35",
    "30",
    "36",
    "38",
)


def detector(kinds: Sequence[str]) -> Look:
    """Return what says whether a text holds anything of `kinds` (`secrets`, `personal`).

    Raises UsageError when the libraries are not installed.
    """
    looks = [look for kind in kinds for look in (_secrets() if kind == "secrets" else _personal())]
    return lambda text: any(look(text) for look in looks)


@cache
def _secrets() -> tuple[Look, ...]:
    plugins = [getattr(_library(f"detect_secrets.plugins.{name}"), kind)() for name, kind in _PLUGINS.items()]

    def by_shape(text: str) -> bool:
        return any(True for plugin in plugins for _ in plugin.analyze_string(text))

    return (_is_named, lambda text: _PREFIXED.search(text) is not None, by_shape)


@cache
def _personal() -> tuple[Look, ...]:
    luhn, iban, ssn = (_library(f"stdnum.{name}") for name in ("luhn", "iban", "us.ssn"))
    phones = _library("phonenumbers")

    def has_card(text: str) -> bool:
        numbers = (re.sub(r"\D", "", found) for found in _DIGITS.findall(text))
        return any(number.startswith(_CARD_STARTS) and luhn.is_valid(number) for number in numbers)

    return (
        _has_email,
        has_card,
        lambda text: any(map(iban.is_valid, _ibans(text))),
        lambda text: any(map(ssn.is_valid, _SOCIAL.findall(text))),
        lambda text: _has_phone(phones, text),
    )


def _is_named(text: str) -> bool:
    """Whether a word for a secret is followed by something that looks like one and not like a word."""
    return any(_looks_random(found["value"]) for found in _NAMED.finditer(text))


def _looks_random(value: str) -> bool:
    value = value.rstrip(".!?)")
    kinds = sum(bool(re.search(kind, value)) for kind in (r"[a-z]", r"[A-Z]", r"\d", r"[^\w.(){}\[\]<>$-]"))
    placeholder = re.match(r"[<${(\[]|os\.|process\.|getenv|x{4,}|\*{3,}", value)
    return len(value) >= 6 and kinds >= 2 and placeholder is None


def _has_email(text: str) -> bool:
    return any(_EXAMPLE_HOST.search(found[0]) is None for found in _EMAIL.finditer(text))


def _ibans(text: str) -> Iterator[str]:
    """Yield what may be an account: the words behind one that begins like one may belong to it or not."""
    for found in _IBAN.finditer(text):
        parts = found[0].split()
        yield from (" ".join(parts[:count]) for count in range(1, len(parts) + 1))


def _has_phone(phones: Any, text: str) -> bool:
    """Whether a number in the international form is a possible one, or one in the groups of North America is."""
    regions = ((None, phones.Leniency.VALID), ("US", phones.Leniency.STRICT_GROUPING))
    return any(
        True
        for region, leniency in regions
        for found in phones.PhoneNumberMatcher(text, region, leniency=leniency)
        if re.search(r"[+(]|\d[ .-]\d", found.raw_string)
    )


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UsageError(
            "the config asks to detect private data, for which libraries are missing: pip install "
            "'zetaroute[privacy]', or take detect out of [privacy]."
        ) from None
