"""Read what a batch is made of: JSON lines of several shapes, or a Parquet file of recorded outcomes.

Rows stream, so memory does not grow with the file; a line that cannot be used is told and never stops the rest.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from zetaroute.domain import Message, Query
from zetaroute.errors import UsageError
from zetaroute.flows.round import check_query, content_hash

Part = Literal["train", "test"]
TEST_SHARE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """A line that cannot be used."""

    line: int
    error: str


def read_queries(source: str, *, part: Part | None = None) -> Iterator[Query | BadLine]:
    """Yield the queries of a batch: `-` for standard input, `.parquet`, `.jsonl` or `.jsonl.gz`.

    `part` keeps one side of a recorded file: by its split column where that says train and test, else a row is
    test when `int(sha1(query), 16) % 10 < 3`. Raises UsageError when the file is absent or not of its kind.
    """
    path = Path(source)
    if source != "-" and not path.is_file():
        raise UsageError(
            f"there is no file {source}: name a .jsonl or .parquet file, or - for standard input."
        )
    if path.suffix == ".parquet":
        yield from _recorded(path, part)
        return
    if part is not None:
        raise UsageError(f"--part goes with a .parquet file of recorded outcomes, and {source} is none.")
    with _opened(source) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _parsed(line, number)


@contextmanager
def _opened(source: str) -> Iterator[IO[bytes]]:
    if source == "-":
        yield sys.stdin.buffer
    elif source.endswith(".gz"):
        with gzip.open(source, "rb") as file:
            yield file  # type: ignore[misc]  # GzipFile reads bytes, but its stub is no IO[bytes]
    else:
        with open(source, "rb") as file:
            yield file


def _parsed(line: bytes, number: int) -> Query | BadLine:
    try:
        row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError:
        return BadLine(line=number, error="is not UTF-8 text")
    except (ValueError, RecursionError) as error:
        return BadLine(line=number, error=f"is not JSON: {error}")
    if not isinstance(row, dict):
        return BadLine(line=number, error='must be a JSON object such as {"query": "..."}')
    try:
        query = _openai_batch(row) if "body" in row else _plain(row)
        check_query(query)
    except UsageError as error:
        return BadLine(line=number, error=str(error))
    return query


def _plain(row: dict[str, Any]) -> Query:
    """Read {"query", "reference", ...} and the shape {"query", "ground_truth", "metric", "category", "choices"}."""
    text = _text(row, "query")
    if text is None:
        raise UsageError('has no "query"')
    choices = row.get("choices")
    if isinstance(choices, list) and choices:
        text += "".join(f"\n{chr(65 + place)}. {choice}" for place, choice in enumerate(choices[:26]))
    return _named(
        Query(
            text=text,
            system=_text(row, "system"),
            task=_text(row, "task") or _text(row, "category"),
            reference=_text(row, "reference") or _text(row, "ground_truth"),
            grader=_text(row, "grader") or _text(row, "metric"),
            custom_id=_text(row, "custom_id"),
        )
    )


def _openai_batch(row: dict[str, Any]) -> Query:
    body = row["body"]
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not messages:
        raise UsageError('has a "body" without "messages"')
    turns = []
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            content = "".join(part.get("text", "") for part in content if isinstance(part, dict))
        if not isinstance(content, str):
            raise UsageError('has a message without text "content"')
        turns.append(Message(role=str(message.get("role", "user")), content=content))
    system = "\n".join(turn.content for turn in turns if turn.role in {"system", "developer"})
    talk = [turn for turn in turns if turn.role not in {"system", "developer"}]
    if not talk or talk[-1].role != "user":
        raise UsageError('has no user message at the end of "messages"')
    return _named(
        Query(
            text=talk[-1].content,
            system=system or None,
            history=tuple(talk[:-1]),
            reference=_text(row, "reference"),
            grader=_text(row, "grader"),
            task=_text(row, "task"),
            custom_id=_text(row, "custom_id"),
        )
    )


def _text(row: dict[str, Any], key: str) -> str | None:
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        if key in {"reference", "ground_truth"}:
            return json.dumps(value, ensure_ascii=False)
        raise UsageError(f'has a "{key}" that is not a text')
    return str(value)


def _named(query: Query) -> Query:
    """Give a query without custom_id one that is made of its content, so that a resume knows it again."""
    if query.custom_id is not None:
        return query
    from dataclasses import replace

    return replace(query, custom_id=f"h-{content_hash(query)}")


def _recorded(path: Path, part: Part | None) -> Iterator[Query]:
    import duckdb

    with duckdb.connect() as connection:
        try:
            found = connection.execute("SELECT * FROM read_parquet(?) LIMIT 0", [str(path)]).description or ()
            columns = {column[0] for column in found}
            missing = {"query_id", "query"} - columns
            if missing:
                raise UsageError(f"{path} has no column {' and no column '.join(sorted(missing))}.")
            wanted = [name if name in columns else "NULL" for name in ("task", "reference", "split")]
            rows = connection.execute(
                f"SELECT query_id, any_value(query), {', '.join(f'any_value({name})' for name in wanted)}, "
                "FROM read_parquet(?) GROUP BY query_id ORDER BY query_id",
                [str(path)],
            ).fetchall()
        except duckdb.Error as error:
            raise UsageError(f"{path} cannot be read as Parquet ({str(error).splitlines()[0]}).") from error
    labelled = {"train", "test"} <= {split for *_, split in rows}
    for query_id, text, task, reference, split in rows:
        if part is None or part == (split if labelled else _part(text)):
            yield Query(text=text, task=task, reference=reference, custom_id=str(query_id))


def _part(text: str) -> Part:
    digest = int(hashlib.sha1(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest(), 16)
    return "test" if digest % 10 < 10 * TEST_SHARE else "train"
