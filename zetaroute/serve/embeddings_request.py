"""What a body of /v1/embeddings asks for: rebuilt from what was read, so that nothing leaves unseen."""

from __future__ import annotations

from typing import Any

from zetaroute.serve.api_errors import bad

MOST_INPUTS = 2048
_FORMATS = ("float", "base64")
_MOST_DIMENSIONS = 1_000_000


def read_embeddings(body: Any) -> dict[str, Any]:
    """Return the body to send on, its input a list of texts; raise ApiError for what cannot be passed on.

    Lists of tokens are refused, because no rule can look into them.
    """
    if not isinstance(body, dict) or not body.get("input"):
        raise bad("the body must be an object with an input.", "input")
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    if not all(isinstance(text, str) for text in texts) or len(texts) > MOST_INPUTS:
        raise bad(f"input must be a text, or a list of at most {MOST_INPUTS} texts.", "input")
    wanted: dict[str, Any] = {"input": texts}
    form, dimensions = body.get("encoding_format"), body.get("dimensions")
    if form is not None:
        if form not in _FORMATS:
            raise bad(f"encoding_format must be one of {', '.join(_FORMATS)}.", "encoding_format")
        wanted["encoding_format"] = form
    if dimensions is not None:
        if type(dimensions) is not int or not 1 <= dimensions <= _MOST_DIMENSIONS:
            raise bad("dimensions must be a whole number above 0.", "dimensions")
        wanted["dimensions"] = dimensions
    return wanted
