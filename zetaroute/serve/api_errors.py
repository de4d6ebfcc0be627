"""What a client is told when something goes wrong: the shape and the status that it reacts to."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse

from zetaroute import errors
from zetaroute.wire.doors.chat_door import CHAT, COMPLETIONS
from zetaroute.wire.doors.door import Door, MalformedRequestError
from zetaroute.wire.doors.messages_door import MESSAGES
from zetaroute.wire.doors.responses_door import RESPONSES

DOORS: Mapping[str, Door] = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": COMPLETIONS,
    "/v1/responses": RESPONSES,
    "/v1/messages": MESSAGES,
}
"""By path: the formats that clients speak."""
CLIENT_GONE = 499
"""No client reads it; it is what the figures count."""
_BY_KIND = {
    "timeout": (504, "timeout"),
    "rate_limited": (429, "rate_limit_exceeded"),
    "rejected": (400, "upstream_rejected"),
    "unsupported": (400, "upstream_rejected"),
}
_BY_CLASS: dict[type[errors.ZetarouteError], tuple[int, str]] = {
    errors.UnfitQueryError: (400, "unfit_query"),
    errors.NoAnswerError: (503, "no_model"),
    errors.ConfigError: (500, "config"),
    errors.UsageError: (400, "invalid_value"),
    errors.ZetarouteError: (500, "server_error"),
}
"""A class before those that it is one of."""
_RETRY_AFTER_S = 5
_CODE = re.compile(r"\[([a-z][a-z0-9_]{2,60})(?<!_error)\]\)")
"""How the words of a failure end that a server has a code for; a mere type is none."""
_OVERLOADED = re.compile(r"\((HTTP|error) (503|529):")


def door_of(path: str) -> Door:
    """Return the format that is spoken under a path; where none is, OpenAI's."""
    return MESSAGES if path.startswith("/v1/messages") else DOORS.get(path, CHAT)


class ApiError(Exception):
    """A refusal as the client sees it."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.headers = headers or {}

    def body(self, door: Door) -> dict[str, Any]:
        """Return the JSON of the answer in the format of a door."""
        return door.error(self.status, self.message, code=self.code, param=self.param)

    def response(self, path: str = "") -> JSONResponse:
        """Return the answer to a request of this path."""
        return JSONResponse(self.body(door_of(path)), status_code=self.status, headers=dict(self.headers))


def bad(message: str, param: str | None = None, code: str = "invalid_value") -> ApiError:
    """Return the refusal of a request that its sender can fix."""
    return ApiError(400, message, code=code, param=param)


def come_back(status: int, message: str, code: str, after_s: float = _RETRY_AFTER_S) -> ApiError:
    """Return a refusal that is over in a moment."""
    return ApiError(status, message, code=code, headers={"retry-after": str(math.ceil(after_s))})


def upstream(kind: str | None, message: str, retry_after_s: float | None = None) -> ApiError:
    """Return what a client is told of a model's failure of this kind; code and patience are the server's."""
    status, code = _BY_KIND.get(kind or "", (502, "upstream_error"))
    if kind == "server" and _OVERLOADED.search(message):
        status, code = 503, "overloaded"
    if status in (400, 429) and (named := _CODE.search(message)):
        code = named[1]
    if retry_after_s is None and status != 429:
        return ApiError(status, message, code=code)
    return come_back(status, message, code, _RETRY_AFTER_S if retry_after_s is None else retry_after_s)


def api_error(error: errors.ZetarouteError) -> ApiError:
    """Return what a client is told of an error of ours."""
    if isinstance(error, MalformedRequestError):
        return bad(str(error), error.param, error.code)
    if isinstance(error, errors.ProviderError):
        return upstream(error.kind, str(error), error.retry_after_s)
    if isinstance(error, errors.StoreBusyError):
        return come_back(503, str(error), "log_busy")
    status, code = next(told for kind, told in _BY_CLASS.items() if isinstance(error, kind))
    return ApiError(status, str(error), code=code)
