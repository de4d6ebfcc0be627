"""What a line of a batch's output tells of one row, and the shapes it comes in.

Apart from the output file because an answer that cannot be kept is printed in the same shape.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from zetaroute.domain import Query
from zetaroute.router.attempts import Round

Format = Literal["plain", "openai"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a line of the output tells of one row."""

    custom_id: str | None
    id: str | None = None
    answer: str | None = None
    model: str | None = None
    accuracy: float | None = None
    response_s: float | None = None
    """Of all attempts."""
    cost_usd: float | None = None
    """Of all attempts."""
    error: str | None = None
    error_kind: str | None = None
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    time: str | None = None
    """UTC, ISO 8601."""

    def line(self, form: Format) -> str:
        """Return the line, its end included."""
        fields = self._openai() if form == "openai" else self._plain()
        return json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace").decode("utf-8") + "\n"

    def _plain(self) -> dict[str, Any]:
        names = ("custom_id", "id", "answer", "model", "accuracy", "response_s", "cost_usd", "error")
        return {name: getattr(self, name) for name in names}

    def _openai(self) -> dict[str, Any]:
        """Return the shape of a line that the OpenAI Batch API writes."""
        if self.error is not None:
            error = {"code": self.error_kind, "message": self.error}
            return {"id": self.id, "custom_id": self.custom_id, "response": None, "error": error}
        known = self.input_tokens is not None and self.output_tokens is not None
        usage = {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": self.output_tokens,
            "total_tokens": (self.input_tokens or 0) + (self.output_tokens or 0) if known else None,
        }
        made = datetime.fromisoformat(self.time).replace(tzinfo=UTC) if self.time else None
        message = {"role": "assistant", "content": self.answer}
        body = {
            "id": self.id,
            "object": "chat.completion",
            "created": int(made.timestamp()) if made else None,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish_reason}],
            "usage": usage if known else None,
        }
        response = {"status_code": 200, "request_id": self.id, "body": body}
        return {"id": self.id, "custom_id": self.custom_id, "response": response, "error": None}


def answer_of(played: Round) -> Answer:
    """Return what the output tells of a finished round."""
    outcome = played.outcome
    return Answer(
        custom_id=outcome.custom_id,
        id=outcome.id,
        answer=outcome.response,
        model=outcome.model,
        accuracy=played.accuracy,
        response_s=played.response_s,
        cost_usd=played.cost_usd,
        error=outcome.error,
        error_kind=outcome.error_kind,
        finish_reason=outcome.finish_reason,
        input_tokens=outcome.input_tokens,
        output_tokens=outcome.output_tokens,
        time=outcome.time,
    )


def unanswered(query: Query, error: str) -> Answer:
    """Return what the output tells of a row that no model takes."""
    return Answer(custom_id=query.custom_id, error=error, error_kind="unfit")
