"""The door of chat completions, and of the legacy completions before them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zetaroute.domain import Completion, ToolCall
from zetaroute.wire.doors import door
from zetaroute.wire.draft import REFUSAL
from zetaroute.wire.events import event
from zetaroute.wire.pieces import Part

MOST_ANSWERS = 8
"""Answers to one request; each is asked for by itself."""
OURS = frozenset(
    {"model", "messages", "stream", "stream_options", "n", "metadata", "store", "user", "client_metadata"}
)
"""Keys that are not passed on: zetaroute fills them, or they are about the person who asks."""
ACCOUNT = frozenset({"service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"})
"""Keys that mean something to an account at OpenAI alone."""
DONE = b"data: [DONE]\n\n"


def passed_on(wanted: Mapping[str, Any], *left: str) -> dict[str, Any]:
    """Return the options of a body under the names of chat completions."""
    kept = wanted.keys() - OURS - ACCOUNT - set(left)
    options = {key: value for key, value in wanted.items() if key in kept and value is not None}
    if "max_completion_tokens" in options:
        # One name here; each server is sent the one that it knows.
        options["max_tokens"] = options.pop("max_completion_tokens")
    return options


def _inbound(
    body: Mapping[str, Any], turns: tuple[tuple[str, Any], ...], options: Mapping[str, Any]
) -> door.Inbound:
    return door.Inbound(
        turns=turns,
        options=options,
        model=body.get("model"),
        streamed=body.get("stream"),
        include_usage=wants_usage(body),
        count=number_of_answers(body),
        metadata=body.get("metadata"),
        session=body.get("prompt_cache_key"),
    )


def number_of_answers(wanted: Mapping[str, Any]) -> int:
    """Return `n`; raise MalformedRequestError for one that is not served."""
    count = wanted.get("n", 1) or 1
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_ANSWERS:
        raise door.MalformedRequestError(f"n must be a whole number from 1 to {MOST_ANSWERS}.", "n")
    return count


def wants_usage(wanted: Mapping[str, Any]) -> bool:
    """Return whether a stream is to end with the counts."""
    options = wanted.get("stream_options")
    said = None if options is None else door.mapping_at(options, "stream_options").get("include_usage")
    if said is not None and not isinstance(said, bool):
        raise door.MalformedRequestError("include_usage must be true or false.", "include_usage")
    return bool(said)


def chat_usage(done: Completion) -> dict[str, Any]:
    """Return the counts of an answer."""
    prompt, completion = done.input_tokens or 0, done.output_tokens or 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": done.cached_tokens or 0},
        "completion_tokens_details": {"reasoning_tokens": done.reasoning_tokens or 0},
    }


class ChatDoor(door.Door):
    """/v1/chat/completions."""

    kinds = frozenset({"call", "logprobs"})

    def read(self, body: Mapping[str, Any]) -> door.Inbound:
        if body.get("audio"):
            raise door.unserved("audio is not passed back by this server.", "audio")
        if body.get("modalities") not in (None, ["text"]):
            raise door.unserved("only the modality text is served.", "modalities")
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise door.MalformedRequestError("messages must be a list with at least one message.", "messages")
        turns = tuple((f"messages[{place}]", one) for place, one in enumerate(messages))
        return _inbound(body, turns, passed_on(body))

    def whole(self, replies: list[door.Reply]) -> dict[str, Any]:
        return _together([_completion(reply) for reply in replies])


def _completion(reply: door.Reply) -> dict[str, Any]:
    done = reply.done
    refused = done.finish_reason == REFUSAL
    words = {"content": None if refused else done.words, "refusal": done.words if refused else None}
    message: dict[str, Any] = {"role": "assistant", **words}
    if done.tool_calls:
        message["tool_calls"] = [_call(reply.id, place, call) for place, call in enumerate(done.tool_calls)]
    told = _logprobs(done.logprobs) if reply.inbound.options.get("logprobs") else None
    choice = {"index": 0, "message": message, "logprobs": told, "finish_reason": door.finish_reason(done)}
    head = _head("chatcmpl", "chat.completion", reply.id, reply.created, reply.model)
    return {**_body(head, choice, reply), "system_fingerprint": done.system_fingerprint}


def _head(prefix: str, kind: str, answer_id: str, created: int, model: str) -> dict[str, Any]:
    return {"id": f"{prefix}-{answer_id}", "object": kind, "created": created, "model": model}


def _body(head: Mapping[str, Any], choice: Mapping[str, Any], reply: door.Reply) -> dict[str, Any]:
    return {**head, "choices": [choice], "usage": chat_usage(reply.done), "zetaroute": reply.facts}


def _logprobs(content: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    return {"content": list(content), "refusal": None} if content else None


def _call(answer_id: str, place: int, call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": door.call_id(answer_id, place, call.id), "type": "function", "function": function}


def _together(bodies: list[dict[str, Any]]) -> dict[str, Any]:
    """Return several bodies as the choices of one; each keeps what zetaroute knows of it."""
    first = bodies[0]
    if len(bodies) == 1:
        return first
    return {
        **first,
        "choices": [{**body["choices"][0], "index": place} for place, body in enumerate(bodies)],
        "usage": _usage_of([body["usage"] for body in bodies]),
        "zetaroute": {**first["zetaroute"], "choices": [body["zetaroute"] for body in bodies]},
    }


def _usage_of(usages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    counted = ("prompt_tokens", "completion_tokens", "total_tokens")
    return {**usages[0], **{name: sum(usage[name] for usage in usages) for name in counted}}


class _ChoiceStream(door.Stream):
    """The chunks of one answer, which is one of the choices of a stream."""

    _object = ("cmpl", "text_completion")

    def _event(self, choices: Sequence[Mapping[str, Any]], **fields: Any) -> bytes:
        head = _head(*self._object, self._answer_id, self._created, self._model)
        return event({**head, "choices": choices, **fields})

    def _tail(self, reply: door.Reply, before: Sequence[door.Reply] | None) -> bytes:
        """Return what ends a stream once all of its answers have: the counts, where they are wanted, and the mark."""
        if before is None:
            return b""
        usage = _usage_of([chat_usage(one.done) for one in (reply, *before)])
        return (self._event([], usage=usage) if self._inbound.include_usage else b"") + DONE


class _Chunks(_ChoiceStream):
    """The chunks of one answer."""

    _object = ("chatcmpl", "chat.completion.chunk")

    def __init__(self, inbound: door.Inbound, **of_answer: Any) -> None:
        super().__init__(inbound, **of_answer)
        self._told = door.ToldCalls()
        self._wants_logprobs = bool(inbound.options.get("logprobs"))

    def start(self) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def piece(self, piece: str | Part) -> bytes:
        if isinstance(piece, str):
            return self._chunk({"content": piece}) if piece else b""
        if piece.kind == "logprobs":
            told = _logprobs((piece.block or {}).get("content", ()))
            wanted, self._wants_logprobs = bool(self._inbound.options.get("logprobs")), False
            return self._chunk({}, logprobs=told) if wanted else b""
        if self._told.take(piece):
            whole = ToolCall(name=piece.name, arguments=piece.text, id=piece.id)
            call = _call(self._answer_id, piece.place, whole)
        else:
            call = {"function": {"arguments": piece.text}}
        return self._chunk({"tool_calls": [{"index": piece.place, **call}]})

    def end(self, reply: door.Reply, before: Sequence[door.Reply] | None = ()) -> bytes:
        parts = [self.piece(part) for part in self._told.rest(reply.done.tool_calls)]
        last = {"zetaroute": reply.facts, "system_fingerprint": reply.done.system_fingerprint}
        told = _logprobs(reply.done.logprobs) if self._wants_logprobs else None
        parts.append(self._chunk({}, finish=door.finish_reason(reply.done), logprobs=told, **last))
        return b"".join([*parts, self._tail(reply, before)])

    def _chunk(
        self, delta: Mapping[str, Any], *, finish: str | None = None, logprobs: Any = None, **fields: Any
    ) -> bytes:
        choice = {"index": self._place, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return self._event([choice], **fields)


class CompletionsDoor(door.Door):
    """/v1/completions, the format before chat: a prompt is a message of the user."""

    def read(self, body: Mapping[str, Any]) -> door.Inbound:
        for key in ("suffix", "logprobs", "echo", "tools"):
            if body.get(key):
                raise door.unserved(f"{key} is not served here.", key)
        if (body.get("best_of") or 1) != 1:
            raise door.unserved("best_of is not served: n asks for several answers.", "best_of")
        prompt = body.get("prompt")
        if isinstance(prompt, list) and len(prompt) == 1:
            prompt = prompt[0]
        if not isinstance(prompt, str):
            raise door.MalformedRequestError("prompt must be one text; send others by themselves.", "prompt")
        options = passed_on(body, "prompt", "suffix", "logprobs", "echo", "tools", "best_of")
        return _inbound(body, (("prompt", {"role": "user", "content": prompt}),), options)

    def whole(self, replies: list[door.Reply]) -> dict[str, Any]:
        return _together([_text_completion(reply) for reply in replies])


def _text_completion(reply: door.Reply) -> dict[str, Any]:
    head = _head("cmpl", "text_completion", reply.id, reply.created, reply.model)
    return _body(head, _text_choice(reply.done.text, door.finish_reason(reply.done)), reply)


def _text_choice(words: str, finish: str | None, place: int = 0) -> dict[str, Any]:
    return {"index": place, "text": words, "logprobs": None, "finish_reason": finish}


class _TextChunks(_ChoiceStream):
    """The chunks of one legacy completion."""

    def piece(self, piece: str | Part) -> bytes:
        return self._chunk(piece) if isinstance(piece, str) and piece else b""

    def end(self, reply: door.Reply, before: Sequence[door.Reply] | None = ()) -> bytes:
        last = self._chunk("", finish=door.finish_reason(reply.done), zetaroute=reply.facts)
        return last + self._tail(reply, before)

    def _chunk(self, words: str, *, finish: str | None = None, **fields: Any) -> bytes:
        return self._event([_text_choice(words, finish, self._place)], **fields)


CHAT = ChatDoor(_Chunks)
COMPLETIONS = CompletionsDoor(_TextChunks)
