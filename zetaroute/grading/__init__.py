"""Graders: an answer and its reference become a score in 0..1.

They form a room of their own because asking, batches and practice all mark answers, and none may mark differently.
"""

from __future__ import annotations

from zetaroute.grading.graders import (
    check_grader,
    check_reference,
    default_grader,
    folded_name,
    grade,
    grader_names,
    is_taken,
)

__all__ = [
    "check_grader",
    "check_reference",
    "default_grader",
    "folded_name",
    "grade",
    "grader_names",
    "is_taken",
]
