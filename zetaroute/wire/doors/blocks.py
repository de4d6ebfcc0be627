"""A streamed answer as blocks, one after the other: how Responses and Messages tell it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from zetaroute.domain import Completion
from zetaroute.wire.doors.door import Inbound, Stream, ToldCalls, call_id
from zetaroute.wire.pieces import Part

BlockKind = Literal["text", "thinking", "call", "block"]


@dataclass(slots=True, kw_only=True)
class AnswerBlock:
    """One block of an answer."""

    kind: BlockKind
    index: int
    id: str = ""
    """Of a call, or of an item of Responses."""
    name: str = ""
    signature: str = ""
    block: Mapping[str, Any] | None = None
    """What only one format has, as it came."""
    whole: bool = False
    _texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The words, the thinking or the arguments."""
        return "".join(self._texts)

    def add(self, text: str) -> None:
        """Take the next piece."""
        self._texts.append(text)


class BlockStream(Stream):
    """Opens, fills and closes blocks as the pieces of an answer come, one at a time."""

    def __init__(self, inbound: Inbound, **of_answer: Any) -> None:
        super().__init__(inbound, **of_answer)
        self.blocks: list[AnswerBlock] = []
        self._open: AnswerBlock | None = None
        self._told = ToldCalls()
        self._late: set[str] = set()

    @abstractmethod
    def opened(self, block: AnswerBlock) -> bytes:
        """Return the events of a block that begins."""

    @abstractmethod
    def grown(self, block: AnswerBlock, text: str) -> bytes:
        """Return the event of a piece of it."""

    def signed(self, block: AnswerBlock) -> bytes:
        """Return the event of the signature of thinking, where the format has one."""
        return b""

    @abstractmethod
    def closed(self, block: AnswerBlock) -> bytes:
        """Return the events of its end."""

    def piece(self, piece: str | Part) -> bytes:
        return b"".join(self._piece(piece))

    def finish(self, done: Completion) -> bytes:
        """Return the events of what of the answer was not told yet, and of the end of the last block."""
        events = []
        if done.words and not any(block.kind == "text" for block in self.blocks):
            events.append(self.piece(done.words))
        self._late.clear()
        open_id = self._open.id if self._open is not None else None
        rest = list(self._told.rest(done.tool_calls))
        for part in sorted(rest, key=lambda part: call_id(self._answer_id, part.place, part.id) != open_id):
            events.append(self.piece(part))
        return b"".join([*events, *self._close()])

    def _piece(self, piece: str | Part) -> Iterator[bytes]:
        if isinstance(piece, str):
            if piece:
                yield from self._grow("text", piece)
        elif piece.kind == "thinking":
            yield from self._grow("thinking", piece.text)
        elif piece.kind == "signature":
            if self._open is not None and self._open.kind == "thinking":
                self._open.signature += piece.text
                yield self.signed(self._open)
        elif piece.kind == "block":
            yield from self._begin(AnswerBlock(kind="block", index=len(self.blocks), block=piece.block))
        elif piece.kind == "item":
            yield from self._item(piece)
        else:
            yield from self._call(piece)

    def _item(self, part: Part) -> Iterator[bytes]:
        """Tell an item: of thoughts, what is sealed ends those that came piece by piece."""
        if not part.whole:
            yield from self._begin(AnswerBlock(kind="thinking", index=len(self.blocks), id=part.id))
            return
        if self._open is None or self._open.kind != "thinking" or self._open.id != part.id:
            thinks = part.block is not None and part.block.get("type") == "reasoning"
            kind: BlockKind = "thinking" if thinks else "block"
            begun = AnswerBlock(kind=kind, index=len(self.blocks), id=part.id, block=part.block)
            yield from self._begin(begun)
        assert self._open is not None  # noqa: S101  - one was begun; this tells mypy
        self._open.block = part.block
        yield from self._close()

    def _call(self, part: Part) -> Iterator[bytes]:
        """Tell a part of a call; one that comes amid another call is told whole in the end."""
        own, block = call_id(self._answer_id, part.place, part.id), self._open
        if block is None or block.id != own:
            amid = block is not None and block.kind == "call" and not block.whole
            if amid or own in self._late or any(one.id == own for one in self.blocks):
                self._late.add(own)
                return
            block = AnswerBlock(kind="call", index=len(self.blocks), id=own, name=part.name)
            yield from self._begin(block)
        self._told.take(part)
        block.whole = part.whole
        yield from self._grow("call", part.text)

    def _grow(self, kind: BlockKind, text: str) -> Iterator[bytes]:
        if self._open is None or self._open.kind != kind:
            yield from self._begin(AnswerBlock(kind=kind, index=len(self.blocks)))
        block = self._open
        assert block is not None  # noqa: S101  - one was begun above; this tells mypy
        block.add(text)
        if text:
            yield self.grown(block, text)

    def _begin(self, block: AnswerBlock) -> Iterator[bytes]:
        yield from self._close()
        self.blocks.append(block)
        self._open = block
        yield self.opened(block)

    def _close(self) -> Iterator[bytes]:
        if self._open is not None:
            block, self._open = self._open, None
            yield self.closed(block)


def blocks_of(done: Completion, answer_id: str) -> list[AnswerBlock]:
    """Return a whole answer as blocks."""
    kinds: tuple[tuple[BlockKind, str | None], ...] = (("thinking", done.thinking), ("text", done.words))
    blocks: list[AnswerBlock] = []
    for kind, words in kinds:
        if words:
            blocks.append(AnswerBlock(kind=kind, index=len(blocks)))
            blocks[-1].add(words)
    for place, call in enumerate(done.tool_calls):
        own = call_id(answer_id, place, call.id)
        blocks.append(AnswerBlock(kind="call", index=len(blocks), id=own, name=call.name))
        blocks[-1].add(call.arguments)
    return blocks
