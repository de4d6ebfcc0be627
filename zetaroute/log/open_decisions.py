"""Rows of decisions whose outcome is still to be told, each in a file of its own, for any process of the home."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zetaroute.config import Home
from zetaroute.files.atomic import os_errors, write_whole
from zetaroute.log.journal import Entry, Journal

MOST_OPEN = 10_000
"""Outcomes that are waited for."""
_SWEPT_EVERY = 256
_ID = re.compile("[0-9a-f-]{36}")


class OpenDecisions:
    """The decisions of one home that wait; one whose outcome never comes leaves no row."""

    def __init__(self, home: Home, journal: Journal) -> None:
        self._folder, self._journal = home.open_decisions, journal
        self._added = 0

    def __contains__(self, outcome_id: str) -> bool:
        return self._file(outcome_id) is not None

    def add(self, entry: Entry) -> None:
        """Keep the row of a decision until its outcome is told; the oldest is given up where too many wait."""
        row = self._journal.text_of(entry)
        with os_errors(f"cannot keep a decision in {self._folder}", "make it writable."):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            write_whole(self._folder / entry.outcomes[0].id, row, sync=False)
            self._added += 1
            if self._added % _SWEPT_EVERY == 1:
                # The names are ids, which sort by their time.
                for file in sorted(self._folder.iterdir())[:-MOST_OPEN]:
                    file.unlink(missing_ok=True)

    def row(self, outcome_id: str) -> dict[str, Any] | None:
        """Return the row of a decision as plain values; None where it is not waited for."""
        file = self._file(outcome_id)
        return None if file is None else _row_in(file)

    def settle(self, row: Mapping[str, Any]) -> None:
        """Make the row with its outcome safe; of two that are told of one decision, the first one stands."""
        self._journal.append_plain({"outcomes": [row]})
        with os_errors(f"cannot remove a decision from {self._folder}", "make it writable."):
            (self._folder / row["id"]).unlink(missing_ok=True)

    def _file(self, outcome_id: str) -> Path | None:
        if not _ID.fullmatch(outcome_id):
            return None
        file = self._folder / outcome_id
        return file if file.exists() else None


def _row_in(file: Path) -> dict[str, Any] | None:
    try:
        row: dict[str, Any] = json.loads(file.read_bytes())["outcomes"][0]
    except (FileNotFoundError, ValueError):
        return None
    return row


def forget_open(home: Home, conversation: str | None, before: str | None) -> None:
    """Remove the decisions of a conversation, and those before a moment (ISO 8601, UTC), that wait for an outcome.

    Raises StoreError when they cannot be removed.
    """
    until_s = datetime.fromisoformat(before).replace(tzinfo=UTC).timestamp() if before else 0.0
    with os_errors(f"cannot remove {home.open_decisions}", "make it writable."):
        for file in home.open_decisions.glob("*"):
            named = conversation is not None and (_row_in(file) or {}).get("conversation") == conversation
            if named or file.stat().st_mtime < until_s:
                file.unlink(missing_ok=True)
