"""A JSON schema as a file, as JSON or as fields."""

from __future__ import annotations

import json

import pytest

from zetaroute.errors import UsageError
from zetaroute.files.schema_text import schema_text


def test_fields_become_a_strict_schema():
    assert json.loads(schema_text("city, founded int, big bool: over a million")) == {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "founded": {"type": "integer"},
            "big": {"type": "boolean", "description": "over a million"},
        },
        "required": ["city", "founded", "big"],
        "additionalProperties": False,
    }


def test_lines_part_fields_whose_words_hold_commas():
    assert json.loads(schema_text("a: one, two\nb float"))["required"] == ["a", "b"]


def test_json_and_files_are_taken_as_they_are(tmp_path):
    file = tmp_path / "s.json"
    file.write_text('{"type": "array"}', encoding="utf-8")
    assert schema_text(str(file)) == '{"type": "array"}'
    assert schema_text(' {"type": "array"} ') == '{"type": "array"}'


@pytest.mark.parametrize("given", ["", " , ", "a b c", "none.json", "city int str", "{bad"])
def test_what_is_no_schema_is_refused(given):
    with pytest.raises(UsageError, match="--schema"):
        schema_text(given)
