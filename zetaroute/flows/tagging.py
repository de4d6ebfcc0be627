"""The tags of a query: those that were given, and the one for what a detector finds in it.

Before the decision and nowhere else, because every rule on tags stands on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from zetaroute.config import Privacy
from zetaroute.domain import Query


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
