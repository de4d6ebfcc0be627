"""Lines of a file: JSON objects, and why others are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from zetaroute.errors import UsageError
from zetaroute.files.line_source import LONGEST_LINE, BadLine, LineSource, json_object


def test_objects_are_numbered_and_bad_lines_named(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(
        b'\xef\xbb\xbf{"a": 1}\n\n \t\n[1]\n{"b"\n\xff\n' + b"[" * 100_000 + b'\n{"c": "\xc3\xa9"}'
    )
    with LineSource(str(path)) as source:
        found = dict(source.objects())
    assert found[1] == {"a": 1}
    assert found[8] == {"c": "é"}
    assert sorted(found) == [1, 4, 5, 6, 7, 8]
    errors = {number: one.error for number, one in found.items() if isinstance(one, BadLine)}
    assert errors[4] == "must be a JSON object"
    assert errors[5].startswith("is not JSON: Expecting ':' delimiter")
    assert errors[6] == "is not UTF-8 text"
    assert errors[7].startswith("is not JSON: ")


def test_a_line_that_was_too_long_is_told() -> None:
    assert json_object(None, 3) == BadLine(line=3, error=f"is longer than {LONGEST_LINE // 2**20} MiB")


def test_a_byte_order_mark_counts_at_the_beginning_alone(tmp_path: Path) -> None:
    line = b'\xef\xbb\xbf{"a": 1}\n'
    (tmp_path / "rows.jsonl").write_bytes(line * 2)
    with LineSource(str(tmp_path / "rows.jsonl")) as source:
        (_, first), (_, second) = source.objects()
    assert first == {"a": 1}
    assert isinstance(second, BadLine)


def test_utf_16_is_told_in_words(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n', encoding="utf-16")
    with LineSource(str(path)) as source, pytest.raises(UsageError, match="UTF-16 text: save it as UTF-8"):
        list(source.objects())


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("rows.json", '[{"query": "a"}]', "is one JSON array, not JSON lines"),
        ("rows.json", '[\n{"query": "a"}\n]', "is one JSON array, not JSON lines"),
        ("rows.csv", "a,b\n1,2\n", "is CSV, not JSON lines"),
        ("rows.txt", '"Query";"reference"\n1;2\n', "is CSV, not JSON lines"),
    ],
)
def test_what_is_no_json_lines_is_named(tmp_path: Path, name: str, content: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with LineSource(str(path)) as source, pytest.raises(UsageError, match=said):
        list(source.objects())


def test_a_first_line_that_is_only_bad_stops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('hello, world\n{"a": 1}\n', encoding="utf-8")
    with LineSource(str(path)) as source:
        (number, bad), (_, good) = source.objects()
    assert (number, isinstance(bad, BadLine), good) == (1, True, {"a": 1})
