"""What can go wrong, one class per reaction of the caller.

ZetarouteError            exit 1, failed
├── UsageError            exit 2, wrong usage, input or config: the person can fix it
│   └── ConfigError       the same, in config.toml: names file, key and fix
├── NoAnswerError         exit 3, no model could answer now: try again
│   └── UnfitQueryError   the same for one query alone: a batch goes on with the next
│       └── ForbiddenQueryError   exit 2, a rule on tags leaves no model: nothing was sent
├── BarNotMetError        exit 4, a stated bar was not met
├── StoreError            the DuckDB file or the journal cannot be used
│   └── StoreBusyError    another process holds the file: rows wait in the journal
├── ArtifactError         an artifact is missing, changed or unusable
└── ProviderError         one model's call failed: carries the kind, lets the next model try

Every message is one sentence that says what to do.
"""

from __future__ import annotations


class ZetarouteError(Exception):
    """The root: anything zetaroute says instead of showing a traceback."""

    exit_code = 1


class UsageError(ZetarouteError):
    """Wrong usage, input or config."""

    exit_code = 2


class ConfigError(UsageError):
    """A mistake in config.toml."""


class NoAnswerError(ZetarouteError):
    """No model could answer now."""

    exit_code = 3


class UnfitQueryError(NoAnswerError):
    """No model takes this query; another one may be taken."""


class ForbiddenQueryError(UnfitQueryError):
    """A rule on the query's tags leaves no model."""

    exit_code = 2


class BarNotMetError(ZetarouteError):
    """A bar that the user stated was not met."""

    exit_code = 4


class StoreError(ZetarouteError):
    """The outcome log cannot be read or written."""


class StoreBusyError(StoreError):
    """Another process holds the DuckDB file just now."""


class ArtifactError(ZetarouteError):
    """An artifact is missing, was changed, or cannot be used."""


class ProviderError(ZetarouteError):
    """One call to one model failed.

    `kind` is a short word for the log (`timeout`, `connection`, `rate_limited`, `server`, `rejected`,
    `unauthorised`, `malformed`, `empty`, `unsupported`); `retryable` says whether the same model may be
    asked again at once; `retry_after_s` is what the server asked for, if anything; `perhaps_billed` says that the
    server may ask for money: it had begun to answer, or it is unknown whether it had.
    """

    exit_code = 3

    def __init__(
        self,
        message: str,
        *,
        kind: str,
        retryable: bool = False,
        retry_after_s: float | None = None,
        perhaps_billed: bool = False,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.perhaps_billed = perhaps_billed
