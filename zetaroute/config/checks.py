"""The [[checks]] blocks: how the answers of one task are checked before they count as given.

Apart from the graders because those say how right an answer is, and these what happens when one fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zetaroute.config.reader import Table
from zetaroute.domain import Check


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCheck:
    """A check that goes with a task label."""

    task: str
    check: Check


def read_checks(tables: Sequence[Table], *, folder: Path) -> tuple[TaskCheck, ...]:
    """Return what the blocks say; `reference_file` counts from the config's folder."""
    found = []
    for table in tables:
        task, grader = table.text("task", required=True) or "", table.text("grader", required=True) or ""
        reference, file = table.text("reference"), table.text("reference_file")
        table.finish()
        if reference is not None and file is not None:
            table.fail("has a reference and a reference_file: give one.")
        if file is not None:
            try:
                reference = (folder / file).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                table.fail(f"names a reference_file that cannot be read as UTF-8 text ({error}).")
        found.append(TaskCheck(task=task, check=Check(grader=grader, reference=reference)))
    return tuple(found)
