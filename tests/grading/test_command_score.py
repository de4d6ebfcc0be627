"""What the end of a grading program means: never a wrong answer where the program itself went wrong."""

from __future__ import annotations

import pytest

from zetaroute.grading.command import program_score

BROKEN = "Traceback (most recent call last):\n  File ...\nZeroDivisionError: division by zero\n"
FAILED = "Traceback (most recent call last):\n  File ...\nAssertionError: expected 5\n"
NODE = "/a/check.js:1\nx\n^\nReferenceError: x is not defined\n    at Object.<anonymous> (/a/check.js:1:1)\n"


@pytest.mark.parametrize(
    ("code", "output", "complaint", "score"),
    [
        (0, "", "", 1.0),
        (1, "", "", 0.0),
        (0, "all tests passed\n", "", 1.0),
        (1, "2 of 3 tests passed\n", "expected 5, got 4\n", 0.0),
        (0, "0.25\n", "", 0.25),
        (1, "0.25\n", "", 0.25),
        (0, "checking\n 0.5 \n\n", "", 0.5),
        (0, "0.5\ndone\n", "", 1.0),
        (0, "0", "", 0.0),
        (0, "1e-1", "", 0.1),
        (1, "", FAILED, 0.0),
        (0, "", BROKEN, 1.0),
    ],
)
def test_a_score(code: int, output: str, complaint: str, score: float) -> None:
    assert program_score(code, output, complaint) == (score, None)


@pytest.mark.parametrize(
    ("code", "output", "complaint", "words"),
    [
        (2, "", "", "exit code 2"),
        (-9, "", "", "exit code -9"),
        (127, "1.0\n", "", "exit code 127"),
        (0, "1.5\n", "", "1.5, which is not between"),
        (0, "-0.1\n", "", "-0.1"),
        (0, "nan\n", "", "nan"),
        (1, "inf\n", "", "inf"),
        (1, "", BROKEN, "broke: ZeroDivisionError"),
        (1, "", NODE, "broke"),
    ],
)
def test_no_grade_and_why(code: int, output: str, complaint: str, words: str) -> None:
    score, reason = program_score(code, output, complaint)
    assert score is None
    assert reason is not None
    assert words in reason
