from __future__ import annotations

from typing import Any

import pytest

from zetaroute.files.strict_json import strict_json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": {"x": 1}, "b": {"x": 2}}', {"a": {"x": 1}, "b": {"x": 2}}),
        ("[1.5, null, true]", [1.5, None, True]),
        ("1e-999", 0.0),
    ],
)
def test_json_is_read(text: str, value: Any) -> None:
    assert strict_json(text) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[NaN]", "NaN is no JSON value"),
        ('{"a": -Infinity}', "-Infinity is no JSON value"),
        ("1e999", "the number 1e999 is too large"),
        ('[{"value": 1, "value": 2}]', 'the key "value" stands twice'),
        ("[" * 100_000, "nested too deeply"),
        ("{'a': 1}", "double quotes"),
    ],
)
def test_what_others_would_read_otherwise_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        strict_json(text)
