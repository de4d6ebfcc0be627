"""Two results of a retrain held against each other."""

from __future__ import annotations

from typing import Any

import pytest


def assert_same_result(one: dict[str, Any], other: dict[str, Any], *, tolerance: float) -> None:
    """Both judged by the same rows and came to the same figures."""
    assert (one["rows"], one["verdict"], one["anchor"]) == (other["rows"], other["verdict"], other["anchor"])
    assert one["evidence"] == pytest.approx(other["evidence"], rel=1e-4)
    assert one["model_share"] == other["model_share"]
    for part in ("before", "after", "difference"):
        for name, figure in one[part].items():
            for bound, value in figure.items():
                expected = other[part][name][bound]
                if expected is not None:
                    expected = pytest.approx(expected, rel=tolerance, abs=1e-9)
                assert value == expected, (part, name, bound)
