"""What a batch writes: one line per answer, bad lines in a file of their own, and how both are resumed.

The log is the truth; the output is brought back in step with it before a resumed batch goes on.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from zetaroute.batch.seen_rows import SeenRows
from zetaroute.errors import UsageError
from zetaroute.files.atomic import os_errors, rewrite
from zetaroute.files.line_source import BadLine
from zetaroute.log.log import Log
from zetaroute.log.noted_exports import note_export
from zetaroute.log.views import GIVEN, WAITED
from zetaroute.router.answer import Format, output_line


class Output:
    """The output file of a batch and, once needed, its file of bad lines; raises StoreError when they are full."""

    def __init__(self, path: Path, *, form: Format = "plain", by_model: bool = False) -> None:
        self.path = path
        self.errors_path = path.with_name(path.name + ".errors.jsonl")
        self.outdated = False
        """Whether lines of an earlier run are about rows that have changed since."""
        self.form = form
        self._by_model = by_model
        self._file: IO[str] | None = None
        self._errors: IO[str] | None = None

    def __enter__(self) -> Self:
        with os_errors(f"cannot write {self.path}", "name another with -o.", UsageError):
            self._file = open(self.path, "a", encoding="utf-8", newline="\n")
            self.errors_path.unlink(missing_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self._file, self._errors):
            # What cannot be written any more was reported when it was flushed.
            with contextlib.suppress(OSError):
                if file is not None:
                    file.close()

    def write(self, line: str) -> None:
        """Write the line of one row."""
        with _room(self.path):
            if self._file is not None:
                self._file.write(line)

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

    def settle(self, seen_rows: SeenRows, *, ordered: bool) -> None:
        """Drop the lines that later ones replace and, with `ordered`, put the rest into the order of the input."""
        self.flush()
        if not (ordered or self.outdated) or _is_pipe(self.path):
            return
        seen_rows.note_told(self._lines())

        def write(draft: IO[bytes]) -> None:
            with open(self.path, "rb") as file:
                for start, size in seen_rows.told(by_model=self._by_model, in_order=ordered):
                    file.seek(start)
                    draft.write(file.read(size))

        with _room(self.path):
            rewrite(self.path, write)

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
    if not path.exists():
        return
    with (
        os_errors(f"cannot write {path}", "name another with -o.", UsageError),
        open(path, encoding="utf-8", errors="replace") as file,
    ):
        first = file.readline(1_000_000)
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


def resume(log: Log, run: str, path: Path, seen_rows: SeenRows, *, form: Format, by_model: bool) -> None:
    """Note in the ledger what this run has answered, bring `path` in step with the log and note its name there.

    With `by_model` every model's answer to a row has a line of its own, else the last answer has. Lines that the
    log does not know, failures and a line cut in half are dropped. Where the log keeps no text, the line of the
    output is the only place of an answer: it stays, and a row without one is asked again.
    """

    pipe = _is_pipe(path)
    lines = {} if pipe else _by_id(path)
    answered = note_answered(log, run, seen_rows, lines=None if pipe else lines)
    note_export(log, path, run=run)
    if pipe:
        return

    def write(draft: IO[bytes]) -> None:
        with open(path, "rb") if lines else io.BytesIO() as old:
            for told in _stored(log, run, by_model=by_model) if answered else ():
                if told["has_text"]:
                    draft.write(output_line(told, form).encode())
                elif told["id"] in lines:
                    start, size = lines[told["id"]]
                    old.seek(start)
                    draft.write(old.read(size))

    with _room(path):
        rewrite(path, write)


def note_answered(
    log: Log, run: str, seen_rows: SeenRows, *, lines: Mapping[str, tuple[int, int]] | None = None
) -> bool:
    """Note in the ledger what this run has answered already; a row without text only if `lines` know its id.

    Return whether it has answered any.
    """
    if not log.is_begun:
        return False
    answered = False
    with log.open() as connection:
        found = connection.execute(
            f"""
            SELECT DISTINCT custom_id, coalesce(content_hash, ''), model,
                   CASE WHEN store IS NULL THEN '' ELSE id END
            FROM outcomes WHERE run = ? AND custom_id IS NOT NULL AND status = 'ok' AND {GIVEN}
            """,
            [run],
        )
        while group := found.fetchmany(1000):
            answered = True
            seen_rows.note_answered(
                (custom_id, content, model)
                for custom_id, content, model, needed in group
                if not needed or lines is None or needed in lines
            )
    return answered


def _by_id(path: Path) -> dict[str, tuple[int, int]]:
    """Return where the whole lines of an output stand, start and bytes, by the id of their outcome."""
    found: dict[str, tuple[int, int]] = {}
    start = 0
    with open(path, "rb") if path.exists() else io.BytesIO() as file:
        for line in file:
            with contextlib.suppress(ValueError):
                told = json.loads(line)
                if line.endswith(b"\n") and isinstance(told, dict) and isinstance(told.get("id"), str):
                    found[told["id"]] = (start, len(line))
            start += len(line)
    return found


def _stored(log: Log, run: str, *, by_model: bool) -> Iterator[dict[str, Any]]:
    """Yield what the output tells of the answers of a run, each with whether the log has its text."""
    with log.open() as connection:
        found = connection.execute(
            f"""
            WITH mine AS (FROM graded WHERE run = ? AND custom_id IS NOT NULL AND role <> 'audit'),
            asked AS (
                SELECT coalesce(fallback_of, id) AS first, sum({WAITED}) AS waited_s, sum(cost_usd) AS spent_usd
                FROM mine GROUP BY first
            )
            SELECT custom_id, id, response AS answer, model, accuracy,
                   coalesce(waited_s, 0) AS response_s, CASE WHEN cost_usd IS NOT NULL THEN spent_usd END AS cost_usd,
                   finish_reason, input_tokens, output_tokens, time, store IS NULL AS has_text
            FROM mine JOIN asked ON asked.first = coalesce(fallback_of, id)
            WHERE status = 'ok' AND {GIVEN}
            QUALIFY row_number() OVER (PARTITION BY custom_id{", model" if by_model else ""} ORDER BY id DESC) = 1
            ORDER BY id
            """,
            [run],
        )
        names = [column[0] for column in found.description or ()]
        while group := found.fetchmany(1000):
            for row in group:
                told = dict(zip(names, row, strict=True))
                yield {**told, "time": told["time"].isoformat()}


def _is_pipe(path: Path) -> bool:
    """Whether lines can only be added: a pipe or a device holds nothing."""
    return path.exists() and not path.is_file()


def _room(path: Path) -> contextlib.AbstractContextManager[None]:
    return os_errors(
        f"cannot write {path}",
        "make room or name another file with -o; what was answered is in the log, and the same command goes on from "
        "there.",
    )
