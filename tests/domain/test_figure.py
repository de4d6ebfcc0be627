"""Evidence is written so that people read it."""

from __future__ import annotations

import pytest

from zetaroute.domain import strength


@pytest.mark.parametrize(
    ("evidence", "written"),
    [
        (1.0, "1"),
        (0.0563, "0.0563"),
        (19.96, "19.9"),
        (4059.8, "4,059"),
        (6.8e13, "over 1,000,000"),
        (1e-9, "under 0.001"),
    ],
)
def test_evidence_has_three_digits_and_no_exponent(evidence: float, written: str) -> None:
    assert strength(evidence) == written
