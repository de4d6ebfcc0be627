"""What goes on to the embedding endpoint is what was looked at."""

from __future__ import annotations

import pytest

from zetaroute.serve.api_errors import ApiError
from zetaroute.serve.embeddings_request import MOST_INPUTS, read_embeddings


def test_the_body_is_rebuilt_from_what_was_read():
    body = {"model": "e", "input": "a", "content": "hidden", "dimensions": 8, "encoding_format": "base64"}
    assert read_embeddings(body) == {"input": ["a"], "dimensions": 8, "encoding_format": "base64"}
    assert read_embeddings({"input": ["a", "b"]}) == {"input": ["a", "b"]}


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"input": []},
        {"input": [["a"]]},
        {"input": [{"text": "a"}]},
        {"input": {"text": "a"}},
        {"input": [1, 2]},
        {"input": ["a"] * (MOST_INPUTS + 1)},
        {"input": "a", "encoding_format": "my key"},
        {"input": "a", "dimensions": "my key"},
        {"input": "a", "dimensions": True},
    ],
)
def test_what_no_rule_can_look_into_is_refused(body):
    with pytest.raises(ApiError):
        read_embeddings(body)
