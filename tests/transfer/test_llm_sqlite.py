"""The log of the llm command, written here as its versions write it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from zetaroute.errors import UsageError
from zetaroute.files.line_source import BadLine
from zetaroute.transfer.imported_row import ImportedRow
from zetaroute.transfer.llm_sqlite import read_llm_cli

OLDER = """
    CREATE TABLE conversations (id TEXT PRIMARY KEY, name TEXT, model TEXT);
    CREATE TABLE responses (
        id TEXT PRIMARY KEY, model TEXT, prompt TEXT, system TEXT, prompt_json TEXT, options_json TEXT,
        response TEXT, response_json TEXT, conversation_id TEXT REFERENCES conversations (id),
        duration_ms INTEGER, datetime_utc TEXT
    );
"""
USAGE = """
    ALTER TABLE responses ADD COLUMN input_tokens INTEGER;
    ALTER TABLE responses ADD COLUMN output_tokens INTEGER;
    ALTER TABLE responses ADD COLUMN token_details TEXT;
    ALTER TABLE responses ADD COLUMN resolved_model TEXT;
"""
FRAGMENTS = """
    CREATE TABLE fragments (id INTEGER PRIMARY KEY, hash TEXT, content TEXT);
    CREATE TABLE prompt_fragments (response_id TEXT, fragment_id INTEGER, "order" INTEGER);
    CREATE TABLE system_fragments (response_id TEXT, fragment_id INTEGER, "order" INTEGER);
"""
NEWER = """
    CREATE TABLE fragments (id INTEGER PRIMARY KEY, hash TEXT, content TEXT);
    CREATE TABLE messages (hash TEXT PRIMARY KEY, parent_hash TEXT, role TEXT, provider_metadata TEXT);
    CREATE TABLE parts (
        id INTEGER PRIMARY KEY, message_hash TEXT, position INTEGER, type TEXT, tool_name TEXT, text TEXT,
        payload TEXT
    );
    CREATE TABLE turns (
        id TEXT PRIMARY KEY, thread_id TEXT, parent_message_hash TEXT, tip_message_hash TEXT, model TEXT,
        resolved_model TEXT, options_json TEXT, schema_id TEXT, input_tokens INTEGER, output_tokens INTEGER,
        token_details TEXT, duration_ms INTEGER, datetime_utc TEXT, response_json TEXT
    );
"""


def made(path: Path, *scripts: str, **tables: list[tuple[object, ...]]) -> Path:
    """Write a database of these tables with these rows."""
    with closing(sqlite3.connect(path)) as connection:
        for script in scripts:
            connection.executescript(script)
        for table, rows in tables.items():
            for row in rows:
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)
        connection.commit()
    return path


def response(key: str, prompt: str | None, answer: str | None, talk: str = "t0") -> tuple[object, ...]:
    """Return a row of the oldest layout."""
    return (key, "m", prompt, "be brief", None, None, answer, None, talk, 1500, "2024-03-01T12:00:00+02:00")


def read(path: Path) -> tuple[list[ImportedRow], list[BadLine]]:
    found = list(read_llm_cli(str(path), {}))
    return [row for row in found if isinstance(row, ImportedRow)], [
        row for row in found if isinstance(row, BadLine)
    ]


def test_the_oldest_layout_has_no_tokens(tmp_path: Path) -> None:
    path = made(tmp_path / "logs.db", OLDER, responses=[response("01a", "2 + 2?", "4", "t0")])
    (row,), bad = read(path)
    assert bad == []
    assert (row.query.text, row.query.system, row.query.custom_id) == ("2 + 2?", "be brief", "01a")
    assert (row.model, row.response, row.response_s) == ("m", "4", 1.5)
    assert row.time == "2024-03-01T10:00:00.000000"
    assert (row.input_tokens, row.output_tokens, row.query.conversation) == (None, None, None)


def test_usage_fragments_and_conversations_are_read_where_they_are(tmp_path: Path) -> None:
    usage = (7, 9, None, "m-2024-05-13")
    path = made(
        tmp_path / "logs.db",
        OLDER,
        USAGE,
        FRAGMENTS,
        responses=[
            (*response("01a", "asked", "one", "t1"), *usage),
            (*response("01b", "more", "two", "t1"), *usage),
            (*response("01c", "alone", "three", "t2"), *usage),
        ],
        fragments=[(1, "h1", "first"), (2, "h2", "second"), (3, "h3", "rule")],
        prompt_fragments=[("01a", 2, 1), ("01a", 1, 0)],
        system_fragments=[("01a", 3, 0)],
    )
    rows, _ = read(path)
    assert [row.query.text for row in rows] == ["first\nsecond\nasked", "more", "alone"]
    assert [row.query.system for row in rows] == ["rule\nbe brief", "be brief", "be brief"]
    assert [row.query.conversation for row in rows] == ["t1", "t1", None]
    assert {(row.input_tokens, row.output_tokens, row.served_model) for row in rows} == {
        (7, 9, "m-2024-05-13")
    }


def test_rows_without_prompt_or_answer_are_told(tmp_path: Path) -> None:
    path = made(
        tmp_path / "logs.db",
        OLDER,
        responses=[response("01a", None, "x"), response("01b", "x", ""), response("01c", "q", "a")],
    )
    rows, bad = read(path)
    assert [(one.line, one.error) for one in bad] == [
        (1, "has no prompt of a person"),
        (2, "holds no answer"),
    ]
    assert [row.line for row in rows] == [3]


def test_the_newer_layout_is_a_tree_of_messages(tmp_path: Path) -> None:
    ref = json.dumps({"text_ref": [{"fragment": 1}, {"literal": "\nand this"}]})
    path = made(
        tmp_path / "logs.db",
        NEWER,
        fragments=[(1, "h", "borrowed")],
        messages=[
            ("s", None, "system", None),
            ("u1", "s", "user", None),
            ("a1", "u1", "assistant", None),
            ("u2", "a1", "user", None),
            ("call", "u2", "assistant", None),
            ("tool", "call", "tool", None),
            ("a2", "tool", "assistant", None),
        ],
        parts=[
            (1, "s", 0, "text", None, "be brief", None),
            (2, "u1", 0, "text", None, None, ref),
            (3, "a1", 0, "reasoning", None, "hm", None),
            (4, "a1", 1, "text", None, "one", None),
            (5, "u2", 0, "text", None, "again", None),
            (6, "call", 0, "tool_call", "clock", None, "{}"),
            (7, "tool", 0, "tool_result", "clock", None, "{}"),
            (8, "a2", 0, "text", None, "two", None),
        ],
        turns=[
            ("01a", "t", "u1", "a1", "m", None, None, None, 3, 4, None, 250, "2026-01-02T00:00:00", None),
            ("01b", "t", "u2", "call", "m", None, None, None, 3, 4, None, 250, "2026-01-02T00:00:01", None),
            ("01c", "t", "tool", "a2", "m", None, None, None, 3, 4, None, 250, "2026-01-02T00:00:02", None),
        ],
    )
    (row,), bad = read(path)
    assert (row.query.text, row.query.system, row.response) == ("borrowed\nand this", "be brief", "one")
    assert (row.query.conversation, row.input_tokens, row.output_tokens) == ("t", 3, 4)
    # A turn that only calls a tool, and one that answers a tool, are no answers to a query.
    assert [one.error for one in bad] == ["holds no answer", "has no prompt of a person"]


def test_a_file_of_both_layouts_brings_both(tmp_path: Path) -> None:
    path = made(
        tmp_path / "logs.db",
        OLDER,
        NEWER,
        responses=[response("01a", "old", "1")],
        messages=[("u", None, "user", None), ("a", "u", "assistant", None)],
        parts=[(1, "u", 0, "text", None, "new", None), (2, "a", 0, "text", None, "2", None)],
        turns=[("01b", "t", "u", "a", "m", None, None, None, 1, 1, None, 1, "2026-01-02T00:00:00", None)],
    )
    rows, _ = read(path)
    assert [(row.line, row.query.text) for row in rows] == [(1, "old"), (2, "new")]


@pytest.mark.parametrize("kind", ["other", "damaged"])
def test_another_database_is_refused(tmp_path: Path, kind: str) -> None:
    path = made(tmp_path / "x.db", "CREATE TABLE a (b TEXT);")
    if kind == "damaged":
        path.write_bytes(path.read_bytes()[:40] + b"nonsense" * 200)
    with pytest.raises(UsageError, match=r"no log of the llm command|cannot be read as SQLite"):
        read(path)
