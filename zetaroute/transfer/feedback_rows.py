"""Lines of feedback from elsewhere: JSON or CSV of several shapes become one shape, or the reason why not."""

from __future__ import annotations

import hashlib
import json
import math
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from zetaroute.errors import UsageError
from zetaroute.feedback.judgement import Judgement, checked_value, shown, source_named
from zetaroute.files.csv_rows import csv_rows, header_cells
from zetaroute.files.line_source import BadLine, LineSource, json_objects

DEFAULT_AUTHOR = "import"
_WORDS = {"true": 1.0, "false": 0.0, "up": 1.0, "down": 0.0}
_LONGEST_NAME = 200

Content = tuple[str, str, float, str, str, str | None, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label(Judgement):
    """A remark as a line gives it."""

    line: int
    run: str | None
    model: str | None

    def content(self, outcome_id: str) -> Content:
        """Return what it says of an outcome; two labels that say the same are one."""
        said = (self.metric, self.value, self.source, self.author, self.time, self.comment)
        return (outcome_id, *said)

    def id_for(self, outcome_id: str) -> str:
        """Return an id that is made of the content, so that the same line twice is one row."""
        content = json.dumps(self.content(outcome_id)).encode()
        return str(uuid.UUID(bytes=hashlib.sha256(content).digest()[:16], version=5))


def read_labels(source: LineSource) -> Iterator[Label | BadLine]:
    """Yield the labels of an opened input: CSV where its name or its first line says so, else JSON lines.

    Raises UsageError where the file breaks off or a CSV file lacks a column that is needed.
    """
    lines = enumerate(source.lines(), start=1)
    first = next(lines, None)
    if first is None:
        return
    rows: Iterator[tuple[int, Mapping[str, Any] | BadLine]]
    if _is_csv(source.name, first[1]):
        rows = _from_csv(first[1], lines)
    else:
        rows = json_objects(source.name, chain([first], lines))
    for number, row in rows:
        yield row if isinstance(row, BadLine) else _label(number, row)


def _is_csv(name: str, first: bytes | None) -> bool:
    bare = name.removesuffix(".gz").removesuffix(".zst")
    if bare.endswith((".csv", ".tsv")):
        return True
    if bare.endswith((".jsonl", ".json", ".ndjson")) or first is None:
        return False
    return not first.lstrip().startswith((b"{", b"["))


def _from_csv(
    header: bytes | None, lines: Iterator[tuple[int, bytes | None]]
) -> Iterator[tuple[int, Mapping[str, str] | BadLine]]:
    names = header_cells(header)[0]
    for wanted in (("outcome_id", "inference_id", "custom_id"), ("metric", "metric_name"), ("value",)):
        if not set(wanted) & set(names):
            raise UsageError(f"the CSV file has no column {' or '.join(wanted)}: name it in the first line.")
    return csv_rows(header, lines)


def _label(line: int, row: Mapping[str, Any]) -> Label | BadLine:
    try:
        return _read(line, row)
    except UsageError as error:
        return BadLine(line=line, error=str(error))


def _read(line: int, row: Mapping[str, Any]) -> Label:
    outcome_id = _text(row, "outcome_id") or _text(row, "inference_id")
    custom_id = _text(row, "custom_id")
    if outcome_id is None and custom_id is None:
        episode = (
            " (feedback on a whole episode has no answer that it is about)" if "episode_id" in row else ""
        )
        raise UsageError(f'names no answer: give "outcome_id", "inference_id" or "custom_id"{episode}')
    metric = _text(row, "metric") or _text(row, "metric_name")
    if metric is None:
        raise UsageError('has no "metric"')
    tags = row.get("tags")
    author = _text(row, "author") or (_text(tags, "author") if isinstance(tags, dict) else None)
    value, comment = _value(row, metric), _text(row, "comment")
    if metric == "comment":
        comment = _text(row, "value")
    return Label(
        line=line,
        outcome_id=outcome_id,
        custom_id=custom_id,
        run=_text(row, "run"),
        model=_text(row, "model"),
        metric=metric,
        value=value,
        source=source_named(_text(row, "source")),
        author=author or DEFAULT_AUTHOR,
        time=_time(row),
        comment=comment,
        cost_usd=_number(row, "cost_usd"),
        response_s=_number(row, "response_s"),
    )


def _value(row: Mapping[str, Any], metric: str) -> float:
    if metric == "demonstration":
        raise UsageError(
            "is a demonstration, which is an answer and no judgement: give it to a batch as the reference"
        )
    if metric == "comment":
        if not isinstance(row.get("value"), str):
            raise UsageError('is a comment whose "value" is not a text')
        return 1.0
    value = row.get("value")
    return checked_value(metric, float(value) if isinstance(value, bool) else _as_number(value), value)


def _as_number(value: object) -> float:
    try:
        if isinstance(value, str):
            word = value.strip().lower()
            return _WORDS[word] if word in _WORDS else float(word)
        return float(value) if isinstance(value, int | float) else math.nan
    except (ValueError, OverflowError):
        return math.nan


def _number(row: Mapping[str, Any], key: str) -> float | None:
    value = row.get(key)
    if value is None:
        return None
    number = math.nan if isinstance(value, bool) else _as_number(value)
    if not 0 <= number < math.inf:
        raise UsageError(f'has a "{key}" that is no number of at least 0')
    return number


def _time(row: Mapping[str, Any]) -> str | None:
    text = _text(row, "time") or _text(row, "timestamp")
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
        when = when.astimezone(UTC).replace(tzinfo=None) if when.tzinfo else when
    except (ValueError, OverflowError):
        raise UsageError(f'has the "time" {shown(text)}: write it like 2026-01-31T12:00:00Z') from None
    return when.isoformat(timespec="microseconds")


def _text(row: Mapping[str, Any], key: str) -> str | None:
    value = row.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise UsageError(f'has a "{key}" that is not a text')
    text = str(value).encode("utf-8", "replace").decode("utf-8")
    if key not in {"comment", "value"} and len(text) > _LONGEST_NAME:
        raise UsageError(f'has a "{key}" of more than {_LONGEST_NAME} characters')
    return text
