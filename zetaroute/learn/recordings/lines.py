"""Read files of JSON lines, one object per line; a bad line is named by its number."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zetaroute.errors import UsageError


def objects(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number and object of every line that is not blank; raises UsageError for anything else."""
    try:
        with open(file, encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, _object(line, file, number)
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror}).") from error


def number_of(value: Any, file: Path, line: int, name: str) -> float | None:
    """Return a number, None for null; raises UsageError for anything else."""
    if value is None:
        return None
    if isinstance(value, (bool, int, float)):
        return float(value)
    raise UsageError(f"{file}, line {line}: {name} must be a number, not {str(value)[:40]!r}.")


def _object(line: str, file: Path, number: int) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        raise UsageError(f"{file}, line {number}: this is not JSON.") from None
    if not isinstance(found, dict):
        raise UsageError(f"{file}, line {number}: this is not a JSON object.")
    return found
