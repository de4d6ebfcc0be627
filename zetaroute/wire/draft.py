"""An answer as it arrives: text, thinking, tool calls, counts, and why it ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from zetaroute.domain import tool_calls_as_text
from zetaroute.wire.json_values import JsonObject, label
from zetaroute.wire.pieces import Part
from zetaroute.wire.thinking import ThinkingSplitter, split_thinking
from zetaroute.wire.tool_calls import ToolCallReader
from zetaroute.wire.usage import UsageReader

REFUSAL = "refusal"
"""Finish reason of an answer in which the model declines."""


@dataclass(slots=True, kw_only=True)
class Draft:
    """What has arrived of one answer."""

    finished: bool = False
    """The server has said that the answer is complete."""
    signed_off: bool = False
    """It has said that nothing more comes."""
    error: object = None
    """What the server sent in place of the answer's text."""
    begun: bool = False
    """The model has begun to write, be it thoughts or the answer."""
    served_model: str | None = None
    refused: bool = False
    usage: UsageReader = field(default_factory=UsageReader)
    calls: ToolCallReader = field(default_factory=ToolCallReader)
    marked: ThinkingSplitter = field(default_factory=ThinkingSplitter)
    steps: int = 0
    """Pieces of text, of thinking and of calls until now."""
    blocks: tuple[JsonObject, ...] = ()
    """A whole answer as its format has it: what is thought there is signed."""
    block_format: str = ""
    system_fingerprint: str | None = None
    logprobs: list[JsonObject] = field(default_factory=list)
    _reason: str | None = None
    _pieces: list[str] = field(default_factory=list)
    _thoughts: list[str] = field(default_factory=list)
    _parts: list[Part] = field(default_factory=list)
    _has_words: bool = False
    _half: str = ""
    """The first half of a character that a server cut in two UTF-16 escapes."""

    @property
    def is_answer(self) -> bool:
        """Whether this is all of an answer, and more than white space; tool calls are one too."""
        return self.finished and (self._has_words or bool(self.calls))

    @property
    def finish_reason(self) -> str | None:
        """Why the answer ended, in the server's words; `refusal` where the model declined."""
        return REFUSAL if self.refused else self._reason

    @property
    def has_text(self) -> bool:
        """Whether any text has come."""
        return bool(self._pieces)

    @property
    def opened_in_prompt(self) -> bool:
        """Whether the text had a mark that closes thinking, and none that opens it."""
        return not self.marked.thoughts and bool(self._split()[0])

    def text(self) -> str:
        """Return the answer without thinking; without a word, the tool calls that came in its place, as JSON."""
        answer = self._split()[1]
        if answer.strip() or not self.calls:
            return answer
        return tool_calls_as_text(self.calls.calls())

    def thinking(self) -> str | None:
        """Return what the model wrote for itself, None where it wrote nothing."""
        return "".join((*self._thoughts, self._split()[0])).strip() or None

    def end(self, reason: object) -> None:
        """Take a finish reason; many servers send an empty one, or the word null, until there is one."""
        named = label(reason)
        if named and named.lower() not in {"null", "none"}:
            self._reason, self.finished = named, True

    def add(self, piece: str) -> str:
        """Append a piece of text and return what of it may be shown: no thinking, no lone surrogates."""
        piece = self._half + piece
        self._half = piece[-1:] if "\ud800" <= piece[-1:] <= "\udbff" else ""
        piece = piece.removesuffix(self._half)
        piece = piece.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        if piece:
            self.stepped()
        known = len(self.marked.thoughts)
        shown = self.marked.feed(piece)
        self._parts += [Part(kind="thinking", text=one) for one in self.marked.thoughts[known:] if one]
        return self._take(shown)

    def think(self, piece: str) -> None:
        """Append a piece of thinking that the server told from the answer."""
        if piece:
            self._thoughts.append(piece.encode("utf-8", "replace").decode("utf-8"))
            self._parts.append(Part(kind="thinking", text=self._thoughts[-1]))
            self.stepped()

    def beside(self, part: Part) -> None:
        """Take what only streams of the same format can pass on."""
        self._parts.append(part)

    def new_parts(self) -> tuple[list[Part], list[Part]]:
        """Return what came beside the text since the last time: what belongs before the text, and the calls."""
        before, calls = self._parts, self.calls.parts
        self._parts, self.calls.parts = [], []
        return before, calls

    def flush(self) -> str:
        """Return what was held back of the text, now that no more comes."""
        return self._take(self.marked.flush())

    def _take(self, shown: str) -> str:
        if shown:
            self._pieces.append(shown)
            self._has_words = self._has_words or not shown.isspace()
        return shown

    def stepped(self) -> None:
        """Note a piece of text, of thinking or of a call."""
        self.begun = True
        self.steps += 1

    def _split(self) -> tuple[str, str]:
        """Return the thinking that stood in the text, and the answer."""
        text, marked = "".join(self._pieces), "".join(self.marked.thoughts)
        return (marked, text) if marked else split_thinking(text)
