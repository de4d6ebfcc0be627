"""Answers by a JSON schema: what is asked of the server, and how the answer is graded if that is wanted.

Apart from attachments because a schema says how to answer, not what to read.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from zetaroute.domain import Query
from zetaroute.errors import UsageError
from zetaroute.grade.graders import check_reference

LARGEST = 1_000_000
"""Bytes of a schema."""


def by_schema(query: Query, file: Path) -> Query:
    """Return the query with the schema in `file` asked for; a query with the grader `json` is graded by it too.

    Raises UsageError when the file holds no JSON schema, or when the query has another reference already.
    """
    try:
        if file.stat().st_size > LARGEST:
            raise UsageError(f"--schema {file} is larger than a schema is: name another file.")
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--schema {file} cannot be read ({error}): name a file with a JSON schema."
        ) from error
    check_reference("json", text)
    schema = json.loads(text)
    if not isinstance(schema, dict):
        raise UsageError(f"--schema {file} holds no JSON object: a schema begins with {{.")
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    asked = replace(query, options={**query.options, "response_format": wanted})
    if query.grader == "json" and query.reference is None:
        return replace(asked, reference=text)
    return asked
