"""What the loop has earned: what challengers gained where they were given queries, less what audits cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zetaroute.domain import Figure
from zetaroute.evaluate.intervals import NOTHING, mean_figure
from zetaroute.log.rows import from_moment

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_GAINS = """
    SELECT line.time AS time, share * gain_usd AS usd
    FROM evidence line JOIN contests began ON began.id = line.epoch WHERE line.time >= began.time
"""
"""Past rows that a contest began with were served by the champion alone."""


def earned(connection: DuckDBPyConnection, *, since: str | None, audits_usd: float) -> Figure:
    """Return the USD that were earned since a moment over the queries that were scored, with its 95% interval.

    The gain of each query over the champion's model, times the probability that the challenger was given it: what is
    expected of the draw, with less noise than what came of it. Nothing while no query was scored.
    """
    found = connection.sql(from_moment(connection, _GAINS, since)).fetchnumpy()
    gains = mean_figure(np.ma.filled(np.ma.asarray(found["usd"], dtype=np.float64), np.nan))
    if gains.low is None or gains.high is None or gains.value is None:
        return NOTHING
    return Figure(
        value=gains.n * gains.value - audits_usd,
        low=gains.n * gains.low - audits_usd,
        high=gains.n * gains.high - audits_usd,
        n=gains.n,
    )
