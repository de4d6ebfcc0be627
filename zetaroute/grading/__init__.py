"""An answer and its reference become a score in 0..1: the graders by name, without any config."""

from zetaroute.grading.grader_table import (
    Grader,
    check_grader,
    check_reference,
    default_grader,
    grade,
    grader_names,
)

__all__ = ["Grader", "check_grader", "check_reference", "default_grader", "grade", "grader_names"]
