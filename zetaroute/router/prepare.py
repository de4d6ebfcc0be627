"""What goes into a query before it is decided: its tags, check, schema and embedding."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zetaroute.config import Privacy, check_options
from zetaroute.domain import Check, Query, QueryEmbedding
from zetaroute.errors import ProviderError, UsageError
from zetaroute.files.schema_text import schema_text
from zetaroute.files.strict_json import strict_json
from zetaroute.files.utf8_text import read_text
from zetaroute.grading import check_reference
from zetaroute.router.attachments import read_attachment

if TYPE_CHECKING:
    from zetaroute.providers.embedder import Embedder

Place = str | PathLike[str]


def parse_check(words: str | None) -> Check | None:
    """Return what `--check` says: GRADER, GRADER=TEXT or GRADER=@FILE; None for None.

    Raises UsageError where the file cannot be read. Whether the grader exists is for the graders to say.
    """
    if words is None:
        return None
    grader, equals, reference = words.partition("=")
    if not equals:
        return Check(grader=grader)
    if reference.startswith("@"):
        try:
            reference = read_text(Path(reference[1:]))
        except (OSError, ValueError) as error:
            raise UsageError(
                f"--check {words}: the file cannot be read as UTF-8 text ({error}); name another."
            ) from error
    return Check(grader=grader, reference=reference)


async def embedded(query: Query, words: str, embedder: Embedder) -> Query:
    """Return the query with the embedding of words, or with the reason why it has none."""
    start = time.perf_counter()
    made = QueryEmbedding(space=embedder.space)
    try:
        vector = await embedder.one(words)
        made = replace(made, values=tuple(vector.values.tolist()), cost_usd=vector.cost_usd)
    except ProviderError as error:
        made = replace(made, error=str(error))
    return replace(query, embedding=replace(made, elapsed_s=time.perf_counter() - start))


def with_files(
    query: Query, options: Mapping[str, Any], attach: Sequence[Place], schema: Place | None
) -> Query:
    """Return the query with what goes beside its words; raise UsageError for what cannot."""
    check_options(options)
    files = tuple(read_attachment(Path(one)) for one in attach)
    query = replace(query, options=options, attachments=files)
    return query if schema is None else _by_schema(query, schema_text(fspath(schema)))


def _by_schema(query: Query, text: str) -> Query:
    """Return the query with a schema asked for; a query with the grader `json` is graded by it too.

    Raises UsageError for what is no JSON schema.
    """
    check_reference("json", text)
    schema = strict_json(text)
    if not isinstance(schema, dict):
        raise UsageError("--schema holds no JSON object: a schema begins with {.")
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    asked = replace(query, options={**query.options, "response_format": wanted})
    if query.grader == "json" and query.reference is None:
        return replace(asked, reference=text)
    return asked


def tagged(query: Query, privacy: Privacy) -> Query:
    """Return `query` with the configured tag where something is found in anything that would be sent.

    Images and PDF files are not looked into. Raises UsageError when the detector is not installed.
    """
    if not privacy.detect or privacy.on_detect in query.tags:
        return query
    from zetaroute.features.pii import detector

    look = detector(privacy.detect)
    if not any(map(look, _texts(query))):
        return query
    return replace(query, tags=(*query.tags, privacy.on_detect))


def tags_in(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the tags of a row, a list or a text with commas; one that cannot be read must not be passed over."""
    tags = row.get("tags") or []
    if isinstance(tags, str):
        tags = [tag.strip() for tag in tags.split(",")]
    if not isinstance(tags, list) or not all(isinstance(tag, str) and tag for tag in tags):
        raise UsageError('has "tags" that are no list of texts')
    return tuple(tags)


def _texts(query: Query) -> Iterator[str]:
    yield query.text
    if query.system:
        yield query.system
    for turn in (*query.history, *query.after):
        yield turn.content
        yield from _strings(turn.fields)
    yield from _strings(query.options)
    yield from _strings(query.native.body if query.native else None)
    if query.reference:
        yield query.reference
    for file in query.attachments:
        yield file.note.name
        if file.kind == "text":
            yield file.content.decode("utf-8", "replace")


def _strings(value: object) -> Iterator[str]:
    """Yield every text in what a request carries as JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, Sequence):
        for one in value:
            yield from _strings(one)
