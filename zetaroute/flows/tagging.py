"""The tags of a query: those that were given, and the one for what a detector finds in it.

Before the decision and nowhere else, because every rule on tags stands on it.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    for turn in query.history:
        yield turn.content
    for file in query.attachments:
        yield file.note.name
        if file.kind == "text":
            yield file.content.decode("utf-8", "replace")
