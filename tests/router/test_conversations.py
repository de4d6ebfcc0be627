"""What was private in one turn is so in the next, whichever process has it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from zetaroute.domain import Warm
from zetaroute.errors import StoreError
from zetaroute.log.log import Log
from zetaroute.router.conversations import Conversations, LastAnswer


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


@pytest.mark.parametrize(
    ("counts", "warm"),
    [
        ({}, Warm()),
        # A cache that takes what it reads shows from the second turn on.
        ({"cached_tokens": 0}, Warm(tokens=900)),
        ({"cached_tokens": 0, "first": False}, Warm()),
        ({"cached_tokens": 512, "first": False}, Warm(tokens=900)),
        # One that the client writes into counts what it was given.
        ({"cached_tokens": 0, "written_tokens": 0}, Warm()),
        ({"cached_tokens": 100, "written_tokens": 300}, Warm(tokens=400, writes=True)),
        ({"cached_tokens": 512, "at_s": 100.0}, Warm()),
    ],
)
def test_what_is_warm_is_what_the_server_counts(counts: dict[str, Any], warm: Warm) -> None:
    last = LastAnswer(**{"model": "a/m", "at_s": 1000.0, "read_tokens": 900, **counts})
    assert last.warm(1200.0) == warm
