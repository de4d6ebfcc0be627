"""Answers in every format: one answer for one client, plain or in pieces, for as long as the client is there.

The answer is a task of its own beside the connection: whichever ends first tells the other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from zetaroute.domain import Decision, new_id
from zetaroute.router.options import Callbacks
from zetaroute.serve.answer_facts import decision_json, facts, headers as answer_headers
from zetaroute.serve.api_errors import CLIENT_GONE, ApiError, door_of, upstream
from zetaroute.serve.body import read_object
from zetaroute.serve.request import ChatRequest, read_request
from zetaroute.serve.service import Finished, Service
from zetaroute.wire.doors.door import Door, Reply, Stream
from zetaroute.wire.doors.messages_door import MESSAGES
from zetaroute.wire.pieces import Part, PieceTaker


async def chat(request: Request) -> Response:
    """Answer a request in the format of its path."""
    service: Service = request.app.state.service
    door = door_of(request.url.path)
    wanted = await read_chat(request, lambda _: door)
    if wanted.only_decided:
        _, decided, _ = await service.decide(wanted, no_audit="only decided")
        return JSONResponse(decision_json(decided))
    gone = asyncio.create_task(_listen(request.receive))
    return await Answers(service, door, wanted, gone).response()


async def read_chat(request: Request, door_for: Callable[[Mapping[str, Any]], Door]) -> ChatRequest:
    """Return what a request asks for, with what it goes on from; `door_for` tells the format of a body."""
    service: Service = request.app.state.service
    body = await read_object(request)
    inbound = door_for(body).read(body)
    earlier = None if inbound.previous is None else await service.earlier.of(inbound.previous)
    return read_request(inbound, service.settings, headers=request.headers, earlier=earlier)


async def count_tokens(request: Request) -> Response:
    """Return about how many tokens a request of Anthropic's Messages holds; no model is asked."""
    return JSONResponse({"input_tokens": (await read_chat(request, lambda _: MESSAGES)).query.tokens()})


class AnsweredRequest:
    """One answer under way."""

    def __init__(
        self, service: Service, door: Door, wanted: ChatRequest, put: Callable[[str | Part | None], None]
    ) -> None:
        """Begin to answer; `put` takes the pieces, and None at their end."""
        self._door, self._wanted, self._created = door, wanted, int(time.time())
        self.id = new_id()
        self._model = ""
        self._decision: Decision | None = None
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

    def stream(self, place: int, answer_id: str) -> Stream:
        """Return what writes the events; where there are several answers, all under one id."""
        return self._door.stream(
            self._wanted.inbound,
            answer_id=answer_id,
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


class Answers:
    """The answers to one request, each decided by itself: one, or as many as are asked for."""

    def __init__(self, service: Service, door: Door, wanted: ChatRequest, gone: asyncio.Task[None]) -> None:
        """Begin to answer; `gone` ends when the client has gone."""
        self._door, self._wanted, self._gone = door, wanted, gone
        self._pieces: asyncio.Queue[tuple[int, str | Part | None]] = asyncio.Queue()
        count = range(wanted.inbound.count)
        self._calls = [AnsweredRequest(service, door, wanted, self._put(place)) for place in count]
        self._waiting = set(count)
        gone.add_done_callback(lambda _: self._end())

    async def response(self) -> Response:
        """Return the answers that there are, or the stream from its first words on.

        Until then the status can still tell of a failure, and another model can still be asked. Raises ApiError where
        no answer has any.
        """
        try:
            first = await self._next()
            while first is not None and not self._wanted.streamed:
                first = await self._next()
        except asyncio.CancelledError:
            self._end()
            raise
        if first is None:
            self._end()
        answered = [call for call in self._calls if call.is_answered]
        if first is None and not (self._wanted.streamed and answered):
            return self._whole(answered)
        begun = answered[0] if first is None else self._calls[first[0]]
        return _Events(begun.headers(None), self._events(first), self._end)

    def _whole(self, answered: list[AnsweredRequest]) -> Response:
        ended = [call for call in self._calls if not call.task.cancelled()]
        if not ended:
            return Response(status_code=CLIENT_GONE)
        # Without any answer, the first says why.
        whole = answered or ended[:1]
        replies = [call.reply(call.task.result()) for call in whole]
        return JSONResponse(self._door.whole(replies), headers=whole[0].headers(whole[0].task.result()))

    async def _events(self, piece: tuple[int, str | Part] | None) -> AsyncIterator[bytes]:
        streams: dict[int, Stream] = {}

        def begun(place: int) -> bytes:
            streams[place] = self._calls[place].stream(place, self._calls[0].id)
            return streams[place].start()

        while piece is not None:
            place, told = piece
            if place not in streams:
                yield begun(place)
            yield streams[place].piece(told)
            piece = await self._next()
        replies: list[Reply] = []
        answered = {place for place, call in enumerate(self._calls) if call.is_answered}
        broken = [place for place in streams if place not in answered]
        whole = [*filter(answered.__contains__, streams), *sorted(answered - streams.keys())]
        for place in whole:
            if place not in streams:
                yield begun(place)
            reply = self._calls[place].reply(self._calls[place].task.result())
            yield streams[place].end(reply, None if broken or place != whole[-1] else replies)
            replies.append(reply)
        if broken and not self._calls[broken[0]].task.cancelled():
            yield streams[broken[0]].failed(self._breach().body(self._door))

    def _breach(self) -> ApiError:
        """Return why a stream broke off."""
        if len(self._calls) > 1:
            return upstream(None, "one of the answers broke off.")
        outcome = self._calls[0].task.result().answer.outcome
        return upstream(outcome.error_kind, outcome.error or "the answer broke off.")

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
        """Stop whatever is still there."""
        self._gone.cancel()
        for call in self._calls:
            call.task.cancel()


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
