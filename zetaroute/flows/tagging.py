"""The tags of a query: those that were given, and the one for what a detector finds in it.

Before the decision and nowhere else, because every rule on tags stands on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from zetaroute.config import Privacy
from zetaroute.domain import Query
from zetaroute.errors import UsageError


def tagged(query: Query, privacy: Privacy) -> Query:
    """Return `query` with the configured tag where something is found in anything that would be sent.

    Images and PDF files are not looked into. Raises UsageError when the detector is not installed.
    """
    if not privacy.detect or privacy.on_detect in query.tags:
        return query
    from zetaroute.features.sensitive import detector

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
