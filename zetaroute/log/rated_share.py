"""The share of a challenger whose answers have ratings alone: it follows them, and proves nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from zetaroute.domain import LARGEST_SHARE, LEAST_SHARE
from zetaroute.log.views import graded_from

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SIDES = f"""
    SELECT max(objective.satisfaction_value_usd), count(*),
           avg(objective.satisfaction_value_usd * satisfaction - coalesce(cost_usd, 0)
               - objective.second_value_usd * response_s) AS usd,
           var_pop(objective.satisfaction_value_usd * satisfaction)
    FROM ({graded_from("$epoch")})
    WHERE contest.epoch = $epoch AND satisfaction IS NOT NULL AND role = 'served' AND status = 'ok'
          AND contest.champion_model <> contest.challenger_model
          AND model = CASE contest.side WHEN 'champion' THEN contest.champion_model
                                        ELSE contest.challenger_model END
    GROUP BY contest.side ORDER BY contest.side DESC
"""
"""Champion before challenger: on what the two disagree, what rated answers were worth."""
PRIOR_ROWS = 10.0
"""Rated answers that a spread of a quarter of the scale counts for."""
USUAL_GAIN, USUAL_SPREAD = 0.05, 0.1
"""What a challenger gains in satisfaction before any rating: it is given its first share by that."""


def rated_share(connection: DuckDBPyConnection, epoch: str) -> float | None:
    """Return the probability that a challenger is liked more for its money and time; None unless both are rated.

    A coin decided which side answered, so those who rate are alike on both sides but for what they were given.
    """
    sides = connection.execute(_SIDES, {"epoch": epoch}).fetchall()
    if len(sides) < 2:
        return None
    unit = max(sides[0][0], sides[1][0], 1e-12)
    doubt = sum(
        (PRIOR_ROWS * unit**2 / 16.0 + rows * variance) / (PRIOR_ROWS + rows) / rows
        for _, rows, _, variance in sides
    )
    gain, prior = sides[1][2] - sides[0][2], (USUAL_SPREAD * unit) ** 2
    precision = 1.0 / prior + 1.0 / doubt
    mean = (USUAL_GAIN * unit / prior + gain / doubt) / precision
    chance = 0.5 * (1.0 + math.erf(mean * math.sqrt(precision / 2.0)))
    return min(max(chance, LEAST_SHARE), LARGEST_SHARE)
