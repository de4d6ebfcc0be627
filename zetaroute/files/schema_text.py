"""A JSON schema as it is given: as a file, as JSON, or as the names of fields."""

from __future__ import annotations

import json
import re
from pathlib import Path

from zetaroute.errors import UsageError
from zetaroute.files.utf8_text import read_text

LARGEST = 1_000_000
"""Bytes of a schema."""
_FIELD = re.compile(r"(?P<name>[\w-]+)(?: +(?P<kind>str|int|float|bool))?(?: *: *(?P<says>.+))?")
_KINDS = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}


def schema_text(given: str) -> str:
    """Return the JSON of a schema: `given` holds JSON, a file's name, or fields such as `city, founded int`.

    A field may say what it holds: `city: without its country`. Lines part fields whose words hold commas. Raises
    UsageError for anything else.
    """
    words = given.strip()
    if words.startswith("{"):
        return _json(words, "given as JSON")
    file = Path(given)
    if file.suffix == ".json" or (len(given) < 256 and file.is_file()):
        return _json(_read(file), str(file))
    fields = [one.strip() for one in (words.splitlines() if "\n" in words else words.split(","))]
    found = [_FIELD.fullmatch(one) for one in fields if one]
    if not found or None in found:
        raise UsageError(
            f"--schema {given!r} is no schema: name a file, or write JSON or fields such as 'city, founded int'."
        )
    properties = {
        one["name"]: {"type": _KINDS[one["kind"] or "str"]}
        | ({"description": one["says"]} if one["says"] else {})
        for one in found
        if one is not None
    }
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return json.dumps(schema, ensure_ascii=False)


def _json(text: str, name: str) -> str:
    try:
        json.loads(text)
    except ValueError as error:
        raise UsageError(f"--schema {name} is not JSON ({error}): write a JSON schema.") from error
    return text


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > LARGEST:
            raise UsageError(f"--schema {file} is larger than a schema is: name another file.")
        return read_text(file)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--schema {file} cannot be read ({error}): name a file with a JSON schema."
        ) from error
