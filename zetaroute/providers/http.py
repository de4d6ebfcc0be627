"""One request to a model server and its answer, over connections that a whole run shares."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from zetaroute.domain import Arm, Completion, Query
from zetaroute.errors import ConfigError, ProviderError
from zetaroute.providers.arrival import Arrival
from zetaroute.providers.base import OnText
from zetaroute.providers.call_errors import Faults, PartialAnswerError, retry_after_s
from zetaroute.providers.connections import Connections, HttpResponse, RouteError, Transport, route
from zetaroute.providers.credentials import Credentials
from zetaroute.providers.stream import Reading, Take
from zetaroute.version import __version__
from zetaroute.wire.draft import Draft
from zetaroute.wire.json_values import JsonObject, label

_LAST_WORDS_S = 1.0
"""How long a complete and counted answer is waited behind: the sign-off follows at once."""
_LATE_COUNTS_S = 10.0
"""How long a stream may be silent behind a complete answer that is not counted yet."""

_HEADERS = {
    "accept": "*/*",
    "accept-encoding": "gzip, deflate",
    "content-type": "application/json",
    "user-agent": f"zetaroute/{__version__}",
}

_LONGEST_ERROR = 64_000
"""Bytes read of an error answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One question, put in a wire format."""

    arm: Arm
    query: Query
    url: SplitResult
    credentials: Credentials
    bodies: tuple[JsonObject, ...]
    """Best first; the next one is sent when the server does not know an option of the one before."""
    option: str = ""
    """What such a server names in its refusal."""
    take: Take


class Patience:
    """How long one call may go on: until its first word, as a whole, and after its answer is complete."""

    def __init__(self, arm: Arm, *, streamed: bool) -> None:
        self._end_at = asyncio.get_running_loop().time() + arm.timeout_s
        first_s = arm.first_token_timeout_s if streamed else None
        self.awaits_word = first_s is not None and first_s < arm.timeout_s
        """Whether the limit that runs is that of the first word."""
        self._seen = -1
        limit_s = first_s if first_s is not None and self.awaits_word else arm.timeout_s
        self.limit = asyncio.timeout(limit_s)

    def watch(self, draft: Draft) -> None:
        """Move the limit to what has arrived.

        A finish reason alone ends nothing: servers send one with every piece, and text or counts behind it.
        """
        if self.awaits_word and draft.begun:
            self.awaits_word = False
            self.limit.reschedule(self._end_at)
        if not draft.is_answer:
            return
        counted = draft.signed_off or draft.usage.is_complete
        if counted and draft.steps == self._seen:
            return
        self._seen = draft.steps if counted else -1
        quiet_until = asyncio.get_running_loop().time() + (_LAST_WORDS_S if counted else _LATE_COUNTS_S)
        self.limit.reschedule(min(quiet_until, self._end_at))


class Exchange:
    """Sends questions and reads answers."""

    def __init__(self, *, many: bool = False) -> None:
        self._connections = Connections(many=many)
        self._refused: dict[str, int] = {}
        """How many of the best bodies a server has refused, by URL and model."""
        self._opened_in_prompt: set[str] = set()
        """Models whose thinking begins without a mark: from their second answer on it is shown to nobody."""

    async def complete(self, ask: Ask, on_text: OnText | None) -> Completion:
        """Ask once within the arm's `timeout_s`, and raise ProviderError for whatever goes wrong."""
        _leave_out_its_command_line()
        import httpx

        started_at = time.perf_counter()
        faults = Faults(arm=ask.arm, url=_shown(ask.url), secrets=ask.credentials.secrets)
        arrival = Arrival(opened=ask.arm.id in self._opened_in_prompt)
        draft = arrival.draft
        patience = Patience(ask.arm, streamed=on_text is not None)
        failure: ProviderError | None = None
        cause: Exception | None = None
        try:
            async with patience.limit:
                await self._converse(ask, faults, arrival, on_text, patience)
        except TimeoutError:
            if not patience.limit.expired():
                raise
            failure = faults.silence() if patience.awaits_word else faults.timeout()
        except (httpx.RequestError, httpx.InvalidURL) as error:
            failure, cause = faults.transport(error), error
        except RouteError as error:
            failure = faults.unopened(str(error))
        except ProviderError as error:
            failure, cause = error, error.__cause__ if isinstance(error.__cause__, Exception) else None
        arrival.show(draft.flush(), on_text)
        # What breaks after the server called the answer complete takes nothing away from it.
        if draft.is_answer and draft.text().strip():
            if draft.opened_in_prompt:
                self._opened_in_prompt.add(ask.arm.id)
            return arrival.completion(ask.arm, ask.query, started_at=started_at)
        failure = failure or faults.empty(draft.finish_reason)
        if arrival.holds_something:
            failure = PartialAnswerError(failure, arrival.remains(ask.arm, started_at=started_at))
        raise failure from cause

    async def aclose(self) -> None:
        """Close all connections."""
        await self._connections.aclose()

    async def _converse(
        self, ask: Ask, faults: Faults, arrival: Arrival, on_text: OnText | None, patience: Patience
    ) -> None:
        url = urlunsplit(ask.url)
        server = f"{url} {ask.arm.id}"
        first = min(self._refused.get(server, 0), len(ask.bodies) - 1)
        way = route(ask.url, proxy=ask.credentials.proxy, ca_file=ask.arm.ca_file)
        transport = self._connections.lend(way)
        try:
            for number in range(first, len(ask.bodies)):
                async with contextlib.aclosing(
                    await _post(transport, ask, url, ask.bodies[number])
                ) as response:
                    arrival.request_id = _request_id(response.headers)
                    if 200 <= response.status_code < 300:
                        self._refused[server] = max(number, self._refused.get(server, 0))
                        await _receive(response, ask.take, faults, arrival, on_text, patience)
                        return
                    said = await _error_body(response)
                    option = ask.option and ask.option in said.lower()
                    is_option = response.status_code in (400, 422) and option
                    if not is_option or number + 1 == len(ask.bodies):
                        wait_s = retry_after_s(response.headers, time.time())
                        raise faults.status(response.status_code, said, wait_s)
        finally:
            self._connections.give_back(way, transport)


async def _post(transport: Transport, ask: Ask, url: str, body: JsonObject) -> HttpResponse:
    return await transport.send(
        "POST",
        url,
        headers={**_HEADERS, **_login(ask.url), **ask.credentials.headers},
        # A lone surrogate, from undecodable input, cannot be encoded; it must not stop the question.
        content=json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"),
        connect_s=min(ask.arm.connect_timeout_s, ask.arm.timeout_s),
    )


class HttpProvider(ABC):
    """Asks servers that speak one wire format."""

    def __init__(self, *, many: bool = False) -> None:
        """Take `many` connections to a server, or one."""
        self._exchange = Exchange(many=many)

    async def complete(self, arm: Arm, query: Query, on_text: OnText | None = None) -> Completion:
        """Ask `arm` once; raises ProviderError, and ConfigError for an unusable base_url."""
        return await self._exchange.complete(self._ask(arm, query, streamed=on_text is not None), on_text)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._exchange.aclose()

    @abstractmethod
    def _ask(self, arm: Arm, query: Query, *, streamed: bool) -> Ask:
        """Return the question as the wire format puts it."""


def _request_id(headers: Mapping[str, str]) -> str | None:
    """Return the server's name of a call, in letters that a header can hold."""
    name = headers.get("x-request-id") or headers.get("request-id") or ""
    return label(name.encode("ascii", "replace").decode("ascii"))


def _login(url: SplitResult) -> dict[str, str]:
    """Return what a user and a password in an address stand for."""
    if url.username is None:
        return {}
    words = f"{unquote(url.username)}:{unquote(url.password or '')}".encode("utf-8", "replace")
    return {"authorization": f"Basic {base64.b64encode(words).decode('ascii')}"}


def endpoint(arm: Arm, path: str, example: str) -> SplitResult:
    """Return where `arm` is asked: its base_url with `path` added unless it ends so, any `?query` kept.

    Raises ConfigError when base_url is missing or no web address.
    """
    try:
        url = urlsplit(arm.base_url or "")
        labels = (url.hostname or "").removesuffix(".").split(".")
        usable = url.scheme in ("http", "https") and all(0 < len(part) < 64 for part in labels)
        usable = usable and url.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f'Model {arm.id}: base_url is not a web address; write base_url = "{example}".')
    base = url.path.rstrip("/")
    return url._replace(path=base if base.endswith(path) else base + path, fragment="")


def _shown(url: SplitResult) -> str:
    """Return the URL without what may be secret in it: a password or a query."""
    return urlunsplit((url.scheme, url.netloc.rpartition("@")[2], url.path, "", ""))


async def _receive(
    response: HttpResponse,
    take: Take,
    faults: Faults,
    arrival: Arrival,
    on_text: OnText | None,
    patience: Patience,
) -> None:
    reading = Reading(
        take=take,
        draft=arrival.draft,
        faults=faults,
        content_type=response.headers.get("content-type", ""),
        framed="content-length" in response.headers or "transfer-encoding" in response.headers,
    )
    async for chunk in response.aiter_bytes():
        for piece in reading.feed(chunk):
            arrival.show(piece, on_text, streamed=reading.streamed)
        arrival.note()
        patience.watch(arrival.draft)
    for piece in reading.close():
        arrival.show(piece, on_text, streamed=reading.streamed)
    arrival.note()


async def _error_body(response: HttpResponse) -> str:
    """Return the beginning of an error answer; a line that breaks meanwhile is not the news."""
    import httpx

    body = b""
    try:
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) >= _LONGEST_ERROR:
                break
    except httpx.RequestError:
        pass
    return body[:_LONGEST_ERROR].decode("utf-8", "replace")


def _leave_out_its_command_line() -> None:
    """Let httpx do without its own command line: loading rich and pygments for that takes a third of its start."""
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None is how Python marks what is not there
