"""How a row's model came to answer, in words."""

from __future__ import annotations

from typing import Any

import pytest

from zetaroute.domain import GOES_ON, TAKES_OVER
from zetaroute.report.decisions_outcomes import how_chosen


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("prior from the config", "pinned by the user"),
        (f"learned from 40 rows{GOES_ON}, 900 tokens of it warm", "because its conversation goes on with it"),
        (
            f"learned from 40 rows{TAKES_OVER}: this turn would cost $0.01 less",
            "because a switch in its conversation paid",
        ),
    ],
)
def test_what_is_forced_is_told_from_what_a_conversation_has_chosen(reason: str, words: str) -> None:
    candidates = [{"model": "other", "reason": f"x{TAKES_OVER}"}, {"model": "a/m", "reason": reason}]
    row: dict[str, Any] = {"model": "a/m", "forced": True, "fallback_of": None, "candidates": candidates}
    assert how_chosen(row) == words
