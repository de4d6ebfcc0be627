"""Answers of Responses that a later request may go on from by their ids."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from zetaroute.domain import Completion, Message, Query
from zetaroute.errors import UsageError
from zetaroute.log.log import Log
from zetaroute.router.conversations import recorded_until
from zetaroute.serve.answer_facts import outcome_named
from zetaroute.serve.api_errors import ApiError
from zetaroute.serve.request import ChatRequest, Earlier
from zetaroute.wire.doors.responses_door import answer_items, answer_turn
from zetaroute.wire.responses import can_be_sent

MOST_KEPT = 10_000
MOST_CHARACTERS = 50_000_000
"""Of all turns together that are kept in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _KeptAnswer:
    previous: str | None
    turns: tuple[tuple[str, Any], ...]
    items: tuple[Any, ...]
    characters: int
    conversation: str
    tags: tuple[str, ...]
    model: str


class EarlierAnswers:
    """Keeps the last answers with all their turns in memory; of others the log knows the texts."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._kept: OrderedDict[str, _KeptAnswer] = OrderedDict()
        self._characters = 0

    async def of(self, name: str) -> Earlier:
        """Return what was said up to an answer; raise ApiError where it is not known."""
        answer_id = outcome_named(name)
        return self._remembered(answer_id) or await self._recorded(answer_id, name)

    def keep(self, answer_id: str, wanted: ChatRequest, query: Query, done: Completion, model: str) -> None:
        """Keep an answer with the turns of its request."""
        place = f"the answer {answer_id}"
        turns = (*wanted.inbound.turns, (place, answer_turn(done, answer_id)))
        own = wanted.inbound.native["input"] if wanted.inbound.native else ()
        items = (*own, *can_be_sent(answer_items(done, answer_id, wanted.inbound)))
        kept = _KeptAnswer(
            previous=None if wanted.inbound.previous is None else outcome_named(wanted.inbound.previous),
            turns=turns,
            items=items,
            characters=len(str(turns)) + len(str(items)),
            conversation=query.conversation or answer_id,
            tags=query.tags,
            model=model,
        )
        self._kept[answer_id] = kept
        self._characters += kept.characters
        while len(self._kept) > MOST_KEPT or (self._characters > MOST_CHARACTERS and len(self._kept) > 1):
            _, oldest = self._kept.popitem(last=False)
            self._characters -= oldest.characters

    def _remembered(self, answer_id: str) -> Earlier | None:
        last = kept = self._kept.get(answer_id)
        turns, items = list[tuple[str, Any]](), list[Any]()
        while kept is not None and kept.previous is not None:
            turns[:0], items[:0] = kept.turns, kept.items
            kept = self._kept.get(kept.previous)
        if last is None or kept is None:
            return None
        turns[:0], items[:0] = kept.turns, kept.items
        return Earlier(
            conversation=last.conversation,
            turns=tuple(turns),
            items=tuple(items),
            tags=last.tags,
            model=last.model,
        )

    async def _recorded(self, answer_id: str, name: str) -> Earlier:
        try:
            found = await asyncio.to_thread(recorded_until, self._log, answer_id)
        except UsageError:
            found = None
        # Of tools the log has neither the ids of the calls nor what they said.
        if found is None or not found[1].history or any(map(_calls_tools, found[1].history)):
            raise ApiError(
                404,
                f"no answer that can be gone on from has the id {name[:80]!r}: send its turns again.",
                code="previous_response_not_found",
                param="previous_response_id",
            )
        conversation, talk = found
        turns = [
            (f"the answer {answer_id}", {"role": turn.role, "content": turn.content}) for turn in talk.history
        ]
        return Earlier(
            conversation=conversation,
            turns=tuple(turns),
            items=tuple(turn for _, turn in turns),
            tags=talk.tags,
            model=talk.model,
        )


def _calls_tools(turn: Message) -> bool:
    return turn.role == "assistant" and turn.content.startswith('{"tool_calls": [')
