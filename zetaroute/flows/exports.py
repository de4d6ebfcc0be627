"""Write the log out as lines: the feedback, which `feedback import` reads again, and the rounds.

Apart from the imports because it only reads the log, a group of rows at a time.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from zetaroute.errors import UsageError
from zetaroute.store.log import Log, rows_since
from zetaroute.store.migrations import FEEDBACK_COLUMNS

Format = Literal["jsonl", "csv"]
Kind = Literal["feedback", "rounds", "rows"]
_AT_ONCE = 10_000
_ROUND = (
    "id, time, run, custom_id, conversation, query, system, task, reference, grader, policy_version, model, "
    "served_model, propensity, forced, explored, recorded, attempt, fallback_of, escalated, status, error_kind, "
    "error, finish_reason, ttft_s, response_s, router_s, input_tokens, cached_tokens, output_tokens, "
    "tokens_estimated, cost_usd, response, tags, store, forgotten, accuracy, accuracy_source, satisfaction, rating, "
    "thumbs, verdict_label"
)
_SELECTS: dict[Kind, str] = {
    "feedback": f"SELECT {', '.join(FEEDBACK_COLUMNS)} FROM feedback",
    "rounds": f"SELECT {_ROUND} FROM rounds",
    # What was asked because another model failed a check tells of hard queries alone.
    "rows": "SELECT query, model AS model_name, accuracy AS performance, response_s AS response_time, "
    "coalesce(task, '') AS category, tags, cost_usd, id, time FROM rounds WHERE accuracy IS NOT NULL "
    "AND status <> 'cancelled' AND escalated IS NOT TRUE AND store IS NULL AND forgotten IS NULL",
}
"""What there is to write: all feedback; all attempts, flat; and what routers train on, graded rows with a text."""
NAMES = frozenset(
    (*FEEDBACK_COLUMNS, *_ROUND.split(", "), "model_name", "performance", "response_time", "category")
)
"""Every column that a file of lines may have."""


def export_lines(
    log: Log, *, form: Format, since: str | None = None, kind: Kind = "feedback"
) -> Iterator[str]:
    """Yield pieces of text, whole lines each: everything of a kind since a moment, the oldest first.

    The log is held open meanwhile.
    """
    with log.open() as connection:
        rows = rows_since(connection, _SELECTS[kind], since, order="time, id")
        names = tuple(rows.columns)
        if form == "csv":
            yield _csv([names])
        while group := rows.fetchmany(_AT_ONCE):
            plain = [[_plain(value) for value in row] for row in group]
            yield _csv(plain) if form == "csv" else _jsonl(names, plain)


def export_file(
    log: Log, path: Path, *, form: Format, since: str | None = None, kind: Kind = "feedback"
) -> None:
    """Write everything of a kind to a file, packed where its name ends in .gz.

    A kill leaves the old file or the new one. Raises UsageError where the file cannot be written.
    """
    draft = path.with_name(path.name + ".tmp")
    try:
        with open(draft, "wb") as raw:
            file = gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) if path.suffix == ".gz" else raw
            for piece in export_lines(log, form=form, since=since, kind=kind):
                file.write(piece.encode("utf-8"))
            if file is not raw:
                file.close()
        os.replace(draft, path)
    except OSError as error:
        raise UsageError(f"cannot write {path} ({error.strerror}): name another file.") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value


def _jsonl(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    told = (dict(zip(names, row, strict=True)) for row in rows)
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in told)


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    flat = ([",".join(map(str, one)) if isinstance(one, list) else one for one in row] for row in rows)
    csv.writer(text, lineterminator="\n").writerows(flat)
    return text.getvalue()
