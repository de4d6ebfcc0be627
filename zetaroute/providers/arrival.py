"""What has arrived of one call, when, and what it comes to as a completion."""

from __future__ import annotations

import time

from zetaroute.domain import Arm, Completion, Query, text_tokens
from zetaroute.providers.base import OnText, call_cost_usd
from zetaroute.wire.draft import Draft
from zetaroute.wire.pieces import Part, PieceTaker
from zetaroute.wire.thinking import ThinkingSplitter
from zetaroute.wire.usage import Usage


class Arrival:
    """A draft and its moments (`time.perf_counter`)."""

    def __init__(self, *, opened: bool = False) -> None:
        """With `opened`, the answer begins with thinking that no mark opens."""
        self.draft = Draft(marked=ThinkingSplitter(opened=opened))
        self._first_text_at: float | None = None
        self._last_step_at: float | None = None
        """Of the last piece of text, thinking or a call: counts may follow much later."""
        self._steps = 0
        self.request_id: str | None = None
        """The server's name of the call."""

    def show(self, piece: str | Part, on_text: OnText | None, *, streamed: bool = True) -> None:
        """Pass on a piece of the answer; parts beside its text only to who takes them."""
        if isinstance(piece, Part):
            if isinstance(on_text, PieceTaker) and piece.kind in on_text.kinds:
                on_text(piece)
            return
        if not piece:
            return
        if self._first_text_at is None and streamed:
            self._first_text_at = time.perf_counter()
        if on_text is not None:
            on_text(piece)

    def note(self) -> None:
        """Note the moment where something of the answer came since the last one."""
        if self.draft.steps > self._steps:
            self._steps, self._last_step_at = self.draft.steps, time.perf_counter()

    @property
    def holds_something(self) -> bool:
        """Whether anything came that a row of the log should keep, though there is no answer."""
        usage = self.draft.usage.usage()
        counted = usage.input_tokens is not None or usage.output_tokens is not None
        return counted or self.draft.begun or self.draft.finish_reason is not None

    def completion(self, arm: Arm, query: Query, *, started_at: float) -> Completion:
        """Return the answer; tokens that the server did not count are estimated."""
        text = self.draft.text()
        usage = self.draft.usage.usage()
        # A count of zero means that the server did not count.
        return self._completion(
            arm,
            usage,
            text=text,
            input_tokens=usage.input_tokens or query.tokens(),
            output_tokens=usage.output_tokens or text_tokens(text),
            estimated=not (usage.input_tokens and usage.output_tokens),
            started_at=started_at,
        )

    def remains(self, arm: Arm, *, started_at: float) -> Completion:
        """Return what came of a call that failed: nothing of it is estimated."""
        usage = self.draft.usage.usage()
        return self._completion(
            arm,
            usage,
            text="",
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            estimated=False,
            started_at=started_at,
        )

    def _completion(
        self,
        arm: Arm,
        usage: Usage,
        *,
        text: str,
        input_tokens: int | None,
        output_tokens: int | None,
        estimated: bool,
        started_at: float,
    ) -> Completion:
        draft = self.draft
        ended_at = self._last_step_at or time.perf_counter()
        return Completion(
            text=text,
            thinking=draft.thinking(),
            served_model=draft.served_model,
            finish_reason=draft.finish_reason,
            ttft_s=None if self._first_text_at is None else self._first_text_at - started_at,
            response_s=ended_at - started_at,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cached_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            tool_calls=draft.calls.calls(),
            blocks=draft.blocks,
            block_format=draft.block_format,
            request_id=self.request_id,
            system_fingerprint=draft.system_fingerprint,
            logprobs=tuple(draft.logprobs),
            tokens_estimated=estimated,
            cost_usd=call_cost_usd(
                arm,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                cached_tokens=usage.cached_tokens,
                cache_write_tokens=usage.cache_write_tokens,
                reasoning_tokens=usage.reasoning_tokens,
            ),
        )
