"""Conversations: going on with one by its name, and which there are.

Apart from asking, which knows a conversation only as turns in front of a query.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from zetaroute.domain import Message, Query
from zetaroute.errors import UsageError
from zetaroute.store.log import PATIENCE_S, Log
from zetaroute.store.protect import hidden

_TURNS = """
    SELECT query, response, system, model, tags, store IS NOT NULL OR forgotten IS NOT NULL FROM outcomes
    WHERE status = 'ok' AND (id = $1 OR conversation = $1)
    -- Of an answer that failed its check and the one that took its place, the latter was given.
    QUALIFY row_number() OVER (PARTITION BY coalesce(fallback_of, id) ORDER BY attempt DESC) = 1
    ORDER BY id
"""
_SPOKEN = """
    SELECT max_by(model, (time, id)) FILTER (status = 'ok'), list_distinct(flatten(list(tags)))
    FROM outcomes WHERE list_contains($1, conversation)
"""
_LISTED = """
    WITH turns AS (
        SELECT *, coalesce(conversation, id) AS name FROM outcomes WHERE status = 'ok' AND run IS NULL
    )
    SELECT name, count(DISTINCT coalesce(fallback_of, id)) AS turns, max(time)::VARCHAR AS last,
           max_by(model, id) AS model, min_by(query, id) AS first_query, sum(cost_usd) AS cost_usd
    FROM turns GROUP BY name
    HAVING count(DISTINCT coalesce(fallback_of, id)) > 1 OR bool_or(conversation IS NOT NULL)
    ORDER BY max(id) DESC LIMIT ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What the turns of a conversation until now say of the next one."""

    model: str | None = None
    """The one that answered last; None where nobody has."""
    tags: tuple[str, ...] = ()
    """Of all turns, the failed ones too: what was private in one is sent again with the next."""


def spoken_in(log: Log, name: str, *, patience_s: float = PATIENCE_S) -> Spoken:
    """Return what the log says of a conversation whose turns are sent again by whoever holds it.

    Raises StoreBusyError when another process has held the log for `patience_s`.
    """
    # Where texts are not stored, neither are the names that clients give.
    names = [name, hidden(log.home, name)]
    with log.open(patience_s=patience_s) as connection:
        found = connection.execute(_SPOKEN, [names]).fetchone()
    model, tags = found or (None, None)
    return Spoken(model=model, tags=tuple(sorted(tags or ())))


def in_conversation(log: Log, query: Query, name: str) -> tuple[Query, str | None]:
    """Return `query` with the turns and tags of a conversation, and the model that answered there last.

    `name` is what `--cid` names: an id of the log, or any word; a new one begins a conversation, without a model.
    Raises UsageError when its text was not kept.
    """
    query = replace(query, conversation=name)
    with log.open() as connection:
        turns = connection.execute(_TURNS, [query.conversation]).fetchall()
    if any(gone for *_, gone in turns):
        raise UsageError("that conversation was not kept as text: begin another one.")
    history = tuple(
        message
        for asked, answered, *_ in turns
        for message in (
            Message(role="user", content=asked),
            Message(role="assistant", content=answered or ""),
        )
    )
    system = query.system or next((system for _, _, system, *_ in reversed(turns) if system), None)
    # What was private in an earlier turn is sent again with this one.
    tags = tuple(dict.fromkeys([*query.tags, *(tag for turn in turns for tag in turn[4] or ())]))
    continued = replace(query, history=history, system=system, tags=tags)
    return continued, turns[-1][3] if turns else None


def last_conversation(log: Log) -> str:
    """Return the name of the conversation that was spoken in last; raise UsageError when there is none."""
    with log.open() as connection:
        last = connection.execute(
            "SELECT coalesce(conversation, id) FROM outcomes WHERE status = 'ok' AND run IS NULL "
            "ORDER BY id DESC LIMIT 1"
        ).fetchone()
    if last is None:
        raise UsageError("there is no conversation to go on with yet: ask without --continue first.")
    return str(last[0])


def list_conversations(log: Log, *, limit: int) -> list[dict[str, Any]]:
    """Return the conversations, the one that was spoken in last first."""
    with log.open() as connection:
        found = connection.execute(_LISTED, [limit])
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
