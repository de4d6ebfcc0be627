"""What a batch writes: one line per answer, bad lines in a file of their own, and how both are resumed.

The log is the truth; the output is brought back in step with it before a resumed batch goes on.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from zetaroute.domain import Outcome, Query
from zetaroute.errors import UsageError
from zetaroute.flows.intake import BadLine
from zetaroute.flows.round import Round
from zetaroute.store.log import Log


class Output:
    """The output file of a batch and, once needed, its file of bad lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.errors_path = path.with_name(path.name + ".errors.jsonl")
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
            if file is not None:
                file.close()

    def answer(self, played: Round) -> None:
        """Write the line of one finished round; a cancelled one leaves none."""
        if self._file is not None and played.outcome.status != "cancelled":
            self._file.write(_line(played.outcome, played.accuracy, played.response_s, played.cost_usd))

    def refused(self, query: Query, error: str) -> None:
        """Write the line of a query that no model takes."""
        if self._file is not None:
            self._file.write(
                _json_line(
                    custom_id=query.custom_id,
                    id=None,
                    answer=None,
                    model=None,
                    accuracy=None,
                    response_s=None,
                    cost_usd=None,
                    error=error,
                )
            )

    def bad_line(self, bad: BadLine) -> None:
        """Note a line that could not be used."""
        if self._errors is None:
            self._errors = open(self.errors_path, "w", encoding="utf-8", newline="\n")  # noqa: SIM115
        self._errors.write(json.dumps({"line": bad.line, "error": bad.error}, ensure_ascii=False) + "\n")

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        for file in (self._file, self._errors):
            if file is not None:
                file.flush()


Done = frozenset[tuple[str | None, str, str | None]]
"""What was answered: custom_id, content hash, and the model that was pinned or None where the policy chose."""


def resume(log: Log, run: str, path: Path, *, pinned: bool) -> Done:
    """Return what this run has answered already and bring `path` in step with it.

    With `pinned` every model that answered a row counts for itself.

    Lines of answers that the log does not know, failures and a line cut in half are dropped; answers that are
    in the log but not in the file are added.
    """
    with log.open() as connection:
        rows = connection.execute(
            f"""
            SELECT custom_id, content_hash, id, response, model, accuracy, response_s, cost_usd
            FROM rounds WHERE run = ? AND status = 'ok' AND custom_id IS NOT NULL
            QUALIFY row_number() OVER (PARTITION BY custom_id{", model" if pinned else ""} ORDER BY id DESC) = 1
            ORDER BY id
            """,
            [run],
        ).fetchall()
    if not rows:
        path.unlink(missing_ok=True)
        return frozenset()
    kept = _kept_lines(path)
    draft = path.with_name(path.name + ".tmp")
    with open(draft, "w", encoding="utf-8", newline="\n") as file:
        for custom_id, _, outcome_id, response, model, accuracy, response_s, cost in rows:
            file.write(
                kept.get(outcome_id)
                or _json_line(
                    custom_id=custom_id,
                    id=outcome_id,
                    answer=response,
                    model=model,
                    accuracy=accuracy,
                    response_s=response_s,
                    cost_usd=cost,
                    error=None,
                )
            )
    os.replace(draft, path)
    return frozenset((row[0], row[1], row[4] if pinned else None) for row in rows)


def _kept_lines(path: Path) -> dict[str, str]:
    """Return the whole lines of an output by the outcome they tell of."""
    kept: dict[str, str] = {}
    if not path.exists():
        return kept
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and line.endswith("\n"):
                kept[str(row.get("id"))] = line
    return kept


def _line(outcome: Outcome, accuracy: float | None, response_s: float, cost_usd: float | None) -> str:
    return _json_line(
        custom_id=outcome.custom_id,
        id=outcome.id,
        answer=outcome.response,
        model=outcome.model,
        accuracy=accuracy,
        response_s=response_s,
        cost_usd=cost_usd,
        error=outcome.error,
    )


def _json_line(**values: Any) -> str:
    text = json.dumps(values, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode("utf-8") + "\n"
