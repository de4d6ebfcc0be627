"""Two results of a retrain held against each other."""

from __future__ import annotations

from typing import Any

import pytest


def assert_same_result(one: dict[str, Any], other: dict[str, Any], *, tolerance: float) -> None:
    """Both judged the same rows and came to the same figures.

    Their verdicts may differ: the second test of a home is held to a smaller level than the first.
    """
    assert one["rows"] == other["rows"]
    for part in ("before", "after", "difference", "baselines"):
        for name, figure in one[part].items():
            for bound, value in figure.items():
                expected = other[part][name][bound]
                if expected is not None:
                    expected = pytest.approx(expected, rel=tolerance, abs=1e-9)
                assert value == expected, (part, name, bound)
