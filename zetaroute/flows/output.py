"""What a batch writes: one line per answer, bad lines in a file of their own, and how both are resumed.

The log is the truth; the output is brought back in step with it before a resumed batch goes on.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

from zetaroute.domain import Query
from zetaroute.errors import StoreError, UsageError
from zetaroute.flows.intake import BadLine
from zetaroute.flows.ledger import Ledger
from zetaroute.flows.round import Round
from zetaroute.store.log import Log

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


class Output:
    """The output file of a batch and, once needed, its file of bad lines; raises StoreError when they are full."""

    def __init__(self, path: Path, *, form: Format = "plain", by_model: bool = False) -> None:
        self.path = path
        self.errors_path = path.with_name(path.name + ".errors.jsonl")
        self.outdated = False
        """Whether lines of an earlier run are about rows that have changed since."""
        self._form = form
        self._by_model = by_model
        self._file: IO[str] | None = None
        self._errors: IO[str] | None = None

    def __enter__(self) -> Self:
        try:
            self._file = open(self.path, "a", encoding="utf-8", newline="\n")
            self.errors_path.unlink(missing_ok=True)
        except OSError as error:
            raise UsageError(f"cannot write {self.path} ({error.strerror}): name another with -o.") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self._file, self._errors):
            # What cannot be written any more was told when it was flushed.
            with contextlib.suppress(OSError):
                if file is not None:
                    file.close()

    def answer(self, answer: Answer) -> None:
        """Write the line of one row."""
        with _room(self.path):
            if self._file is not None:
                self._file.write(answer.line(self._form))

    def bad_line(self, bad: BadLine) -> None:
        """Note a line that could not be used."""
        with _room(self.errors_path):
            if self._errors is None:
                self._errors = open(self.errors_path, "w", encoding="utf-8", newline="\n")  # noqa: SIM115
            self._errors.write(json.dumps({"line": bad.line, "error": bad.error}, ensure_ascii=False) + "\n")

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        with _room(self.path):
            for file in (self._file, self._errors):
                if file is not None:
                    file.flush()

    def settle(self, ledger: Ledger, *, ordered: bool) -> None:
        """Drop the lines that later ones replace and, with `ordered`, put the rest into the order of the input."""
        self.flush()
        if not (ordered or self.outdated) or _is_pipe(self.path):
            return
        ledger.note_told(self._lines())

        def write(draft: IO[bytes]) -> None:
            with open(self.path, "rb") as file:
                for start, size in ledger.told(by_model=self._by_model, in_order=ordered):
                    file.seek(start)
                    draft.write(file.read(size))

        _replace(self.path, write)

    def _lines(self) -> Iterator[tuple[int, int, str, str]]:
        start = 0
        with open(self.path, "rb") as file:
            for line in file:
                told = json.loads(line)
                body = (told.get("response") or {}).get("body") or {}
                model = told.get("model") or body.get("model") or ""
                yield start, len(line), str(told["custom_id"]), model
                start += len(line)


def check_target(path: Path, source: str) -> None:
    """Raise UsageError when `path` is no place for answers: the input itself, or a file of something else."""
    if source != "-" and path.exists() and path.samefile(source):
        raise UsageError(f"{path} is the input itself: name another file for the answers with -o.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write {path}: make its folder, or name another file with -o.")
    if _is_pipe(path):
        return
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            first = file.readline(1_000_000)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"cannot write {path} ({error.strerror}): name another with -o.") from error
    if first.strip() and not _is_answer(first):
        raise UsageError(f"{path} holds something else than answers: name another file with -o.")


def _is_answer(line: str) -> bool:
    if not line.endswith("\n"):
        return line.startswith(('{"custom_id":', '{"id":'))  # cut short by a kill
    try:
        told = json.loads(line)
    except ValueError:
        return False
    return isinstance(told, dict) and {"custom_id", "id", "error"} <= told.keys()


def resume(log: Log, run: str, path: Path, ledger: Ledger, *, form: Format, by_model: bool) -> None:
    """Note in the ledger what this run has answered already and bring `path` in step with the log.

    With `by_model` every model's answer to a row has a line of its own, else the last answer has. Lines that the
    log does not know, failures and a line cut in half are dropped.
    """

    note_answered(log, run, ledger)
    if _is_pipe(path):
        return

    def write(draft: IO[bytes]) -> None:
        for answer in _stored(log, run, by_model=by_model):
            draft.write(answer.line(form).encode())

    _replace(path, write)


def note_answered(log: Log, run: str, ledger: Ledger) -> None:
    """Note in the ledger what this run has answered already."""
    with log.open() as connection:
        found = connection.execute(
            """
            SELECT DISTINCT custom_id, coalesce(content_hash, ''), model FROM outcomes
            WHERE run = ? AND custom_id IS NOT NULL AND status = 'ok'
            """,
            [run],
        )
        while group := found.fetchmany(1000):
            ledger.note_answered(group)


def _stored(log: Log, run: str, *, by_model: bool) -> Iterator[Answer]:
    with log.open() as connection:
        found = connection.execute(
            f"""
            WITH mine AS (FROM rounds WHERE run = ? AND custom_id IS NOT NULL),
            failed AS (
                SELECT coalesce(fallback_of, id) AS first, sum(response_s) AS response_s, sum(cost_usd) AS cost_usd
                FROM mine WHERE status = 'error' GROUP BY first
            )
            SELECT custom_id, id, response, model, accuracy,
                   coalesce(failed.response_s, 0) + coalesce(mine.response_s, 0),
                   coalesce(failed.cost_usd, 0) + mine.cost_usd,
                   finish_reason, input_tokens, output_tokens, time
            FROM mine LEFT JOIN failed ON failed.first = mine.fallback_of
            WHERE status = 'ok'
            QUALIFY row_number() OVER (PARTITION BY custom_id{", model" if by_model else ""} ORDER BY id DESC) = 1
            ORDER BY id
            """,
            [run],
        )
        while group := found.fetchmany(1000):
            for custom_id, outcome_id, response, model, accuracy, response_s, cost, *rest in group:
                finish_reason, input_tokens, output_tokens, time = rest
                yield Answer(
                    custom_id=custom_id,
                    id=outcome_id,
                    answer=response,
                    model=model,
                    accuracy=accuracy,
                    response_s=response_s,
                    cost_usd=cost,
                    finish_reason=finish_reason,
                    input_tokens=input_tokens,
                    output_tokens=output_tokens,
                    time=time.isoformat(),
                )


def unanswered(query: Query, error: str) -> Answer:
    """Return what the output tells of a row that no model takes."""
    return Answer(custom_id=query.custom_id, error=error, error_kind="unfit")


def _is_pipe(path: Path) -> bool:
    """Whether lines can only be added: a pipe or a device holds nothing."""
    return path.exists() and not path.is_file()


def _replace(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Write a file anew; a kill at any moment leaves the old one or the new one."""
    draft = path.with_name(path.name + ".tmp")
    with _room(path):
        try:
            with open(draft, "wb") as file:
                write(file)
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)


@contextlib.contextmanager
def _room(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"cannot write {path} ({error.strerror}): make room or name another file with -o; what was answered "
            "is in the log, and the same command goes on from there."
        ) from error
