"""Read the SQLite log of the `llm` command, in both of its layouts.

In older versions a prompt and its answer stood in one row of `responses`; newer ones keep `turns` over a tree of
`messages`. One file may hold both, the older history beside the new. It is opened read-only, and what a column of
its version does not say is not known.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

from zetaroute.domain import Query
from zetaroute.errors import UsageError
from zetaroute.files.line_source import BadLine
from zetaroute.transfer.imported_row import ImportedRow, count_in, moment_in, number_in, text_in

MARK = b"SQLite format 3\0"
_NEEDED = {
    "responses": {"id", "model", "prompt", "response"},
    "turns": {"id", "model", "parent_message_hash", "tip_message_hash"},
}
_FIGURES = ("id", "model", "resolved_model", "duration_ms", "datetime_utc", "input_tokens", "output_tokens")
_TEXTS = ("prompt", "system", "response", "conversation_id")
_LONGEST_TALK = 10_000
"""Messages; a tree that goes deeper is a circle."""


def read_llm_cli(name: str, asked: Mapping[str, Query]) -> Iterator[ImportedRow | BadLine]:
    """Yield what was asked, oldest first; raises UsageError for a file that is no such log, or is damaged.

    The log holds its queries, so `asked` adds nothing.
    """
    path = Path(name)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            columns = {table: _columns(connection, table) for table in _NEEDED}
            layouts = [table for table, needed in _NEEDED.items() if needed <= columns[table]]
            if not layouts:
                raise UsageError(
                    f"{path} is no log of the llm command: name the file that `llm logs path` prints."
                )
            both = {"responses": _responses, "turns": _turns}
            told = chain.from_iterable(both[layout](connection, columns[layout]) for layout in layouts)
            for number, row in enumerate(told, start=1):
                yield _row(row, number)
    except sqlite3.Error as error:
        raise UsageError(
            f"{path} cannot be read as SQLite ({error}): fix it, or name another file."
        ) from error


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {str(row["name"]) for row in connection.execute(f"PRAGMA table_info({table})")}


def _row(told: Mapping[str, Any], number: int) -> ImportedRow | BadLine:
    try:
        text, model, response = (text_in(told, name) for name in ("prompt", "model", "response"))
        if not text or not text.strip():
            raise UsageError("has no prompt of a person")
        if not model or not response:
            raise UsageError("holds no answer")
        waited_ms = number_in(told, "duration_ms")
        return ImportedRow(
            line=number,
            query=Query(
                text=text,
                system=text_in(told, "system") or None,
                conversation=text_in(told, "conversation_id"),
                custom_id=text_in(told, "id"),
            ),
            model=model,
            response=response,
            key=text_in(told, "id"),
            time=moment_in(told, "datetime_utc"),
            served_model=text_in(told, "resolved_model"),
            response_s=None if waited_ms is None else waited_ms / 1000,
            input_tokens=count_in(told, "input_tokens"),
            output_tokens=count_in(told, "output_tokens"),
        )
    except UsageError as error:
        return BadLine(line=number, error=str(error))


def _responses(connection: sqlite3.Connection, there: set[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of the older layout, fragments put before the text as they were sent."""
    talks = _talks(connection, "responses", "conversation_id") if "conversation_id" in there else set()
    kinds = [kind for kind in ("prompt", "system") if _columns(connection, f"{kind}_fragments")]
    columns = [name for name in (*_FIGURES, *_TEXTS) if name in there]
    for row in connection.execute(f"SELECT {', '.join(columns)} FROM responses ORDER BY id"):
        told = dict(row)
        for kind in kinds:
            pieces = connection.execute(
                f"SELECT content FROM {kind}_fragments AS used JOIN fragments ON fragments.id = fragment_id "
                'WHERE response_id = ? ORDER BY used."order"',
                [told["id"]],
            )
            texts = [text for (text,) in pieces] + [told.get(kind)]
            told[kind] = "\n".join(str(text) for text in texts if text)
        if told.get("conversation_id") not in talks:
            told["conversation_id"] = None
        yield told


def _turns(connection: sqlite3.Connection, there: set[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of the newer layout: what a turn was asked and answered stands in the tree of messages."""
    talks = _talks(connection, "turns", "thread_id") if "thread_id" in there else set()
    columns = [name for name in (*_FIGURES, "thread_id") if name in there]
    columns += ["parent_message_hash AS asked", "tip_message_hash AS answered"]
    for row in connection.execute(f"SELECT {', '.join(columns)} FROM turns ORDER BY id"):
        told = dict(row)
        before = list(_path(connection, told["asked"], until=None))
        after = list(_path(connection, told["answered"], until=told["asked"]))
        if before and before[0][1] == "user":
            told["prompt"] = _text(connection, before[0][0])
        told["system"] = next((_text(connection, one) for one, role in before if role == "system"), None)
        spoken = [_text(connection, one) for one, role in reversed(after) if role == "assistant"]
        told["response"] = "".join(spoken)
        told["conversation_id"] = told["thread_id"] if told.get("thread_id") in talks else None
        yield told


def _talks(connection: sqlite3.Connection, table: str, column: str) -> set[str]:
    """Return the conversations of more than one turn: every single prompt has one of its own too."""
    found = connection.execute(
        f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL GROUP BY 1 HAVING count(*) > 1"
    )
    return {str(conversation) for (conversation,) in found}


def _path(
    connection: sqlite3.Connection, message: str | None, *, until: str | None
) -> Iterator[tuple[str, str]]:
    """Yield a message and those before it, up to `until`, each with its role."""
    for _ in range(_LONGEST_TALK):
        if message is None or message == until:
            return
        found = connection.execute(
            "SELECT role, parent_hash FROM messages WHERE hash = ?", [message]
        ).fetchone()
        if found is None:
            return
        yield message, str(found["role"])
        message = found["parent_hash"]


def _text(connection: sqlite3.Connection, message: str) -> str:
    """Return the text of a message; a piece that borrows from fragments lists what it is made of."""
    parts = connection.execute(
        "SELECT text, payload FROM parts WHERE message_hash = ? AND type = 'text' ORDER BY position",
        [message],
    )
    return "".join(text if text is not None else _borrowed(connection, payload) for text, payload in parts)


def _borrowed(connection: sqlite3.Connection, payload: str | None) -> str:
    try:
        pieces = json.loads(payload or "{}")["text_ref"]
        return "".join(
            str(piece["literal"]) if "literal" in piece else _fragment(connection, piece["fragment"])
            for piece in pieces
        )
    except (ValueError, KeyError, TypeError):
        return ""


def _fragment(connection: sqlite3.Connection, fragment: object) -> str:
    found = connection.execute("SELECT content FROM fragments WHERE id = ?", [fragment]).fetchone()
    return "" if found is None else str(found[0])
