"""What is asked: a query with everything that belongs to it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["text", "image", "file"]

BYTES_PER_TOKEN = 4.0
"""Of UTF-8; roughly what tokenizers make of prose and code in most languages."""
BYTES_PER_TOKEN_AT_LEAST = 3.0
"""Few texts have fewer."""
TOKENS_PER_MESSAGE = 4
TOKENS_PER_IMAGE = 1000
_READ_BESIDE = ("tools", "functions", "response_format")
"""Options that a model reads as it reads the words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One earlier turn of a conversation."""

    role: str
    content: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    """What else belongs to it in OpenAI's format: the tools that it called, or the call that it answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileNote:
    """What the log keeps of a file: enough to know it again, nothing of what is in it."""

    name: str
    media_type: str
    sha256: str
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that goes with a query."""

    note: FileNote
    kind: Kind
    content: bytes = field(repr=False)
    """UTF-8 where the kind is `text`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How an answer is checked without knowing the true one: where it fails, another model is asked."""

    grader: str
    reference: str | None = None
    """What the grader holds the answer against, such as a schema or a pattern; None where it needs nothing."""
    signal: bool = False
    """Whether its score fails no answer, but is one more sign of it, which chains learn to weigh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryEmbedding:
    """What an embedding endpoint made of a query, or why it made nothing."""

    space: str
    """Endpoint's model and what else decides which vectors can be compared."""
    values: tuple[float, ...] = ()
    """Empty where there is none."""
    cost_usd: float | None = None
    elapsed_s: float = 0.0
    """How long it was waited for."""
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Native:
    """A request as its client sent it, for servers of the same format."""

    format: str
    """The provider that speaks it."""
    body: Mapping[str, Any]
    """Nothing about the person who asks is in it."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Those that turn features of the format on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a person or a program asks."""

    text: str
    system: str | None = None
    task: str | None = None
    reference: str | None = None
    """The true answer, or what the grader compares with; None when it is unknown."""
    grader: str | None = None
    custom_id: str | None = None
    conversation: str | None = None
    session: str | None = None
    """What a client groups its requests by; several conversations may be of one session."""
    history: tuple[Message, ...] = ()
    after: tuple[Message, ...] = ()
    """Turns behind the text, such as tool calls and what the tools said."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Sent in the body of the request; they win over the arm's own."""
    wire_formats: tuple[str, ...] = ()
    """Those that can carry the options and turns of this query; empty: any can."""
    native: Native | None = None
    attachments: tuple[Attachment, ...] = ()
    check: Check | None = None
    embedding: QueryEmbedding | None = None
    """None where no endpoint is configured or asked."""
    tags: tuple[str, ...] = ()
    """What the rules go by: a tag may forbid models."""
    _beside: int | None = field(default=None, init=False, repr=False, compare=False)
    """Bytes that are read beside the words, once they were counted: tens of kilobytes for a coding agent."""

    def __post_init__(self) -> None:
        # A lone surrogate has no UTF-8 form: the log could not keep what the decision has seen.
        for name in ("text", "system", "task", "reference", "custom_id", "conversation", "session"):
            value = getattr(self, name)
            if value is not None and not value.isascii():
                object.__setattr__(self, name, value.encode("utf-8", "replace").decode("utf-8"))

    @property
    def may_fail_check(self) -> bool:
        """Whether an answer may fail its check, and another model be asked for that: a signal fails none."""
        return self.check is not None and not self.check.signal

    def talk(self) -> str:
        """Return what the user has said in the whole talk: how hard it is, its last turn alone does not tell."""
        said = [turn.content for turn in self.history if turn.role == "user" and turn.content]
        return "\n\n".join((*said, self.text))

    def tokens(self) -> int:
        """Return an estimate of the input tokens of everything that is sent."""
        return self._tokens(BYTES_PER_TOKEN)

    def tokens_at_most(self) -> int:
        """Return an estimate that few texts exceed, to check a limit with."""
        return self._tokens(BYTES_PER_TOKEN_AT_LEAST)

    def _tokens(self, bytes_per_token: float) -> int:
        texts = [self.text, *(turn.content for turn in (*self.history, *self.after))]
        if self.system is not None:
            texts.append(self.system)
        size = sum(len(text.encode("utf-8", "replace")) for text in texts)
        size += self._bytes_beside()
        size += sum(len(file.content) for file in self.attachments if file.kind != "image")
        images = sum(file.kind == "image" for file in self.attachments)
        overhead = TOKENS_PER_MESSAGE * len(texts) + TOKENS_PER_IMAGE * images
        return math.ceil(size / bytes_per_token) + overhead

    def _bytes_beside(self) -> int:
        """Return the bytes of tools, schemas and calls as JSON."""
        if self._beside is None:
            read = [self.options[name] for name in _READ_BESIDE if name in self.options]
            if self.native is not None and "tools" not in self.options:
                read.append(self.native.body.get("tools"))
            read += [turn.fields["tool_calls"] for turn in self.history if "tool_calls" in turn.fields]
            read += [turn.fields["tool_calls"] for turn in self.after if "tool_calls" in turn.fields]
            size = sum(len(json.dumps(one, default=str)) for one in read if one)
            object.__setattr__(self, "_beside", size)
            return size
        return self._beside


def text_tokens(text: str) -> int:
    """Return an estimate of the tokens of an answer."""
    return math.ceil(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN)


def unit_of(conversation: str | None, text: str) -> int:
    """Return a number (64 bits) of what is one trial: the conversation, else the text without case and spacing."""
    key = "c:" + conversation if conversation else "q:" + " ".join(text.casefold().split())
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "replace")).digest()[:8], "big")


def content_hash(query: Query) -> str:
    """Return a hash of everything that is asked and graded, to know a changed row by."""
    parts: tuple[str, ...] = (
        query.text,
        query.system or "",
        query.task or "",
        query.reference or "",
        query.grader or "",
    )
    parts += tuple(f"{turn.role}\0{turn.content}" for turn in query.history)
    if query.options:
        parts += (json.dumps(query.options, sort_keys=True),)
    parts += tuple(file.note.sha256 for file in query.attachments)
    # A turn with fields, and turns behind the text, are new: what was hashed without them stays the same.
    more = [turn for turn in query.history if turn.fields] + list(query.after)
    parts += tuple(json.dumps([turn.role, turn.content, turn.fields], sort_keys=True) for turn in more)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:24]
