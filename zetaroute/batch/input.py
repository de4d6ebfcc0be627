"""Read what a batch is made of: JSON lines of several shapes, or a Parquet file of recorded outcomes.

Rows stream, so memory does not grow with the file; a line that cannot be used is reported and never stops the rest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zetaroute.config.models import OWN_FIELDS
from zetaroute.domain import Message, Query, content_hash
from zetaroute.errors import UsageError
from zetaroute.files.line_source import BadLine, LineSource
from zetaroute.grading.graders import Graders
from zetaroute.router.attempts import check_query
from zetaroute.router.prepare import tags_in
from zetaroute.wire.carriers import carriers
from zetaroute.wire.json_values import mapping
from zetaroute.wire.turns import turn_fields

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Part = Literal["train", "test"]
TEST_SHARE = 0.3
AUTO = "auto"
"""The model of an OpenAI Batch line that leaves the choice to the policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A query and where it stood."""

    line: int
    query: Query
    model: str | None = None
    """The model that the row itself asks for; None leaves the choice to the policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchInput:
    """An opened input."""

    rows: Iterator[Row | BadLine]
    share_read: Callable[[], float | None] = lambda: None
    """Which share of it was read; None where it is unknown."""


@contextmanager
def open_rows(
    source: str,
    *,
    graders: Graders,
    part: Part | None = None,
    models: Mapping[str, str] | None = None,
) -> Iterator[BatchInput]:
    """Open what a batch reads: `-` for standard input, Parquet or JSON lines.

    `graders` are those that a line may name. `models` are the names that an OpenAI Batch line may give models, with
    their ids; with None its model is not looked at. `part` keeps one side of a recorded file: by its split column
    where that says train and test, else a row is test when `int(sha1(query), 16) % 10 < 3`. Raises UsageError when
    the file is absent or not of its kind.
    """
    path = Path(source)
    if source != "-" and not path.exists():
        raise UsageError(
            f"there is no file {source}: name a .jsonl or .parquet file, or - for standard input."
        )
    if path.is_dir():
        raise UsageError(f"{source} is a folder: name a .jsonl or .parquet file, or - for standard input.")
    if path.suffix == ".parquet":
        yield BatchInput(rows=_recorded(path, part))
        return
    if part is not None:
        raise UsageError(f"--part goes with a .parquet file of recorded outcomes, and {source} is none.")
    with LineSource(source) as opened:
        yield BatchInput(rows=_parsed(opened, graders, models), share_read=opened.share_read)


def as_rows(queries: Iterable[Query]) -> Iterator[Row]:
    """Yield rows of queries that come from no file."""
    for line, query in enumerate(queries, start=1):
        yield Row(line=line, query=_named(query))


def _parsed(
    source: LineSource, graders: Graders, models: Mapping[str, str] | None
) -> Iterator[Row | BadLine]:
    for number, row in source.objects():
        yield row if isinstance(row, BadLine) else _row(row, number, graders, models)


def _row(
    row: dict[str, Any], number: int, graders: Graders, models: Mapping[str, str] | None
) -> Row | BadLine:
    try:
        query = _openai_batch(row) if "body" in row else _plain(row)
        check_query(query, graders)
        model = _model(row["body"], models) if "body" in row and models is not None else None
    except UsageError as error:
        return BadLine(line=number, error=str(error))
    return Row(line=number, query=_named(query), model=model)


def _plain(row: dict[str, Any]) -> Query:
    """Read {"query", "reference", ...} and the shape {"query", "ground_truth", "metric", "category", "choices"}."""
    text = _text(row, "query")
    if text is None:
        raise UsageError('has no "query"')
    choices = row.get("choices")
    if isinstance(choices, list) and choices:
        text += "".join(f"\n{chr(65 + place)}. {choice}" for place, choice in enumerate(choices[:26]))
    return Query(
        text=text,
        system=_text(row, "system"),
        task=_text(row, "task") or _text(row, "category"),
        reference=_text(row, "reference") or _text(row, "ground_truth"),
        grader=_text(row, "grader") or _text(row, "metric"),
        custom_id=_text(row, "custom_id"),
        tags=_tags(row),
    )


def _openai_batch(row: dict[str, Any]) -> Query:
    body = row["body"]
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not messages:
        raise UsageError('has a "body" without "messages"')
    turns = [_turn(message) for message in messages]
    system = "\n".join(turn.content for turn in turns if turn.role in {"system", "developer"})
    talk = [turn for turn in turns if turn.role not in {"system", "developer"}]
    asked = [place for place, turn in enumerate(talk) if turn.role == "user"]
    if not asked or any(turn.role == "assistant" and not turn.fields for turn in talk[asked[-1] + 1 :]):
        raise UsageError('has no user message at the end of "messages"')
    last = asked[-1]
    options = {name: value for name, value in body.items() if name not in OWN_FIELDS}
    plain = not talk[last + 1 :] and not any(turn.fields for turn in talk) and "tools" not in options
    return Query(
        text=talk[last].content,
        system=system or None,
        history=tuple(talk[:last]),
        after=tuple(talk[last + 1 :]),
        wire_formats=() if plain else carriers(options, talk, plain=False),
        reference=_text(row, "reference"),
        grader=_text(row, "grader"),
        task=_text(row, "task"),
        custom_id=_text(row, "custom_id"),
        options=options,
        tags=_tags(row, body),
    )


def _tags(*places: dict[str, Any]) -> tuple[str, ...]:
    """Return the tags of a line and of its metadata; one that cannot be read must not be passed over."""
    found: list[str] = []
    for place in places:
        metadata = place.get("metadata")
        for holder in (place, metadata if isinstance(metadata, dict) else {}):
            found += tags_in(holder)
    return tuple(dict.fromkeys(found))


def _turn(message: object) -> Message:
    turn = mapping(message)
    role, content, fields = str(turn.get("role", "user")), turn.get("content"), turn_fields(turn)
    if isinstance(content, list):
        content = "".join(_part_text(part) for part in content)
    called = role == "assistant" and len(fields) > 1
    if not isinstance(content, str) and not (content is None and called):
        raise UsageError('has a message without text "content"')
    return Message(role=role, content=content or "", fields=fields)


def _part_text(part: object) -> str:
    text = part.get("text") if isinstance(part, dict) else None
    if not isinstance(text, str):
        raise UsageError('has a message with "content" that is not text, which a batch cannot send')
    return text


def _model(body: dict[str, Any], models: Mapping[str, str]) -> str | None:
    """Return the model that an OpenAI Batch line pins; None when it names none or leaves the choice."""
    model = body.get("model")
    if model is None or model == AUTO:
        return None
    if not isinstance(model, str) or model not in models:
        raise UsageError(
            f'asks for the model {model!r}, which is not configured: write "{AUTO}" to let the policy choose, '
            f"or one of {', '.join(models)}; or give --model"
        )
    return models[model]


def _text(row: dict[str, Any], key: str) -> str | None:
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        if key in {"reference", "ground_truth"}:
            return json.dumps(value, ensure_ascii=False)
        raise UsageError(f'has a "{key}" that is not a text')
    # A lone surrogate has no UTF-8 form, and so could not be found again in the log.
    return str(value).encode("utf-8", "replace").decode("utf-8")


def _named(query: Query) -> Query:
    """Give a query without custom_id one that is made of its content, so that a resume knows it again."""
    return query if query.custom_id is not None else replace(query, custom_id=content_id(content_hash(query)))


def _recorded(path: Path, part: Part | None) -> Iterator[Row]:
    import duckdb

    with duckdb.connect() as connection:
        try:
            connection.execute("SET enable_progress_bar = false")
            wanted, labelled = _recorded_columns(connection, path)
            rows = connection.execute(
                f"SELECT query_id, any_value(query), {', '.join(f'any_value({name})' for name in wanted)}, "
                "FROM read_parquet(?) GROUP BY query_id ORDER BY query_id",
                [str(path)],
            )
            line = 0
            while group := rows.fetchmany(1000):
                for query_id, text, task, reference, split in group:
                    line += 1
                    if text is not None and (part is None or part == (split if labelled else _part(text))):
                        query = Query(text=text, task=task, reference=reference, custom_id=str(query_id))
                        yield Row(line=line, query=query)
        except duckdb.Error as error:
            raise UsageError(f"{path} cannot be read as Parquet ({str(error).splitlines()[0]}).") from error


def _recorded_columns(connection: DuckDBPyConnection, path: Path) -> tuple[list[str], bool]:
    """Return what to select of a recorded file, and whether its split column says train and test."""
    found = connection.execute("SELECT * FROM read_parquet(?) LIMIT 0", [str(path)]).description or ()
    columns = {column[0] for column in found}
    missing = {"query_id", "query"} - columns
    if missing:
        raise UsageError(f"{path} has no column {' and no column '.join(sorted(missing))}.")
    splits: set[str] = set()
    if "split" in columns:
        stored = connection.execute("SELECT DISTINCT split FROM read_parquet(?)", [str(path)]).fetchall()
        splits = {split for (split,) in stored}
    wanted = [name if name in columns else "NULL" for name in ("task", "reference", "split")]
    return wanted, {"train", "test"} <= splits


def _part(text: str) -> Part:
    digest = int(hashlib.sha1(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest(), 16)
    return "test" if digest % 10 < 10 * TEST_SHARE else "train"


def content_id(content: str) -> str:
    """Return the custom_id of a row that brings none, made of its content hash."""
    return f"h-{content}"
