"""Lines of a file: JSON objects, and why others are none."""

from __future__ import annotations

from pathlib import Path

from zetaroute.files.lines import LONGEST_LINE, BadLine, LineSource, json_object


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


def test_a_byte_order_mark_counts_at_the_beginning_alone() -> None:
    line = b'\xef\xbb\xbf{"a": 1}'
    assert json_object(line, 1) == {"a": 1}
    assert isinstance(json_object(line, 2), BadLine)
