"""Read the routing rows that LLMRouter and the vLLM semantic router train on: JSON lines, one per query and model.

`query`, `model_name`, `performance` (0..1), and where known `response_time` (seconds), `category` or `task_name`,
and `cost_usd`. Files with `train` or `test` in their names are the two sides of the split.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from zetaroute.bench.datasets.recordings import SCHEMA
from zetaroute.errors import UsageError
from zetaroute.files.line_source import BadLine, LineSource

NEEDED = ("query", "model_name", "performance")


def read(files: Sequence[Path], root: Path) -> pl.DataFrame:
    """Return the long rows of all files; raises UsageError, naming file and line, for a row that is none."""
    rows = [
        _row(found, file, line, root.stem, _side(file)) for file in files for line, found in objects(file)
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _row(found: dict[str, Any], file: Path, line: int, dataset: str, side: str) -> tuple[object, ...]:
    missing = [name for name in NEEDED if name not in found]
    if missing:
        raise UsageError(
            f"{file}, line {line}: {' and '.join(missing)} missing; a row needs {', '.join(NEEDED)}."
        )
    query, task = str(found["query"]), str(found.get("category") or found.get("task_name") or "")
    return (
        dataset,
        task,
        side,
        f"{side}/{task}/{query}",
        query,
        str(found["model_name"]),
        number_of(found["performance"], file, line, "performance"),
        number_of(found.get("cost_usd"), file, line, "cost_usd"),
        number_of(found.get("response_time"), file, line, "response_time"),
    )


def _side(file: Path) -> str:
    name = file.stem.lower()
    return "train" if "train" in name else "test" if "test" in name else "all"


def objects(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number and object of every line that is not blank; raises UsageError for anything else."""
    with LineSource(str(file)) as source:
        for number, found in source.objects():
            if isinstance(found, BadLine):
                raise UsageError(f"{file}, line {number} {found.error}.")
            yield number, found


def number_of(value: Any, file: Path, line: int, name: str) -> float | None:
    """Return a number, None for null; raises UsageError for anything else."""
    if value is None:
        return None
    if isinstance(value, (bool, int, float)):
        return float(value)
    raise UsageError(f"{file}, line {line}: {name} must be a number, not {str(value)[:40]!r}.")
