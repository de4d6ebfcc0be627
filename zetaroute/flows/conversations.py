"""Conversations: going on with one by its name, and which there are.

Apart from asking, which knows a conversation only as turns in front of a query.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from zetaroute.domain import Message, Query
from zetaroute.store.log import Log

_TURNS = """
    SELECT query, response, system, model FROM outcomes
    WHERE status = 'ok' AND (id = $1 OR conversation = $1) ORDER BY id
"""
_LISTED = """
    WITH turns AS (
        SELECT *, coalesce(conversation, id) AS name FROM outcomes WHERE status = 'ok' AND run IS NULL
    )
    SELECT name, count(*) AS turns, max(time)::VARCHAR AS last, max_by(model, id) AS model,
           min_by(query, id) AS first_query, sum(cost_usd) AS cost_usd
    FROM turns GROUP BY name
    HAVING count(*) > 1 OR bool_or(conversation IS NOT NULL)
    ORDER BY max(id) DESC LIMIT ?
"""


def in_conversation(log: Log, query: Query, name: str) -> tuple[Query, str | None]:
    """Return `query` with the turns of a conversation in front of it, and the model that answered there last.

    `name` is what `--cid` names: an id of the log, or any word; a new one begins a conversation, without a model.
    """
    with log.open() as connection:
        turns = connection.execute(_TURNS, [name]).fetchall()
    history = tuple(
        message
        for asked, answered, *_ in turns
        for message in (
            Message(role="user", content=asked),
            Message(role="assistant", content=answered or ""),
        )
    )
    system = query.system or next((system for _, _, system, _ in reversed(turns) if system), None)
    continued = replace(query, conversation=name, history=history, system=system)
    return continued, turns[-1][3] if turns else None


def list_conversations(log: Log, *, limit: int) -> list[dict[str, Any]]:
    """Return the conversations, the one that was spoken in last first."""
    with log.open() as connection:
        found = connection.execute(_LISTED, [limit])
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
