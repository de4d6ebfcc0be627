"""/v1/chat/completions: one answer for one client, plain or in pieces, for as long as the client is there.

The answer is a task of its own beside the connection: whichever ends first tells the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from zetaroute.domain import Decision, new_id
from zetaroute.serve.answers import Chunks, completion_json, event, headers
from zetaroute.serve.errors import CLIENT_GONE, ApiError, upstream
from zetaroute.serve.requests import Wanted, read_chat, read_json
from zetaroute.serve.service import Finished, Service


async def chat(request: Request) -> Response:
    """Answer a chat request."""
    service: Service = request.app.state.service
    most = int(service.settings.serving.max_body_mb * 1e6)
    wanted = read_chat(await read_json(request, most_bytes=most), service.settings)
    call = Call(service, wanted, request.receive)
    return await (call.streamed() if wanted.streamed else call.plain())


class Call:
    """One answer under way."""

    def __init__(self, service: Service, wanted: Wanted, receive: Receive) -> None:
        self._wanted = wanted
        self._id = new_id()
        self._model = ""
        self._decision: Decision | None = None
        self._pieces: asyncio.Queue[str | None] = asyncio.Queue()
        self._task = service.begin(
            service.answer(
                wanted,
                outcome_id=self._id,
                on_decision=self._decided,
                on_ask=self._asks,
                on_text=self._pieces.put_nowait if wanted.streamed else None,
            )
        )
        self._task.add_done_callback(lambda _: self._pieces.put_nowait(None))
        self._listening = asyncio.create_task(_listen(receive))
        self._listening.add_done_callback(lambda _: self._task.cancel())

    async def plain(self) -> Response:
        """Return the whole answer; raise ApiError when there is none."""
        try:
            await asyncio.wait({self._task})
        finally:
            self._end()
        if self._task.cancelled():
            return Response(status_code=CLIENT_GONE)
        finished = self._task.result()
        body = self._body(finished)
        return JSONResponse(body, headers=self._headers(finished))

    async def streamed(self) -> Response:
        """Return the answer as it comes, from its first words on; raise ApiError when it ends before them.

        Until then the status can still tell of a failure, and another model can still be asked.
        """
        try:
            first = await self._pieces.get()
        except asyncio.CancelledError:
            self._end()
            raise
        if first is None:
            self._end()
            if self._task.cancelled():
                return Response(status_code=CLIENT_GONE)
            _raise_without_answer(self._task.result())
        return _Events(self._headers(None), self._events(first), self._end)

    async def _events(self, first: str | None) -> AsyncIterator[bytes]:
        chunks = Chunks(self._id, self._model)
        yield chunks.start()
        piece = first
        while piece is not None:
            if piece:
                yield chunks.text(piece)
            piece = await self._pieces.get()
        if self._task.cancelled():
            return
        finished = self._task.result()
        done = finished.played.completion
        if done is None:
            outcome = finished.played.outcome
            yield event(upstream(outcome.error_kind, outcome.error or "the answer broke off.").body())
            return
        usage = self._wanted.include_usage
        yield chunks.end(finished.played, done, kept=finished.kept, include_usage=usage)

    def _decided(self, decision: Decision) -> None:
        self._decision = decision

    def _asks(self, model: str) -> None:
        self._model = model

    def _headers(self, finished: Finished | None) -> dict[str, str]:
        assert self._decision is not None  # noqa: S101  - nothing is answered undecided; this tells mypy
        outcome_id = finished.played.outcome.id if finished else self._id
        return headers(self._decision, outcome_id=outcome_id, model=self._model)

    def _body(self, finished: Finished) -> dict[str, object]:
        _raise_without_answer(finished)
        played, done = finished.played, finished.played.completion
        assert done is not None  # noqa: S101  - it was looked at above; this tells mypy
        return completion_json(played, done, first_id=self._id, kept=finished.kept)

    def _end(self) -> None:
        """Stop whatever of the two is still there."""
        self._listening.cancel()
        self._task.cancel()


class _Events(Response):
    """A stream of events whose source is told when nobody reads any more."""

    media_type = "text/event-stream"

    def __init__(
        self, headers: dict[str, str], events: AsyncIterator[bytes], end: Callable[[], None]
    ) -> None:
        super().__init__(headers={**headers, "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._events = events
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            async for piece in self._events:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._end()


async def _listen(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _raise_without_answer(finished: Finished) -> None:
    played = finished.played
    if played.completion is None:
        failures = "; ".join((row.error or "").rstrip(".") for row in played.entry.outcomes)
        error = upstream(played.outcome.error_kind, f"no model could answer: {failures}.")
        raise ApiError(
            error.status,
            error.message,
            code=error.code,
            headers={**error.headers, "x-zetaroute-outcome": played.outcome.id},
        )
