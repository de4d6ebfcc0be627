"""How a call to a model server failed, in one sentence and one kind.

This is the one place where a server's own words are let into a message: printable, short and without the key.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from socket import gaierror

from zetaroute.domain import Arm, Completion
from zetaroute.errors import ProviderError
from zetaroute.providers.credentials import redact
from zetaroute.wire.json_values import mapping, parse, printable, sequence, text

_SAID_LENGTH = 300

_STATUS_OF_TYPE = {
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "invalid_request_error": 400,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "api_error": 500,
    "server_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""The HTTP status that an error's type stands for, where the error comes inside a 200 answer."""


class PartialAnswerError(ProviderError):
    """A failed call of which something had arrived: what the server counted is to be paid for."""

    def __init__(self, failure: ProviderError, arrived: Completion) -> None:
        super().__init__(
            str(failure),
            kind=failure.kind,
            retryable=failure.retryable,
            retry_after_s=failure.retry_after_s,
            perhaps_billed=failure.perhaps_billed or arrived.input_tokens is not None,
        )
        self.arrived = arrived
        """No answer, but counts, thinking and a finish reason as far as they came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Words the failures of one arm's calls."""

    arm: Arm
    url: str
    """Where the call goes, as it may be shown."""
    secrets: tuple[str, ...] = ()
    """What may not be said, even where a server says it."""

    def status(self, status: int, body: str, retry_after_s: float | None = None) -> ProviderError:
        """Return the error for an HTTP answer that is no success."""
        said = f"HTTP {status}: {self._said(said_in(body)) or 'no explanation'}"
        return self._by_status(status, said, retry_after_s)

    def payload(self, error: object) -> ProviderError:
        """Return the error for an error object inside an answer that had begun with 200."""
        said = self._said(_message(error)) or "no explanation"
        status = _status(mapping(mapping(error).get("error") or error))
        if status is None:
            return self._error("server", f"the server sent an error in place of an answer ({said}).")
        return self._by_status(status, f"error {status}: {said}", None)

    def transport(self, error: Exception) -> ProviderError:
        """Return the error for a failure below HTTP: `error` is one of httpx's."""
        import httpx

        causes = tuple(_causes(error))
        said = self._said(str(causes[-1]) or type(error).__name__)
        match error:
            case httpx.ConnectTimeout():
                limit_s = min(self.arm.connect_timeout_s, self.arm.timeout_s)
                words = f"{self.url} did not accept a connection within {limit_s:g} s; check that it runs."
                return self._error("timeout", words, retryable=True)
            case httpx.UnsupportedProtocol() | httpx.LocalProtocolError() | httpx.InvalidURL():
                return self._error("rejected", f"the request cannot be sent ({said}); check base_url.")
            case httpx.DecodingError():
                return self.malformed(f"its compression is broken ({said})")
            case httpx.ConnectError() | httpx.ProxyError():
                return self._unconnected(causes, said)
            case _:
                words = f"the connection to {self.url} broke before the answer was complete ({said})."
                return self._error("connection", words, retryable=True, perhaps_billed=True)

    def unopened(self, why: str) -> ProviderError:
        """Return the error for a connection that cannot even be set up."""
        return self._error("unsupported", why)

    def timeout(self) -> ProviderError:
        """Return the error for a call that took longer than the arm may take."""
        limit_s = self.arm.timeout_s
        return self._error(
            "timeout",
            f"no complete answer within {limit_s:g} s; raise timeout_s if it needs longer.",
            perhaps_billed=True,
        )

    def silence(self) -> ProviderError:
        """Return the error for a stream that did not begin to answer in time."""
        limit_s = self.arm.first_token_timeout_s or 0.0
        words = f"no first word within {limit_s:g} s; raise first_token_timeout_s if it thinks longer."
        return self._error("timeout", words, perhaps_billed=True)

    def truncated(self) -> ProviderError:
        """Return the error for a stream that ended before the server said that the answer was complete."""
        return self._error(
            "malformed",
            "the answer was truncated: its stream ended too early.",
            retryable=True,
            perhaps_billed=True,
        )

    def malformed(self, why: str) -> ProviderError:
        """Return the error for an answer that cannot be read."""
        return self._error(
            "malformed",
            f"the answer cannot be used: {self._said(why)}; check base_url and provider.",
            perhaps_billed=True,
        )

    def empty(self, finish_reason: str | None) -> ProviderError:
        """Return the error for an answer without any text."""
        reason = self._said(finish_reason or "none given")
        words = f"the model sent no text (finish reason: {reason})."
        return self._error("empty", words, perhaps_billed=True)

    def _unconnected(self, causes: tuple[BaseException, ...], said: str) -> ProviderError:
        if any(isinstance(cause, ssl.SSLError) for cause in causes):
            words = f"no secure connection to {self.url} ({said}); check https and the certificate."
            return self._error("connection", words)
        if any(isinstance(cause, gaierror) for cause in causes):
            return self._error("connection", f"no host has the name in {self.url} ({said}); check base_url.")
        words = f"cannot connect to {self.url} ({said}); check that the server runs and base_url is right."
        return self._error("connection", words, retryable=True)

    def _by_status(self, status: int, said: str, retry_after_s: float | None) -> ProviderError:
        if status in (408, 429) or status >= 500:
            return self._passing(status, said, retry_after_s)
        arm = self.arm
        if status in (401, 403):
            fix = f"check {arm.api_key_env}" if arm.api_key_env else "name its key's variable in api_key_env"
            return self._error("unauthorised", f"the server refused the key ({said}); {fix}.")
        if "no_db_connection" in said or "No connected db" in said:
            words = f"LiteLLM does not know the key, and has no database to look it up in ({said})"
            return self._error("unauthorised", f"{words}; check {arm.api_key_env or 'api_key_env'}.")
        words = f"the server rejected the request ({said})."
        if status == 404:
            fix = f"check that the model {arm.model!r} and base_url {self.url} are right"
            words = f"the server does not know what was asked for ({said}); {fix}."
        elif status < 400:
            words = f"{self.url} only points elsewhere ({said}); correct base_url."
        return self._error("rejected", words)

    def _passing(self, status: int, said: str, retry_after_s: float | None) -> ProviderError:
        """Return the error for a status that another try may not meet."""
        if status == 408:
            kind, words = "timeout", f"the server gave up waiting ({said})."
        elif status == 429:
            kind, words = "rate_limited", f"the server's rate limit is reached ({said})."
        else:
            kind, words = "server", f"the server failed ({said})."
        # An empty account fills no sooner when it is asked again.
        paid_up = "insufficient_quota" not in said
        return self._error(
            kind, words, retryable=paid_up, retry_after_s=retry_after_s, perhaps_billed=status == 408
        )

    def _error(
        self,
        kind: str,
        words: str,
        *,
        retryable: bool = False,
        retry_after_s: float | None = None,
        perhaps_billed: bool = False,
    ) -> ProviderError:
        return ProviderError(
            f"{self.arm.id}: {words}",
            kind=kind,
            retryable=retryable,
            retry_after_s=retry_after_s,
            perhaps_billed=perhaps_billed,
        )

    def _said(self, words: str) -> str:
        # Redacted before it is cut, because a cut key would pass unseen.
        return redact(printable(words), self.secrets)[:_SAID_LENGTH].strip()


def said_in(body: str) -> str:
    """Return what an error body says, whatever its shape: JSON of several kinds, HTML, text or nothing."""
    try:
        return _message(parse(body)) or body
    except ValueError:
        return re.sub(r"<[^<>]*>", " ", body)


def retry_after_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """Return how long a server asks to wait: Retry-After in seconds or as a date (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d*)?", value):
        return float(value)
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now_s)
    except (ValueError, OverflowError):
        return None


def _message(error: object, depth: int = 4) -> str:
    """Return the words of an error that is a text, an object around one, or a list of these."""
    if isinstance(error, str) or depth == 0:
        return text(error)
    for item in sequence(error):
        return _message(item, depth - 1)
    fields = mapping(error)
    if fields.get("error"):
        return _message(fields["error"], depth - 1)
    words = next((fields[name] for name in ("message", "detail", "msg") if fields.get(name)), None)
    code = text(fields.get("code")) or text(fields.get("type"))
    return " ".join((_message(words, depth - 1), f"[{code}]" if code else "")).strip()


def _status(error: Mapping[str, object]) -> int | None:
    codes = [str(error.get(name)) for name in ("code", "status", "type")]
    statuses = [_STATUS_OF_TYPE.get(code) or code for code in codes]
    return next((int(status) for status in statuses if re.fullmatch("[45][0-9]{2}", str(status))), None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what led to it, the first cause last."""
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
