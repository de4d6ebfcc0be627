"""Forget queries: their texts go from everywhere they are known to be, their numbers stay.

The log comes last, because it alone knows the texts: whatever is interrupted before can be done again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zetaroute.errors import StoreError, UsageError
from zetaroute.forget.artifacts import orphaned, redact, without_words, words_of
from zetaroute.forget.database import rewrite
from zetaroute.forget.exports import blank_export
from zetaroute.forget.outputs import blank_lines, drop_entries, still_holding
from zetaroute.log.conversation_tags import ConversationTags
from zetaroute.log.log import Log
from zetaroute.log.named_outcomes import one_of, outcomes_named
from zetaroute.log.open_decisions import forget_open
from zetaroute.registry import Registry

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_TEXTS = ("query", "system", "reference", "response", "thinking", "error", "custom_id")
_SAME = """
    SELECT id FROM outcomes WHERE forgotten IS NULL AND id NOT IN (FROM chosen)
    AND query IN (SELECT query FROM outcomes WHERE id IN (FROM chosen)) ORDER BY id
"""

_REASONED = """
    SELECT table_name FROM information_schema.tables
    WHERE table_schema = 'main' AND table_name IN ('promotions', 'contests', 'canaries')
"""
"""The tables that tell reasons; files of older versions may have one more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which outcomes are to be forgotten, and what is known of their texts."""

    ids: tuple[str, ...]
    """With every attempt at the same query."""
    already: int
    """How many of them were forgotten before."""
    queries: tuple[str, ...]
    texts: tuple[str, ...]
    """Everything that only these rows hold."""
    same: tuple[str, ...]
    """Other outcomes that ask the very same."""
    conversation: str | None = None
    before: str | None = None
    """How they were named, where it was not by their ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What was done, and what a person has to look at."""

    rows: int
    already: int
    versions: tuple[str, ...]
    """Policy versions in which words were blotted out."""
    rewritten: tuple[str, ...]
    """Outputs whose lines were blanked."""
    still: tuple[str, ...]
    """Files that hold a text of these rows and were not touched."""
    missing: tuple[str, ...]
    """Outputs that are not where they were written."""
    same: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        """Return the JSON of the command."""
        return {
            "rows": self.rows,
            "already_forgotten": self.already,
            "versions": list(self.versions),
            "rewritten": list(self.rewritten),
            "still": list(self.still),
            "missing": list(self.missing),
            "same_query": list(self.same),
        }


def choose(
    log: Log, *, ids: Sequence[str] = (), conversation: str | None = None, before: str | None = None
) -> Chosen:
    """Return what would be forgotten: the outcomes named, those of a conversation, those older than a moment (UTC).

    Raises UsageError when nothing is named, or an id or conversation that the log does not know.
    """
    if not ids and conversation is None and before is None:
        raise UsageError("nothing is named: give ids, --conversation ID or --before WHEN.")
    with log.open() as connection:
        found = outcomes_named(connection, ids) if ids else {}
        ids = [one_of(found.get(one, []), one) for one in ids]
        connection.execute(
            """
            CREATE OR REPLACE TEMP TABLE chosen AS
            WITH named AS (
                SELECT coalesce(fallback_of, id) AS first FROM outcomes
                WHERE list_contains($ids::VARCHAR[], id) OR conversation = $conversation
                   OR id = $conversation OR time < $before::TIMESTAMP
            )
            SELECT id FROM outcomes WHERE coalesce(fallback_of, id) IN (SELECT first FROM named)
            """,
            {"ids": list(ids), "conversation": conversation, "before": before},
        )
        chosen = replace(_chosen(connection), conversation=conversation, before=before)
    if conversation is not None and not chosen.ids:
        raise UsageError(f"no conversation is called {conversation!r}: it is the id of its first outcome.")
    return chosen


def _chosen(connection: DuckDBPyConnection) -> Chosen:
    mine = "FROM outcomes WHERE id IN (FROM chosen)"
    rows = connection.execute(f"SELECT id, forgotten IS NOT NULL, query, store {mine} ORDER BY id").fetchall()
    texts: set[str] = set()
    for column in _TEXTS:
        found = connection.execute(
            f"SELECT {column} {mine} AND store IS NULL EXCEPT SELECT {column} FROM outcomes "
            "WHERE id NOT IN (FROM chosen)"
        ).fetchall()
        texts |= {text for (text,) in found if text}
    for statement in (
        "SELECT comment FROM feedback WHERE outcome_id IN (FROM chosen)",
        f"SELECT unnest(attachments).name {mine}",
    ):
        texts |= {text for (text,) in connection.execute(statement).fetchall() if text}
    return Chosen(
        ids=tuple(row[0] for row in rows),
        already=sum(row[1] for row in rows),
        queries=tuple(query for *_, query, store in rows if query is not None and store is None),
        texts=tuple(sorted(texts)),
        same=tuple(one for (one,) in connection.execute(_SAME).fetchall()),
    )


def forget(log: Log, chosen: Chosen) -> Forgotten:
    """Erase the texts of the chosen outcomes; their numbers, grades and decisions stay.

    Interrupted at any moment, it can be run again. Raises StoreError when a file cannot be written.
    """
    registry, ids = Registry(log.home.artifacts), set(chosen.ids)
    with log.open() as connection:
        exports = [
            Path(path) for (path,) in connection.execute("SELECT DISTINCT path FROM exports").fetchall()
        ]
        tables = {name for (name,) in connection.execute(_REASONED).fetchall()}
        told = " UNION ".join(f"SELECT reason FROM {table}" for table in sorted(tables))
        reasons = {reason for (reason,) in connection.execute(told).fetchall()}
        named = "SELECT DISTINCT segment FROM outcomes WHERE segment IS NOT NULL"
        segments = {segment for (segment,) in connection.execute(named).fetchall()}
    gone = orphaned(chosen.queries, _remaining(log, ids), words_of(registry, reasons | segments))
    versions = tuple(version for version in registry.versions() if redact(registry, version, gone))
    rewritten: list[str] = []
    here = [path for path in exports if path.is_file()]
    try:
        rewritten = [str(path) for path in here if blank_export(path, ids) or blank_lines(path, ids)]
        drop_entries(log.home.journal / "damaged", ids)
    except OSError as error:
        raise StoreError(
            f"cannot take the texts out of {error.filename} ({error.strerror}): make it writable, or remove it, and "
            "forget again."
        ) from error
    still = still_holding(log.home, here, chosen.texts, ids)
    changed = {reason: without_words(reason, gone) for reason in reasons if reason}
    telling = {segment for segment in segments if without_words(segment, gone) != segment}
    rewrite(log, chosen.ids, {old: new for old, new in changed.items() if old != new}, segments=telling)
    # Only now: a retrain that read the rows before may have kept what it made of them until here.
    log.home.drop_retrain_cache()
    ConversationTags(log.home).forget(chosen.conversation, chosen.before)
    forget_open(log.home, chosen.conversation, chosen.before)
    return Forgotten(
        rows=len(chosen.ids),
        already=chosen.already,
        versions=versions,
        rewritten=tuple(rewritten),
        still=tuple(map(str, still)),
        missing=tuple(str(path) for path in exports if not path.exists()),
        same=chosen.same,
    )


def _remaining(log: Log, ids: set[str]) -> list[str]:
    """Return the distinct queries of all other rows that can be read."""
    with log.open() as connection:
        found = connection.execute(
            "SELECT DISTINCT query FROM outcomes WHERE query IS NOT NULL AND store IS NULL "
            "AND NOT list_contains(?::VARCHAR[], id)",
            [list(ids)],
        ).fetchall()
    return [text for (text,) in found]
