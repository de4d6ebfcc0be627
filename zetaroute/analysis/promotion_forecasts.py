"""Whether what was promised came true: every promotion's forecast beside what was served after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zetaroute.analysis.contest_result import contest_result, stored_result
from zetaroute.domain import Figure, Objective
from zetaroute.evaluate.intervals import mean_figure
from zetaroute.registry import Registry

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FEWEST_UNITS = 50
"""Scored queries by which a promotion must have been tested before its forecast is held against them."""
_CAME = """
    SELECT gain_usd FROM evidence WHERE epoch IN (
        SELECT max(epoch) FROM contests WHERE challenger = ? AND champion = ? AND step = 'promoted'
    )
"""


def forecasts(
    connection: DuckDBPyConnection, *, registry: Registry, objective: Objective
) -> list[dict[str, Any]]:
    """Return, for every promotion that evidence made, the utility per query that it promised and what came.

    What came is what the test for harm has measured since: queries drawn for the promoted version and for the
    champion of before.
    """
    promoted = connection.execute(
        "SELECT version, previous, author FROM promotions WHERE NOT forced AND previous IS NOT NULL ORDER BY time"
    ).fetchall()
    found = []
    for version, previous, author in promoted:
        promised = _promised(connection, registry, objective, version, previous)
        came = _came(connection, version, previous)
        told = {"promised": promised, "came": came.json(), "agrees": _kept(promised, came)}
        found.append({"version": version, "previous": previous, "by": author, **told})
    return found


def _came(connection: DuckDBPyConnection, version: str, previous: str) -> Figure:
    gains = connection.execute(_CAME, [version, previous]).fetchnumpy()["gain_usd"]
    if len(gains) < FEWEST_UNITS:
        return Figure(value=None, low=None, high=None, n=len(gains))
    return mean_figure(np.asarray(gains, dtype=np.float64))


def _promised(
    connection: DuckDBPyConnection, registry: Registry, objective: Objective, version: str, previous: str
) -> dict[str, Any] | None:
    """Return the gain that the promotion stood on: that of its contest, of older versions that on held-out rows."""
    stored = contest_result(connection, version, objective)
    if stored is None:
        stored = stored_result(registry, version)
        if stored.get("parent") != previous:
            return None
    figure: dict[str, Any] | None = stored["difference"].get("utility_usd")
    return figure


def _kept(promised: dict[str, Any] | None, came: Figure) -> bool | None:
    """Return whether what came is not surely less than what was promised; None where one of them is missing.

    More is no broken promise: it was measured on challengers that had learned from fewer rows.
    """
    if promised is None or promised["low"] is None or came.high is None:
        return None
    return bool(came.high >= promised["low"])
