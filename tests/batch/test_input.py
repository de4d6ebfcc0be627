"""Reading what a batch is made of never stops at a line, whatever its bytes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings, strategies as st

from zetaroute.batch.input import Row, open_rows
from zetaroute.config import Settings
from zetaroute.domain import Query
from zetaroute.files.line_source import BadLine
from zetaroute.grading.graders import Graders

KEYS = st.sampled_from(
    [
        "query",
        "reference",
        "grader",
        "task",
        "system",
        "custom_id",
        "choices",
        "metric",
        "ground_truth",
        "body",
        "messages",
        "role",
        "content",
        "text",
        "type",
    ]
)
WORDS = st.sampled_from(
    ["regex", "number", "choice", "json", "exact", "f1", "user", "system", "(", "{}", "", "A", "1/0"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=10)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
MESSAGES = st.lists(st.fixed_dictionaries({"role": WORDS, "content": VALUES}) | VALUES, max_size=3)
ROWS = st.dictionaries(KEYS, VALUES, max_size=6) | st.fixed_dictionaries(
    {"body": st.fixed_dictionaries({"messages": MESSAGES})}
)


def read(lines: list[bytes]) -> list[Query | BadLine]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "q.jsonl"
        file.write_bytes(b"\n".join(lines))
        with open_rows(str(file), graders=Graders(Settings(arms=()))) as opened:
            return [row.query if isinstance(row, Row) else row for row in opened.rows]


@given(lines=st.lists(st.binary(max_size=60).filter(lambda line: b"\n" not in line), max_size=6))
def test_any_bytes_are_a_query_or_a_bad_line(lines: list[bytes]) -> None:
    # The first bytes of a file may say that it is packed, so what is drawn comes after a plain line.
    found = read([b'{"query": "the first"}', *lines, b'{"query": "the last"}'])
    assert isinstance(found[-1], Query)
    assert found[-1].text == "the last"
    assert all(1 < bad.line < len(lines) + 2 and bad.error for bad in found if isinstance(bad, BadLine))


@settings(max_examples=80)
@given(rows=st.lists(ROWS, max_size=5))
def test_any_json_is_a_query_or_a_bad_line(rows: list[object]) -> None:
    found = read([json.dumps(row).encode() for row in rows])
    assert len(found) == len(rows)
    assert all(query.text.strip() and query.custom_id for query in found if isinstance(query, Query))


@given(text=st.text(min_size=1).filter(str.strip), task=st.none() | st.text(min_size=1))
def test_a_written_row_is_read_as_it_was(text: str, task: str | None) -> None:
    (query,) = read([json.dumps({"query": text, "task": task, "custom_id": "a"}).encode()])
    assert isinstance(query, Query)
    assert (query.text, query.task, query.custom_id) == (text, task, "a")


def test_equal_rows_get_equal_ids_and_other_rows_others() -> None:
    rows = [{"query": "a"}, {"query": "a"}, {"query": "b"}, {"query": "a", "system": "s"}]
    ids = [
        query.custom_id
        for query in read([json.dumps(row).encode() for row in rows])
        if isinstance(query, Query)
    ]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_a_line_with_tools_is_for_models_that_take_them() -> None:
    body = {"messages": [{"role": "user", "content": "a"}]}
    tools = [{"type": "function", "function": {"name": "f"}}]
    bodies = [body, {**body, "tools": tools}, {**body, "tools": tools, "seed": 1}]
    queries = read([json.dumps({"body": one}).encode() for one in bodies])
    found = [query.wire_formats for query in queries if isinstance(query, Query)]
    assert found == [(), ("openai", "anthropic", "responses"), ("openai",)]
