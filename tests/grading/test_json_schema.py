"""The json grader: what is JSON, what is valid, and that nothing is fetched."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from zetaroute.errors import UsageError
from zetaroute.grading.json_schema import json_schema, reference_validator

PERSON = json.dumps(
    {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"$ref": "#/$defs/age"}},
        "required": ["name"],
        "additionalProperties": False,
        "$defs": {"age": {"type": "integer", "minimum": 0}},
    }
)
TREE = '{"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": false}'
NAMED = '{"$id": "https://example.org/a", "$ref": "https://example.org/a#/$defs/b", "$defs": {"b": {"type": "null"}}}'

CASES = [
    ('{"name": "Ann"}', PERSON, 1.0),
    ('{"name": "Ann", "age": 3}', PERSON, 1.0),
    (' \n{"name": "Ann"}\n', PERSON, 1.0),
    ('```json\n{"name": "Ann"}\n```', PERSON, 1.0),
    ('```\n{"name": "Ann"}\n```', PERSON, 1.0),
    ('```json {"name": "Ann"} ```', PERSON, 1.0),
    ('  ```json\n  {"name": "Ann"}\n  ```', PERSON, 1.0),
    ('Here it is:\n\n```json\n{"name": "Ann"}\n```\n\nAnything else?', PERSON, 1.0),
    ('<think>{"name": 1}</think>{"name": "Ann"}', PERSON, 1.0),
    ('{"name": "```"}', PERSON, 1.0),
    ('{"name": "Ann", "age": -1}', PERSON, 0.0),
    ('{"name": "Ann", "age": 3.5}', PERSON, 0.0),
    ('{"name": "Ann", "age": "3"}', PERSON, 0.0),
    ('{"name": "Ann", "nick": "A"}', PERSON, 0.0),
    ('{"age": 3}', PERSON, 0.0),
    ("[]", PERSON, 0.0),
    ("{'name': 'Ann'}", PERSON, 0.0),
    ('{"name": "Ann",}', PERSON, 0.0),
    ('{"name": "Ann"', PERSON, 0.0),
    ('Here it is: {"name": "Ann"}', PERSON, 0.0),
    ('```json\n{"name": "Ann"}\n```\nor\n```json\n{"name": "Bob"}\n```', PERSON, 0.0),
    ("Ann", PERSON, 0.0),
    ('{"name": "Ann", "age": NaN}', PERSON, 0.0),
    ("NaN", "true", 0.0),
    ("-Infinity", "true", 0.0),
    ("null", "true", 1.0),
    ("null", "false", 0.0),
    ("3", "{}", 1.0),
    ("1" * 5000, "{}", 0.0),
    ("[" * 50_000 + "]" * 50_000, "{}", 0.0),
    ('{"next": {"next": {}}}', TREE, 1.0),
    ('{"next": {"next": {"x": 1}}}', TREE, 0.0),
    ("{}", '{"$ref": "#"}', 0.0),
    ("3", '{"$ref": "#/mine", "mine": {"type": "integer"}}', 1.0),
    ("null", NAMED, 1.0),
    ("1", NAMED, 0.0),
    ('"x"', '{"$schema": "http://json-schema.org/draft-07/schema#", "type": "string"}', 1.0),
    ('"ab"', '{"type": "string", "pattern": "^a"}', 1.0),
    ('"ba"', '{"type": "string", "pattern": "^a"}', 0.0),
    ("1e999", '{"multipleOf": 0.1}', 0.0),
]

UNUSABLE = [
    ("", "is not JSON"),
    ("{", "is not JSON"),
    ("{'type': 'object'}", "is not JSON"),
    ("NaN", "is not JSON"),
    ("[" * 100_000, "is not JSON"),
    ("42", "not a JSON schema"),
    ("[]", "not a JSON schema"),
    ('"object"', "not a JSON schema"),
    ('{"type": "objekt"}', "not a JSON schema"),
    ('{"required": "name"}', "not a JSON schema"),
    ('{"pattern": "("}', "not a JSON schema"),
    ('{"$schema": "https://example.org/my-dialect"}', "does not know the reference's \\$schema"),
    ('{"$ref": "https://example.org/schema.json"}', "never fetches"),
    ('{"items": {"anyOf": [{"$ref": "other.json"}]}}', "never fetches"),
    ('{"$ref": "#/$defs/missing"}', "never fetches"),
    ('{"$dynamicRef": "#missing"}', "never fetches"),
    ('{"$ref": "#/mine", "mine": {"$ref": "https://example.org/schema.json"}}', "never fetches"),
    ('{"$ref": "#/mine", "mine": {"type": "objekt"}}', "not a JSON schema"),
    ('{"$ref": "#/mine", "mine": {"pattern": "("}}', "not a JSON schema"),
    ('{"$ref": "#/minimum", "minimum": 3}', "not a JSON schema"),
    ('{"$ref": "file:///etc/passwd"}', "never fetches"),
]


@pytest.mark.parametrize(("answer", "reference", "expected"), CASES)
def test_json(answer: str, reference: str, expected: float) -> None:
    assert json_schema(answer, reference) == expected


@pytest.mark.parametrize(("reference", "message"), UNUSABLE)
def test_refuses_an_unusable_schema(reference: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        reference_validator(reference)


@pytest.fixture
def visits() -> Iterator[tuple[str, list[str]]]:
    """A loopback server that would hand out a schema, and the paths that were asked of it."""
    paths: list[str] = []

    class Schema(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"true")

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    with HTTPServer(("127.0.0.1", 0), Schema) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", paths
        server.shutdown()
        thread.join()


def test_fetches_nothing_even_where_there_is_something(visits: tuple[str, list[str]]) -> None:
    address, paths = visits
    with pytest.raises(UsageError, match="never fetches"):
        json_schema("1", json.dumps({"$ref": f"{address}/schema.json"}))
    assert paths == []


@pytest.mark.parametrize(
    ("schema", "answer", "score"),
    [
        ('{"multipleOf": 0.01}', "19.99", 1.0),
        ('{"multipleOf": 0.01}', "19.995", 0.0),
        ('{"multipleOf": 0.1}', "1e30", 1.0),
        ('{"multipleOf": 1e-300}', "1e300", 1.0),
        ('{"const": 0.1}', "0.10", 1.0),
        ('{"maximum": 0.3}', "0.30000000000000000000001", 0.0),
        ('{"type": "integer"}', "5.0", 1.0),
        ('{"type": "number"}', "5.5", 1.0),
        ('{"type": "string", "maxLength": 2.0}', '"ab"', 1.0),
        ("{}", "1e999", 0.0),
        ("{}", '{"a": 1, "a": 2}', 0.0),
    ],
)
def test_numbers_count_as_they_are_written(schema: str, answer: str, score: float) -> None:
    assert json_schema(answer, schema) == score
