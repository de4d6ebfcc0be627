"""What the end of a grading program means: a score, or no grade at all.

Apart from running it because this is a question about an exit code and some text, and can be asked without a program.
"""

from __future__ import annotations

import re

_STACK = re.compile(r"^Traceback \(most recent call last\):|^ {4}at .*:\d+:\d+\)?$", re.MULTILINE)
"""What Python and Node.js write when a program breaks; both leave with 1, as one that says "wrong" does."""


def program_score(code: int, output: str, complaint: str) -> tuple[float | None, str | None]:
    """Return the score 0..1 of a program's exit code and standard output, or None with the reason.

    A number on the last line of the output that is not blank is the score; else 0 is right and 1 is wrong. Any
    other code, a number outside 0..1, and a 1 from a program that broke (its `complaint` holds a stack trace, but
    not of a failed assertion) are no grade: a mistake of the program is no wrong answer.
    """
    if code not in {0, 1}:
        return None, f"left with exit code {code}"
    if code == 1 and _STACK.search(complaint) and "AssertionError" not in complaint:
        return None, f"broke: {complaint.strip().splitlines()[-1][:200]}"
    lines = output.strip().splitlines()
    try:
        score = float(lines[-1]) if lines else None
    except ValueError:
        score = None
    if score is None:
        return float(code == 0), None
    if not 0 <= score <= 1:
        return None, f"printed the score {lines[-1].strip()[:40]}, which is not between 0 and 1"
    return score, None
