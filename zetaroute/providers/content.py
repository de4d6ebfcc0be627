"""What the wire formats share of a request's content: options, and files as text or as base64.

It lives apart because servers differ in the names around these and not in the things themselves.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from zetaroute.domain import Arm, Attachment, Query
from zetaroute.providers.payload import mapping


def options(arm: Arm, query: Query) -> dict[str, Any]:
    """Return the options of the arm and, before them, of the query, under the names that the server knows."""
    merged = {**arm.options, **query.options}
    if "max_tokens" in merged:
        merged[arm.max_tokens_key] = merged.pop("max_tokens")
    return merged


def schema_of(response_format: Any) -> str | None:
    """Return the JSON schema that OpenAI's option `response_format` holds, or None."""
    named = mapping(mapping(response_format).get("json_schema"))
    return json.dumps(named["schema"]) if "schema" in named else None


def text_with_files(query: Query) -> str:
    """Return the query's text behind the text files that go with it."""
    files = (
        f'<file name="{file.note.name}">\n{file.content.decode()}\n</file>\n\n'
        for file in query.attachments
        if file.kind == "text"
    )
    return "".join(files) + query.text


def binary_files(query: Query) -> list[Attachment]:
    """Return the files that are not text."""
    return [file for file in query.attachments if file.kind != "text"]


def base64_of(file: Attachment) -> str:
    """Return the file's content as JSON can hold it."""
    return base64.b64encode(file.content).decode("ascii")
