"""Lines of feedback in all their shapes: each becomes a label, or one sentence that says why not."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from zetaroute.errors import UsageError
from zetaroute.files.line_source import BadLine, LineSource
from zetaroute.transfer.feedback_rows import Label, read_labels

ROW = {"outcome_id": "o", "metric": "accuracy", "value": 1}


def read(path: Path) -> list[Label | BadLine]:
    with LineSource(str(path)) as source:
        return list(read_labels(source))


def one(tmp_path: Path, row: dict[str, Any]) -> Label | BadLine:
    file = tmp_path / "f.jsonl"
    file.write_text(json.dumps(row) + "\n", encoding="utf-8")
    (found,) = read(file)
    return found


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({}, {"outcome_id": "o", "value": 1.0, "source": "user", "author": "import", "time": None}),
        ({"source": "truth", "author": "ann"}, {"source": "truth", "author": "ann"}),
        ({"time": "2026-01-31T12:00:00Z"}, {"time": "2026-01-31T12:00:00.000000"}),
        ({"time": "2026-01-31T12:00:00+02:00"}, {"time": "2026-01-31T10:00:00.000000"}),
        ({"time": "2026-01-31"}, {"time": "2026-01-31T00:00:00.000000"}),
        ({"metric": "rating", "value": "4"}, {"metric": "rating", "value": 4.0}),
        ({"metric": "thumbs", "value": True}, {"value": 1.0}),
        ({"metric": "thumbs", "value": "down"}, {"value": 0.0}),
        ({"metric": "latency_ok", "value": -17.5}, {"metric": "latency_ok", "value": -17.5}),
        ({"comment": "naïve"}, {"comment": "naïve"}),
        (
            {"outcome_id": None, "custom_id": 7, "run": "r"},
            {"outcome_id": None, "custom_id": "7", "run": "r"},
        ),
        ({"cost_usd": 0.5, "response_s": 1}, {"cost_usd": 0.5, "response_s": 1.0}),
        ({"unknown": [1]}, {"value": 1.0}),
    ],
)
def test_rows_of_our_own(tmp_path: Path, row: dict[str, Any], expected: dict[str, Any]) -> None:
    found = one(tmp_path, ROW | row)
    assert isinstance(found, Label), found
    assert {name: getattr(found, name) for name in expected} == expected


def test_rows_as_gateways_keep_them(tmp_path: Path) -> None:
    row = {"inference_id": "i", "metric_name": "task_success", "value": True, "tags": {"author": "app"}}
    found = one(tmp_path, row)
    assert isinstance(found, Label)
    assert (found.outcome_id, found.metric, found.value, found.author) == ("i", "task_success", 1.0, "app")
    found = one(tmp_path, {"inference_id": "i", "metric_name": "comment", "value": "too long"})
    assert isinstance(found, Label)
    assert (found.metric, found.comment) == ("comment", "too long")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"outcome_id": None}, "names no answer"),
        ({"outcome_id": None, "episode_id": "e"}, "whole episode"),
        ({"outcome_id": ["o"]}, "not a text"),
        ({"outcome_id": "o" * 201}, "more than 200"),
        ({"metric": None}, 'no "metric"'),
        ({"value": None}, "null, which is not a number"),
        ({"value": "good"}, '"good", which is not a number'),
        ({"value": "nan"}, "not a number"),
        ({"value": "inf"}, "not a number"),
        ({"value": 10**400}, "not a number"),
        ({"value": [1]}, "not a number"),
        ({"value": 1.5}, "accuracy 1.5: it is between 0 and 1"),
        ({"metric": "rating", "value": 0}, "rating 0: it is between 1 and 5"),
        ({"metric": "thumbs", "value": 0.5}, "thumbs 0.5"),
        ({"metric": "demonstration", "value": "x"}, "an answer and no judgement"),
        ({"metric": "comment", "value": 1}, "not a text"),
        ({"source": "god"}, '"god": it is one of truth, judge, user, implicit'),
        ({"time": "yesterday"}, "write it like"),
        ({"time": "0001-01-01T00:00:00+14:00"}, "write it like"),
        ({"cost_usd": -1}, "at least 0"),
        ({"comment": {"a": 1}}, "not a text"),
    ],
)
def test_lines_that_cannot_be_used(tmp_path: Path, row: dict[str, Any], words: str) -> None:
    found = one(tmp_path, ROW | row)
    assert isinstance(found, BadLine)
    assert found.line == 1
    assert words in found.error


def test_csv_with_quotes_line_breaks_and_bad_rows(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_bytes(
        b"\xef\xbb\xbfoutcome_id,metric,value,comment,author\n"
        b'a,rating,5,"two\nlines, and ""quotes""",ann\n'
        b"\n"
        b"b,rating,high,,\n"
        b"c,thumbs,true,,,,,\n"
        b"d,thumbs,true\n"
        b"e,thumbs,1,caf\xe9,\n"
        b"f,accuracy,.5,,\n"
    )
    found = read(file)
    good = [(row.line, row.outcome_id, row.value, row.author) for row in found if isinstance(row, Label)]
    assert good == [(2, "a", 5.0, "ann"), (7, "d", 1.0, "import"), (9, "f", 0.5, "import")]
    first = found[0]
    assert isinstance(first, Label)
    assert first.comment == 'two\nlines, and "quotes"'
    assert [row.line for row in found if isinstance(row, BadLine)] == [5, 6, 8]


@pytest.mark.parametrize("header", ["outcome_id,metric", "a,metric,value", "outcome_id,value", "o"])
def test_csv_without_a_column_that_is_needed(tmp_path: Path, header: str) -> None:
    file = tmp_path / "f.csv"
    file.write_text(f"{header}\n1,2,3\n")
    with pytest.raises(UsageError, match="has no column"):
        read(file)


def test_packed_files_and_files_of_any_name(tmp_path: Path) -> None:
    line = (json.dumps(ROW) + "\n").encode()
    (tmp_path / "f.jsonl.gz").write_bytes(gzip.compress(line))
    (tmp_path / "f.txt").write_bytes(b"outcome_id,metric,value\no,accuracy,1\n")
    (tmp_path / "f.csv.gz").write_bytes(gzip.compress(b"outcome_id,metric,value\no,accuracy,1\n"))
    (tmp_path / "f.log").write_bytes(line)
    (tmp_path / "empty").write_bytes(b"")
    for name in ("f.jsonl.gz", "f.txt", "f.csv.gz", "f.log"):
        (found,) = read(tmp_path / name)
        assert isinstance(found, Label), name
        assert (found.outcome_id, found.value) == ("o", 1.0)
    assert read(tmp_path / "empty") == []


def test_ids_are_made_of_the_content(tmp_path: Path) -> None:
    def identity(**row: object) -> str:
        found = one(tmp_path, ROW | row)
        assert isinstance(found, Label)
        return found.id_for("o")

    assert identity() == identity(value="1", unknown=3) == identity(source="user")
    changes = [{"value": 0}, {"source": "truth"}, {"author": "b"}, {"time": "2026-01-01"}, {"comment": "c"}]
    assert len({identity(), *(identity(**change) for change in changes)}) == 6


@given(
    lines=st.lists(
        st.binary(max_size=50).filter(lambda line: b"\n" not in line)
        | st.dictionaries(
            st.sampled_from(
                ["outcome_id", "metric", "value", "source", "time", "comment", "tags", "custom_id"]
            ),
            st.none()
            | st.booleans()
            | st.floats()
            | st.text(max_size=5)
            | st.lists(st.integers(), max_size=2),
        ).map(lambda row: json.dumps(row).encode()),
        max_size=6,
    ),
    csv=st.booleans(),
)
def test_any_bytes_are_labels_or_bad_lines(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], csv: bool
) -> None:
    head = b"outcome_id,metric,value" if csv else json.dumps(ROW).encode()
    file = tmp_path_factory.mktemp("any") / ("f.csv" if csv else "f.jsonl")
    file.write_bytes(b"\n".join([head, *lines]))
    assert all(isinstance(row, Label | BadLine) for row in read(file))


def test_a_metric_that_is_nearly_a_known_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(
        "Outcome_ID;Metric;Value\no;acuracy;1\no;Rating;4\no;accuracy_2;0.5\no;tone;3\n"
    )
    rows = read(tmp_path / "f.csv")
    said = [one.error if isinstance(one, BadLine) else one.metric for one in rows]
    assert [meant in words for meant, words in zip(("accuracy?", "rating?"), said, strict=False)] == [
        True
    ] * 2
    assert said[2:] == ["accuracy_2", "tone"]
