"""Answers in every format: one answer for one client, plain or in pieces, for as long as the client is there.

The answer is a task of its own beside the connection: whichever ends first tells the other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from zetaroute.domain import Decision, new_id
from zetaroute.router.options import Callbacks
from zetaroute.serve.answer_facts import decision_json, facts, headers as answer_headers
from zetaroute.serve.api_errors import CLIENT_GONE, ApiError, bad, door_of, upstream
from zetaroute.serve.body import read_json
from zetaroute.serve.request import ChatRequest, read_request
from zetaroute.serve.service import Finished, Service
from zetaroute.wire.doors.door import Door, Reply, Stream
from zetaroute.wire.doors.messages_door import MESSAGES
from zetaroute.wire.pieces import Part, PieceTaker


async def chat(request: Request) -> Response:
    """Answer a request in the format of its path."""
    service: Service = request.app.state.service
    door = door_of(request.url.path)
    body = await read_json(request, most_bytes=int(service.settings.serving.max_body_mb * 1e6))
    if not isinstance(body, dict):
        raise bad("the body must be a JSON object.")
    inbound = door.read(body)
    earlier = None if inbound.previous is None else await service.earlier.of(inbound.previous)
    wanted = read_request(inbound, service.settings, headers=request.headers, earlier=earlier)
    if wanted.only_decided:
        _, decided, _ = await service.decide(wanted, no_audit="only decided")
        return JSONResponse(decision_json(decided))
    if wanted.inbound.count > 1:
        return await _several(service, door, wanted, request.receive)
    call = AnsweredRequest(service, door, wanted, request.receive)
    return await (call.streamed() if wanted.streamed else call.plain())


async def count_tokens(request: Request) -> Response:
    """Return about how many tokens a request of Anthropic's Messages holds; no model is asked."""
    service: Service = request.app.state.service
    body = await read_json(request, most_bytes=int(service.settings.serving.max_body_mb * 1e6))
    if not isinstance(body, dict):
        raise bad("the body must be a JSON object.")
    wanted = read_request(MESSAGES.read(body), service.settings, headers=request.headers)
    return JSONResponse({"input_tokens": wanted.query.tokens()})


async def _several(service: Service, door: Door, wanted: ChatRequest, receive: Receive) -> Response:
    """Return several answers, each decided by itself: those that there are, or why there is none."""
    gone = asyncio.create_task(_listen(receive))
    if wanted.streamed:
        return await SeveralStreams(service, door, wanted, gone).response()
    calls = [AnsweredRequest(service, door, wanted, gone) for _ in range(wanted.inbound.count)]
    try:
        await asyncio.wait([call.task for call in calls])
    finally:
        for call in calls:
            call.end()
    return _whole(door, calls)


def _whole(door: Door, calls: list[AnsweredRequest]) -> Response:
    ended = [call for call in calls if not call.task.cancelled()]
    if not ended:
        return Response(status_code=CLIENT_GONE)
    told = [call for call in ended if call.task.exception() is None]
    # Without any answer, the first says why.
    whole = [call for call in told if call.task.result().answer.completion is not None] or ended[:1]
    replies = [call.reply(call.task.result()) for call in whole]
    return JSONResponse(door.whole(replies), headers=whole[0].headers(whole[0].task.result()))


class AnsweredRequest:
    """One answer under way."""

    def __init__(
        self,
        service: Service,
        door: Door,
        wanted: ChatRequest,
        receive: Receive | asyncio.Task[None],
        put: Callable[[str | Part | None], None] | None = None,
    ) -> None:
        """Begin to answer; `receive` tells when the client has gone, or a task does that listens already.

        `put` takes the pieces, and None at their end.
        """
        self._door, self._wanted, self._created = door, wanted, int(time.time())
        self.id = new_id()
        self._model = ""
        self._decision: Decision | None = None
        self._pieces: asyncio.Queue[str | Part | None] = asyncio.Queue()
        put = put or self._pieces.put_nowait
        pieces = PieceTaker(take=put, kinds=door.kinds)
        self.task = service.begin(
            service.answer(
                wanted,
                outcome_id=self.id,
                on_decision=self._decided,
                callbacks=Callbacks(on_text=pieces if wanted.streamed else None, on_ask=self._asks),
            )
        )
        self.task.add_done_callback(lambda _: put(None))
        self._listening = (
            receive if isinstance(receive, asyncio.Task) else asyncio.create_task(_listen(receive))
        )
        self._listening.add_done_callback(lambda _: self.task.cancel())

    async def plain(self) -> Response:
        """Return the whole answer; raise ApiError when there is none."""
        try:
            await asyncio.wait({self.task})
        finally:
            self.end()
        if self.task.cancelled():
            return Response(status_code=CLIENT_GONE)
        finished = self.task.result()
        return JSONResponse(self._door.whole([self.reply(finished)]), headers=self.headers(finished))

    async def streamed(self) -> Response:
        """Return the answer as it comes, from its first words on; raise ApiError when it ends before them.

        Until then the status can still tell of a failure, and another model can still be asked.
        """
        try:
            first = await self._pieces.get()
        except asyncio.CancelledError:
            self.end()
            raise
        if first is None:
            self.end()
            if self.task.cancelled():
                return Response(status_code=CLIENT_GONE)
            _raise_without_answer(self.task.result())
        return _Events(self.headers(None), self._events(first), self.end)

    async def _events(self, first: str | Part | None) -> AsyncIterator[bytes]:
        stream = self.stream()
        yield stream.start()
        piece = first
        while piece is not None:
            yield stream.piece(piece)
            piece = await self._pieces.get()
        if self.task.cancelled():
            return
        finished = self.task.result()
        if finished.answer.completion is None:
            outcome = finished.answer.outcome
            error = upstream(outcome.error_kind, outcome.error or "the answer broke off.")
            yield stream.failed(error.body(self._door))
            return
        yield stream.end(self.reply(finished))

    def stream(self, place: int = 0, answer_id: str = "") -> Stream:
        """Return what writes the events; where there are several answers, all under one id."""
        return self._door.stream(
            self._wanted.inbound,
            answer_id=answer_id or self.id,
            created=self._created,
            model=self._model,
            place=place,
        )

    def _decided(self, decision: Decision) -> None:
        self._decision = decision

    def _asks(self, model: str) -> None:
        self._model = model

    def headers(self, finished: Finished | None) -> dict[str, str]:
        """Return what stands in the headers of the answer."""
        assert self._decision is not None  # noqa: S101  - nothing is answered undecided; this tells mypy
        outcome_id = finished.answer.id if finished else self.id
        # Of the models that were asked, the one whose answer is given.
        model = finished.answer.model if finished else self._model
        done = finished.answer.completion if finished else None
        named = {self._door.request_id: done.request_id if done and done.request_id else outcome_id}
        return {**answer_headers(self._decision, outcome_id=outcome_id, model=model), **named}

    def reply(self, finished: Finished) -> Reply:
        """Return the whole answer; raise ApiError when there is none."""
        _raise_without_answer(finished)
        answer, done = finished.answer, finished.answer.completion
        assert done is not None  # noqa: S101  - it was looked at above; this tells mypy
        return Reply(
            id=self.id,
            created=self._created,
            model=answer.model,
            done=done,
            facts=facts(answer, kept=finished.kept),
            inbound=self._wanted.inbound,
        )

    @property
    def is_answered(self) -> bool:
        """Whether there is an answer."""
        ended = self.task.done() and not self.task.cancelled() and self.task.exception() is None
        return ended and self.task.result().answer.completion is not None

    def end(self) -> None:
        """Stop whatever of the two is still there."""
        self._listening.cancel()
        self.task.cancel()


class SeveralStreams:
    """Several answers in one stream, each decided by itself."""

    def __init__(self, service: Service, door: Door, wanted: ChatRequest, gone: asyncio.Task[None]) -> None:
        """Begin to answer."""
        self._door = door
        self._pieces: asyncio.Queue[tuple[int, str | Part | None]] = asyncio.Queue()
        self._calls = [
            AnsweredRequest(service, door, wanted, gone, self._put(place))
            for place in range(wanted.inbound.count)
        ]
        self._waiting = set(range(len(self._calls)))

    async def response(self) -> Response:
        """Return the stream from its first words on; raise ApiError where no answer has any."""
        try:
            first = await self._next()
        except asyncio.CancelledError:
            self._end()
            raise
        if first is None:
            self._end()
            return _whole(self._door, self._calls)
        return _Events(self._calls[first[0]].headers(None), self._events(first), self._end)

    async def _events(self, first: tuple[int, str | Part]) -> AsyncIterator[bytes]:
        streams: dict[int, Stream] = {}
        piece: tuple[int, str | Part] | None = first
        while piece is not None:
            place, told = piece
            if place not in streams:
                streams[place] = self._calls[place].stream(place, self._calls[0].id)
                yield streams[place].start()
            yield streams[place].piece(told)
            piece = await self._next()
        replies: list[Reply] = []
        whole = [place for place in streams if self._calls[place].is_answered]
        for place in whole:
            reply = self._calls[place].reply(self._calls[place].task.result())
            last = place == whole[-1] and len(whole) == len(streams)
            yield streams[place].end(reply, replies if last else None)
            replies.append(reply)
        if len(whole) < len(streams):
            error = upstream(None, "one of the answers broke off.")
            yield streams[first[0]].failed(error.body(self._door))

    async def _next(self) -> tuple[int, str | Part] | None:
        """Return the next piece of any answer; None at the end of all."""
        while self._waiting:
            place, piece = await self._pieces.get()
            if piece is not None:
                return place, piece
            self._waiting.discard(place)
        return None

    def _put(self, place: int) -> Callable[[str | Part | None], None]:
        return lambda piece: self._pieces.put_nowait((place, piece))

    def _end(self) -> None:
        for call in self._calls:
            call.end()


class _Events(Response):
    """A stream of events whose source is told when its reader is gone."""

    media_type = "text/event-stream"

    def __init__(
        self, headers: dict[str, str], events: AsyncIterator[bytes], end: Callable[[], None]
    ) -> None:
        super().__init__(headers={**headers, "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._events = events
        self.end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            async for piece in self._events:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self.end()


async def _listen(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _raise_without_answer(finished: Finished) -> None:
    answer = finished.answer
    if answer.completion is None:
        words = f"no model could answer: {answer.failures}."
        error = upstream(answer.outcome.error_kind, words, answer.retry_after_s)
        raise ApiError(
            error.status,
            error.message,
            code=error.code,
            headers={**error.headers, "x-zetaroute-outcome": answer.id},
        )
