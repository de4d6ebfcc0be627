"""What requests of all formats have in common, and what an answer is told from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zetaroute.domain import Completion, ToolCall
from zetaroute.errors import UsageError
from zetaroute.wire.draft import REFUSAL
from zetaroute.wire.events import event
from zetaroute.wire.pieces import Part, PartKind

_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    REFUSAL: "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
}


class MalformedRequestError(UsageError):
    """A request that its sender can fix, with the place in it."""

    def __init__(self, message: str, param: str | None, code: str = "invalid_value") -> None:
        super().__init__(message)
        self.param = param
        self.code = code


def unserved(what: str, param: str) -> MalformedRequestError:
    """Return the refusal of what this server would otherwise drop."""
    return MalformedRequestError(what, param, "unsupported_value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """A request of any format, its turns and options in the shape of chat completions."""

    turns: tuple[tuple[str, Any], ...]
    """Each message behind the place that it has in the request."""
    options: Mapping[str, Any]
    """What is passed on to the model."""
    model: Any
    system: str | None = None
    """Instructions that stand before all turns."""
    streamed: Any = None
    include_usage: bool = False
    count: int = 1
    metadata: Any = None
    session: str | None = None
    """What the client groups its requests by."""
    conversation: str | None = None
    previous: str | None = None
    """The answer that this request goes on from, whose turns this server keeps."""
    stored: bool = False
    """Whether a later request may go on from its answer."""
    native: Mapping[str, Any] | None = None
    """The request as it came, for servers that speak its format too."""
    native_format: str = "anthropic"
    """The provider that does."""
    only_native: bool = False
    """Whether no other server can be asked."""
    echo: Mapping[str, Any] = field(default_factory=dict)
    """What the answer repeats of the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer, about to be told."""

    id: str
    """Of the first row that was asked for it."""
    created: int
    model: str
    done: Completion
    facts: Mapping[str, Any]
    """What zetaroute knows of it."""
    inbound: Inbound


class Stream(ABC):
    """Writes the events of one streamed answer; of several to one request, `place` is which it is."""

    def __init__(self, inbound: Inbound, *, answer_id: str, created: int, model: str, place: int = 0) -> None:
        self._inbound, self._answer_id, self._place = inbound, answer_id, place
        self._created, self._model = created, model

    def start(self) -> bytes:
        """Return what comes before the first piece."""
        return b""

    @abstractmethod
    def piece(self, piece: str | Part) -> bytes:
        """Return the events of a piece of text, or of what comes beside it."""

    @abstractmethod
    def end(self, reply: Reply, before: Sequence[Reply] | None = ()) -> bytes:
        """Return the last events, with what of the answer was not told yet.

        Where a stream has several answers, `before` are those that have ended; None: others are still to end.
        """

    def failed(self, error: Mapping[str, Any]) -> bytes:
        """Return the event of an answer that broke off; `error` is a body that the door makes."""
        return event(error)


class Door(ABC):
    """One format."""

    kinds: frozenset[PartKind] = frozenset()
    """What its streams tell beside the text."""
    request_id = "x-request-id"
    """The header that names a call: as the model's server does, where it does."""

    def __init__(self, stream: Callable[..., Stream]) -> None:
        self.stream = stream
        """What writes the events of an answer."""

    @abstractmethod
    def read(self, body: Mapping[str, Any]) -> Inbound:
        """Return what a body asks for; raise MalformedRequestError for what cannot be served."""

    @abstractmethod
    def whole(self, replies: list[Reply]) -> dict[str, Any]:
        """Return the body of an answer, or of several where the format has them."""

    def error(self, status: int, message: str, *, code: str, param: str | None) -> dict[str, Any]:
        """Return the body of a refusal: OpenAI's, where a format has none of its own."""
        kind = "invalid_request_error" if status < 500 else "server_error"
        kind = {401: "authentication_error", 429: "rate_limit_error"}.get(status, kind)
        return {"error": {"message": message, "type": kind, "param": param, "code": code}}


@dataclass(slots=True)
class ToldCalls:
    """The calls that a stream has told until now."""

    _told: dict[int, int] = field(default_factory=dict)

    def take(self, part: Part) -> bool:
        """Note a part of a call; return whether it is the first of it."""
        first = part.place not in self._told
        self._told[part.place] = self._told.get(part.place, 0) + len(part.text)
        return first

    def rest(self, calls: Iterable[ToolCall]) -> Iterator[Part]:
        """Yield what of the whole calls was not told."""
        for place, call in enumerate(calls):
            told = self._told.get(place)
            if told is None or told < len(call.arguments):
                yield Part(
                    kind="call",
                    text=call.arguments[told or 0 :],
                    place=place,
                    id=call.id,
                    name=call.name,
                    whole=True,
                )


def call_id(answer_id: str, place: int, given: str) -> str:
    """Return the id of a call: the server's own, else one made of its answer's."""
    return given or f"call_{answer_id.replace('-', '')}{place}"


def finish_reason(done: Completion) -> str:
    """Return why an answer ended in OpenAI's words, where the server's own are others."""
    said = (done.finish_reason or "stop").lower()
    reason = _REASONS.get(said, said)
    return "tool_calls" if done.tool_calls and reason == "stop" else reason


def mapping_at(value: Any, place: str) -> Mapping[str, Any]:
    """Return the object at a place; raise MalformedRequestError where there is none."""
    if not isinstance(value, dict):
        raise MalformedRequestError(f"{place} must be an object.", place)
    return value


def text_at(value: Any, place: str) -> str:
    """Return the text at a place; raise MalformedRequestError where there is none."""
    if not isinstance(value, str):
        raise MalformedRequestError(f"{place} must be a text.", place)
    return value


def list_at(value: Any, place: str) -> list[Any]:
    """Return the list at a place; raise MalformedRequestError where there is none."""
    if not isinstance(value, list):
        raise MalformedRequestError(f"{place} must be a list.", place)
    return value


def schema_format(schema: Any, name: Any, strict: Any = None) -> dict[str, Any]:
    """Return the option of chat completions that wants an answer by a JSON schema."""
    named = {"name": name or "answer", "schema": schema}
    return {"type": "json_schema", "json_schema": named if strict is None else {**named, "strict": strict}}
