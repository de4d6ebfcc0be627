"""Conversations: going on with one by its name, and which there are."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from zetaroute.domain import Completion, Message, Query, Warm
from zetaroute.errors import StoreBusyError, UsageError
from zetaroute.log.conversation_tags import ConversationTags
from zetaroute.log.log import PATIENCE_S, Log
from zetaroute.log.named_outcomes import ASKED
from zetaroute.log.pseudonyms import hidden
from zetaroute.log.rows import named_rows
from zetaroute.log.views import GIVEN

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_TURNS = f"""
    SELECT query, response, system, model, tags, store IS NOT NULL OR forgotten IS NOT NULL, id FROM outcomes
    WHERE status = 'ok' AND {GIVEN} AND (id = $1 OR conversation = $1)
    -- Of an answer that failed its check and the one that took its place, the latter was given.
    QUALIFY row_number() OVER (PARTITION BY coalesce(fallback_of, id) ORDER BY attempt DESC) = 1
    ORDER BY id
"""
_NAMED = """
    SELECT coalesce(first.conversation, first.id), max(attempt.id) FROM outcomes AS first
    JOIN outcomes AS attempt ON attempt.id = first.id OR attempt.fallback_of = first.id
    WHERE first.id = $1
      AND (first.conversation IS NULL OR first.conversation IN (SELECT id FROM outcomes))
    GROUP BY ALL
"""
_SPOKEN = f"""
    SELECT max_by({{'model': model, 'at_s': epoch(time), 'read_tokens': coalesce(input_tokens, 0),
                    'cached_tokens': cached_tokens, 'written_tokens': cache_write_tokens}}, (time, id))
               FILTER (status = 'ok' AND {GIVEN}),
           count(*) FILTER (status = 'ok' AND {GIVEN}), list_distinct(flatten(list(tags)))
    FROM outcomes WHERE list_contains($1, conversation)
"""
WARM_S = 300.0
"""How long the prompt caches of most servers keep a prefix that is not read again."""
_LISTED = f"""
    WITH turns AS (
        SELECT *, coalesce(conversation, id) AS name FROM outcomes
        WHERE status = 'ok' AND run IS NULL AND {GIVEN}
    )
    SELECT name, count(DISTINCT coalesce(fallback_of, id)) AS turns, max(time)::VARCHAR AS last,
           max_by(model, id) AS model, min_by(query, id) AS first_query, sum(cost_usd) AS cost_usd
    FROM turns GROUP BY name
    HAVING count(DISTINCT coalesce(fallback_of, id)) > 1 OR bool_or(conversation IS NOT NULL)
    ORDER BY max(id) DESC LIMIT ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAnswer:
    """The last answer of a conversation, and what its server counted."""

    model: str
    at_s: float
    """Seconds since the epoch."""
    read_tokens: int = 0
    cached_tokens: int | None = None
    written_tokens: int | None = None
    first: bool = True
    """Whether it was the first of its model, which finds no cache."""

    def warm(self, now_s: float) -> Warm:
        """Return what its server still has in its cache: nothing where it counts no cached tokens."""
        cached, written = self.cached_tokens, self.written_tokens
        writes = written is not None and bool(written or cached)
        if cached is None or now_s - self.at_s > WARM_S:
            return Warm(writes=writes)
        if written is not None:
            return Warm(tokens=cached + written, writes=writes)
        # A cache that needs no words of the client takes all that is read; that shows from the second turn on.
        return Warm(tokens=self.read_tokens if cached or self.first else 0)


def last_answer(done: Completion, model: str, *, before: str | None) -> LastAnswer:
    """Return what there is to remember of an answer of now; `before` is the model of the one before it."""
    return LastAnswer(
        model=model,
        at_s=time.time(),
        read_tokens=done.input_tokens or 0,
        cached_tokens=done.cached_tokens,
        written_tokens=done.cache_write_tokens,
        first=model != before,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What the turns of a conversation until now say of the next one."""

    model: str | None = None
    """The one that answered last; None where no model has."""
    last: LastAnswer | None = None
    tags: tuple[str, ...] = ()
    """Of all turns: what was private in one is sent again with the next."""
    history: tuple[Message, ...] = ()
    """Empty where a client holds the turns and sends them again."""
    system: str | None = None

    def continued(self, query: Query) -> Query:
        """Return the query as the next turn."""
        return replace(
            query,
            history=self.history or query.history,
            system=query.system or self.system,
            tags=tuple(dict.fromkeys((*query.tags, *self.tags))),
        )


def held_elsewhere(log: Log, name: str, *, patience_s: float = PATIENCE_S) -> Conversation:
    """Return what the log says of a conversation whose turns a client holds and sends again.

    Its failed turns count too. Raises StoreBusyError when another process has held the log for `patience_s`.
    """
    # Where texts are not stored, neither are the names that clients give.
    names = [name, hidden(log.home, name)]
    with log.open(patience_s=patience_s) as connection:
        found = connection.execute(_SPOKEN, [names]).fetchone()
    last, answers, tags = found or (None, 0, None)
    known = None if last is None else LastAnswer(**last, first=answers == 1)
    return Conversation(model=known.model if known else None, last=known, tags=tuple(sorted(tags or ())))


def in_conversation(log: Log, query: Query, name: str | None) -> tuple[Query, str | None]:
    """Return the query as the next turn of a conversation, and the model that answered there last.

    `name` is what `--cid` names, an id of the log or any word; None the one that was spoken in last. One without
    turns begins. Raises UsageError when there is none to go on with, or its text was not kept.
    """
    with log.open() as connection:
        # Named as the query names it: what has no UTF-8 form was replaced.
        query = replace(query, conversation=name or last_conversation(connection))
        turns = connection.execute(_TURNS, [query.conversation]).fetchall()
    before = _conversation(turns)
    return before.continued(query), before.model


def recorded_until(log: Log, outcome_id: str) -> tuple[str, Conversation] | None:
    """Return the turns up to an answer, and the name of their conversation, which must be the id of its first row.

    None where the log does not know them. Raises UsageError when their text was not kept.
    """
    with log.open() as connection:
        found = connection.execute(_NAMED, [outcome_id]).fetchone()
        if found is None:
            return None
        name, last = found
        turns = connection.execute(_TURNS, [name]).fetchall()
    return name, _conversation([turn for turn in turns if turn[-1] <= last])


def _conversation(turns: Sequence[tuple[Any, ...]]) -> Conversation:
    if any(gone for *_, gone, _ in turns):
        raise UsageError("that conversation was not kept as text: begin another one.")
    return Conversation(
        model=turns[-1][3] if turns else None,
        tags=tuple(tag for turn in turns for tag in turn[4] or ()),
        history=tuple(
            message
            for asked, answered, *_ in turns
            for message in (
                Message(role="user", content=asked),
                Message(role="assistant", content=answered or ""),
            )
        ),
        system=next((system for _, _, system, *_ in reversed(turns) if system), None),
    )


def last_conversation(connection: DuckDBPyConnection) -> str:
    """Return the name of the conversation that was spoken in last; raise UsageError when there is none."""
    last = connection.execute(
        f"SELECT coalesce(conversation, id) FROM outcomes WHERE {ASKED} ORDER BY id DESC LIMIT 1"
    ).fetchone()
    if last is None:
        raise UsageError("there is no conversation to go on with yet: ask without --continue first.")
    return str(last[0])


def latest_queries(log: Log, *, limit: int) -> list[str]:
    """Return what was asked last by `ask` and `chat`, as far as it is kept as text, oldest first."""
    if not log.home.database.exists() and not log.journal.segments():
        return []
    with log.open() as connection:
        found = connection.execute(
            f"SELECT query FROM outcomes WHERE {ASKED} AND query IS NOT NULL AND store IS NULL "
            "ORDER BY id DESC LIMIT ?",
            [limit],
        ).fetchall()
    return [text for (text,) in reversed(found)]


def list_conversations(log: Log, *, limit: int) -> list[dict[str, Any]]:
    """Return the conversations, the one that was spoken in last first."""
    with log.open() as connection:
        return named_rows(connection.execute(_LISTED, [limit]))


MOST = 10_000
"""Conversations that are remembered; the log knows the others."""
BRIEFLY_S = 0.2
"""How long a turn waits for the log where only the model that goes on hangs on it."""


class Conversations:
    """Remembers the conversations of one process."""

    def __init__(self, log: Log, *, alone: bool, tags_matter: bool = True) -> None:
        """Without `alone`, other processes answer turns too, so that only the log knows the last one.

        Without `tags_matter` no tag of an earlier turn can forbid anything.
        """
        self._log = log
        self._alone = alone
        self._tags_matter = tags_matter
        self._tags = ConversationTags(log.home)
        self._known: OrderedDict[str, Conversation] = OrderedDict()

    async def recall(self, name: str) -> Conversation:
        """Return what is known of a conversation; raise StoreBusyError when the log must tell and others keep it.

        It must where tags matter, for privacy is worth more than an answer; else only the model may change.
        """
        if name not in self._known or not self._alone:
            patience_s = PATIENCE_S if self._tags_matter else BRIEFLY_S
            try:
                told = await asyncio.to_thread(held_elsewhere, self._log, name, patience_s=patience_s)
            except StoreBusyError:
                if self._tags_matter:
                    raise
                return self._known.get(name, Conversation())
            # What was noted here meanwhile, the log may not have yet.
            self._note(name, tags=told.tags)
            if told.last is not None:
                self._keep(name, replace(self._known[name], model=told.model, last=told.last))
        if self._tags_matter:
            # Another process may have had the last turn, and may not have answered it yet.
            self._note(name, tags=await asyncio.to_thread(self._tags.of, name))
        return self._known[name]

    async def tag(self, name: str, tags: tuple[str, ...]) -> None:
        """Take in the tags of a turn that is about to be asked; raise StoreError where they cannot be kept."""
        if self._tags_matter and tags and not set(tags) <= set(self._known.get(name, Conversation()).tags):
            await asyncio.to_thread(self._tags.add, name, tags)
        if tags:
            self._note(name, tags=tags)

    def answered(self, name: str, last: LastAnswer) -> None:
        """Take in the answer to a turn."""
        self._note(name)
        self._keep(name, replace(self._known[name], model=last.model, last=last))

    def _note(self, name: str, *, tags: tuple[str, ...] = ()) -> None:
        known = self._known.get(name, Conversation())
        self._keep(name, replace(known, tags=tuple(dict.fromkeys((*known.tags, *tags)))))

    def _keep(self, name: str, conversation: Conversation) -> None:
        self._known[name] = conversation
        self._known.move_to_end(name)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
