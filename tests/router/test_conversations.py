"""What was private in one turn is so in the next, whichever process has it."""

from __future__ import annotations

import asyncio

import pytest

from zetaroute.errors import StoreError
from zetaroute.log.log import Log
from zetaroute.router.conversations import Conversations


def test_tags_are_known_to_other_processes_before_a_turn_is_answered(home):
    one, other = (Conversations(Log(home), alone=True) for _ in range(2))

    async def turns() -> list[tuple[str, ...]]:
        # Both know the conversation before it becomes private.
        before = [(await known.recall("c")).tags for known in (one, other)]
        await one.tag("c", ("private", "../odd"))
        return [*before, (await other.recall("c")).tags, (await other.recall("another")).tags]

    assert asyncio.run(turns()) == [(), (), ("../odd", "private"), ()]
    # No row was written: the turn may have been refused.
    assert Log(home).journal.segments() == []
    assert not [file for file in home.conversations.rglob("*") if file.is_file() and "private" in file.name]


def test_tags_that_cannot_be_kept_are_told_before_anything_is_sent(home):
    home.make()
    home.conversations.write_text("no folder")
    with pytest.raises(StoreError, match="tags of a conversation"):
        asyncio.run(Conversations(Log(home), alone=True).tag("c", ("private",)))
