"""An answer while it arrives.

It lives apart from the wire formats because all of them fill the same few fields, and from the domain
because a draft changes until it is a completion.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from zetaroute.domain import Arm, Completion, Query, ToolCall, in_place_of_words, text_tokens
from zetaroute.providers.costs import call_cost_usd


@dataclass(slots=True, kw_only=True)
class Draft:
    """What has arrived of one answer."""

    pieces: list[str] = field(default_factory=list)
    finished: bool = False
    """The server has said that the answer is complete."""
    error: object = None
    """What the server sent in place of the answer's text."""
    first_text_at: float | None = None
    """Moment of the first piece (`time.perf_counter`); None while the answer comes in one piece."""
    begun: bool = False
    """The model has begun to write, be it thoughts or the answer."""
    served_model: str | None = None
    finish_reason: str | None = None
    input_tokens: int | None = None
    """Cached ones included."""
    cached_tokens: int | None = None
    output_tokens: int | None = None
    calls: dict[int, ToolCall] = field(default_factory=dict)
    """Tools that the model wants to be called, by their place in the answer."""
    half: str = ""
    """The first half of a character that a server cut in two UTF-16 escapes."""

    @property
    def text(self) -> str:
        """The answer so far; without a word, the tool calls that came in its place, as JSON."""
        words = "".join(self.pieces)
        if words.strip() or not self.calls:
            return words
        return in_place_of_words(self.tool_calls)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls in their order."""
        return tuple(call for _, call in sorted(self.calls.items()))

    @property
    def is_answer(self) -> bool:
        """Whether this is all of an answer, and more than white space; tool calls are one too."""
        return self.finished and bool(self.text.strip())

    def call(self, place: int, *, name: str = "", arguments: str = "", call_id: str = "") -> None:
        """Take a tool call, or the next part of one."""
        known = self.calls.get(place, ToolCall(name="", arguments=""))
        self.calls[place] = ToolCall(
            name=known.name + name, arguments=known.arguments + arguments, id=known.id or call_id
        )
        self.begun = True

    def add(self, piece: str) -> str:
        """Append `piece` and return it as it may be shown: lone surrogates can be neither printed nor stored."""
        piece = self.half + piece
        self.half = piece[-1:] if "\ud800" <= piece[-1:] <= "\udbff" else ""
        piece = piece.removesuffix(self.half)
        piece = piece.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        self.pieces.append(piece)
        self.begun = self.begun or bool(piece)
        return piece

    def completion(self, arm: Arm, query: Query, *, started_at: float, ended_at: float) -> Completion:
        """Return the answer as the domain knows it; tokens that the server did not count are estimated."""
        # A count of zero means that nobody counted.
        input_tokens, output_tokens = self.input_tokens or None, self.output_tokens or None
        estimated = input_tokens is None or output_tokens is None
        input_tokens = query.tokens() if input_tokens is None else input_tokens
        output_tokens = text_tokens(self.text) if output_tokens is None else output_tokens
        return Completion(
            text=self.text,
            served_model=self.served_model,
            finish_reason=self.finish_reason,
            ttft_s=None if self.first_text_at is None else self.first_text_at - started_at,
            response_s=ended_at - started_at,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cached_tokens=self.cached_tokens,
            tool_calls=self.tool_calls,
            tokens_estimated=estimated,
            cost_usd=call_cost_usd(
                arm,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                cached_tokens=self.cached_tokens,
            ),
        )
