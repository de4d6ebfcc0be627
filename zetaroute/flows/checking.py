"""How a check is written on the command line.

Apart from the graders because this is about words that people type.
"""

from __future__ import annotations

from pathlib import Path

from zetaroute.domain import Check
from zetaroute.errors import UsageError


def parse_check(words: str | None) -> Check | None:
    """Return what `--check` says: GRADER, GRADER=TEXT or GRADER=@FILE; None for None.

    Raises UsageError where the file cannot be read. Whether the grader exists is for the graders to say.
    """
    if words is None:
        return None
    grader, equals, reference = words.partition("=")
    if not equals:
        return Check(grader=grader)
    if reference.startswith("@"):
        try:
            reference = Path(reference[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"--check {words}: the file cannot be read as UTF-8 text ({error}); name another."
            ) from error
    return Check(grader=grader, reference=reference)
