"""Hard cases, marked by hand before the graders were asked: what a person would say is what a grader must say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zetaroute.grading import grade

CASES = Path(__file__).parent / "cases"


def cases() -> list[Any]:
    return [
        pytest.param(file.stem, json.loads(line), id=f"{file.stem}-{number}")
        for file in sorted(CASES.glob("*.jsonl"))
        for number, line in enumerate(file.read_text(encoding="utf-8").split("\n")[:-1], start=1)
    ]


def test_the_table_is_large() -> None:
    assert len(cases()) >= 300


@pytest.mark.parametrize(("grader", "case"), cases())
def test_a_hard_case(grader: str, case: dict[str, Any]) -> None:
    given = grade(case["answer"], case["reference"], grader)
    assert given == pytest.approx(case["expected"], abs=1e-6), case["hard"]
