"""Read answers from JSON lines: the output of an OpenAI Batch, training rows of routers, and our own lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any, cast, get_args

from zetaroute.domain import FeedbackSource, Query
from zetaroute.errors import UsageError
from zetaroute.files.line_source import BadLine, LineSource
from zetaroute.router.prepare import tags_in
from zetaroute.transfer.imported_row import ImportedRow, count_in, moment_in, number_in, text_in
from zetaroute.wire.usage import read_usage

Asked = Mapping[str, Query]
"""What was asked, by custom_id."""


def read_json_lines(name: str, asked: Asked) -> Iterator[ImportedRow | BadLine]:
    """Yield the rows of a file (`-`: standard input); a line that holds no answer is reported, and the rest read."""
    with LineSource(name) as source:
        for number, row in source.objects():
            yield row if isinstance(row, BadLine) else _read(row, number, asked)


def _read(row: Mapping[str, Any], number: int, asked: Asked) -> ImportedRow | BadLine:
    try:
        return _from_batch(row, number, asked) if _is_batch(row) else _from_row(row, number, asked)
    except UsageError as error:
        return BadLine(line=number, error=str(error))


def _is_batch(row: Mapping[str, Any]) -> bool:
    return "custom_id" in row and (
        isinstance(row.get("response"), dict) or isinstance(row.get("error"), dict)
    )


def _from_batch(row: Mapping[str, Any], number: int, asked: Asked) -> ImportedRow:
    """Read a line of an OpenAI Batch output, of chat completions."""
    body = _object(_object(row, "response"), "body")
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise UsageError(f"holds no answer: {_reason(row, body)}")
    choice = choices[0] if isinstance(choices[0], dict) else {}
    response, model = text_in(_object(choice, "message"), "content"), text_in(body, "model")
    if not response or not model:
        raise UsageError("holds no answer with a text and a model")
    return ImportedRow(
        line=number,
        query=_asked(text_in(row, "custom_id"), asked),
        model=model,
        response=response,
        own_id=text_in(row, "id"),
        key=text_in(body, "id") or text_in(row, "id"),
        time=moment_in(body, "created"),
        served_model=model,
        finish_reason=text_in(choice, "finish_reason"),
        **asdict(read_usage(body)),
    )


def _object(place: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = place.get(name)
    return value if isinstance(value, dict) else {}


def _reason(row: Mapping[str, Any], body: Mapping[str, Any]) -> str:
    """Return in the server's words why there is no answer."""
    error = _object(row, "error") or _object(body, "error")
    return str(error.get("message") or error.get("code") or "no choices")[:200]


def _from_row(row: Mapping[str, Any], number: int, asked: Asked) -> ImportedRow:
    """Read {"query", "model_name", "performance", "response_time", "category"} and the lines that we write."""
    custom_id = text_in(row, "custom_id")
    text, model = text_in(row, "query", "prompt"), text_in(row, "model_name", "model")
    status = text_in(row, "status")
    if row.get("error") or status not in {None, "ok"}:
        raise UsageError("holds no answer, but an error")
    if row.get("forgotten") or row.get("store"):
        raise UsageError("holds no text: it was forgotten, or kept as a hash alone")
    if model is None:
        raise UsageError('names no "model_name" or "model"')
    if row.get("escalated"):
        raise UsageError("was asked because another model failed a check: it tells of hard queries alone")
    query = _asked(custom_id, asked) if text is None else Query(text=text, custom_id=custom_id)
    return ImportedRow(
        line=number,
        query=replace(
            query,
            system=text_in(row, "system") or query.system,
            task=text_in(row, "category", "task", "task_name") or query.task,
            reference=text_in(row, "reference", "ground_truth") or query.reference,
            grader=text_in(row, "grader") or query.grader,
            conversation=text_in(row, "conversation"),
            tags=tuple(dict.fromkeys((*query.tags, *tags_in(row)))),
        ),
        model=model,
        response=text_in(row, "response", "answer"),
        own_id=text_in(row, "id"),
        time=moment_in(row, "time", "created"),
        served_model=text_in(row, "served_model"),
        response_s=number_in(row, "response_time", "response_s"),
        input_tokens=count_in(row, "input_tokens"),
        cached_tokens=count_in(row, "cached_tokens"),
        output_tokens=count_in(row, "output_tokens"),
        cost_usd=number_in(row, "cost_usd"),
        accuracy=number_in(row, "performance", "accuracy", most=1.0),
        accuracy_source=_origin(row),
        rating=_rating(row),
    )


def _origin(row: Mapping[str, Any]) -> FeedbackSource:
    source = row.get("accuracy_source")
    if source is not None and source not in get_args(FeedbackSource):
        raise UsageError(f'has an "accuracy_source" that is none of {", ".join(get_args(FeedbackSource))}')
    return cast("FeedbackSource", source or "truth")


def _rating(row: Mapping[str, Any]) -> float | None:
    rating = number_in(row, "rating", most=5.0)
    if rating is not None and rating < 1:
        raise UsageError('has a "rating" that is not from 1 to 5')
    return rating


def _asked(custom_id: str | None, asked: Asked) -> Query:
    if custom_id is None:
        raise UsageError('has neither a "query" nor a "custom_id" to find it by')
    query = asked.get(custom_id)
    if query is None:
        where = "no line of the input has" if asked else "--input names the file with the query of"
        raise UsageError(f"does not say what was asked: {where} the custom_id {custom_id!r}")
    return query
