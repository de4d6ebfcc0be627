"""How well checks tell right answers from wrong ones, where the truth became known.

Apart from the fit because no head depends on it: it says when asking a second model pays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zetaroute.policy.escalate import Reliability

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

USUAL_ROWS = 20.0
"""Rows of right answers, and of wrong ones, that the default is worth."""
_COUNTED = """
    SELECT regexp_extract(f.author, '^[a-z]+:(.*?)(:self)?$', 1) AS name,
           count(*) FILTER (r.truth >= 0.5) AS right_rows,
           count(*) FILTER (r.truth >= 0.5 AND f.value >= 0.5) AS passed,
           count(*) FILTER (r.truth < 0.5) AS wrong_rows,
           count(*) FILTER (r.truth < 0.5 AND f.value < 0.5) AS caught
    FROM latest_feedback f JOIN rounds r ON r.id = f.outcome_id
    WHERE f.metric = 'check' AND r.truth IS NOT NULL
    GROUP BY name ORDER BY name
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredCheck:
    """What one check is worth."""

    passes: float
    """Probability that a right answer passes."""
    catches: float
    """Probability that a wrong one fails."""
    right_rows: int
    wrong_rows: int


def measured_checks(connection: DuckDBPyConnection) -> dict[str, MeasuredCheck]:
    """Return the checks whose answers the truth is known of, by the name of their grader.

    Shares are shrunk towards the default: (seen + 20 x usual) / (rows + 20).
    """
    usual = Reliability()
    return {
        name: MeasuredCheck(
            passes=(passed + USUAL_ROWS * usual.passes) / (right + USUAL_ROWS),
            catches=(caught + USUAL_ROWS * usual.catches) / (wrong + USUAL_ROWS),
            right_rows=right,
            wrong_rows=wrong,
        )
        for name, right, passed, wrong, caught in connection.execute(_COUNTED).fetchall()
    }
