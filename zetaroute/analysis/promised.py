"""Whether what was promised came true: every promotion's forecast beside what was served after it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from zetaroute.analysis.contest import contest_gain
from zetaroute.analysis.served import as_served, size
from zetaroute.config import Settings
from zetaroute.domain import Figure
from zetaroute.errors import ArtifactError
from zetaroute.evaluate.kpi import on_one_mix
from zetaroute.registry import COLD, Registry

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FEWEST_ROWS = 50
"""Queries that each side must have answered before a forecast is held against them."""


def forecasts(
    connection: DuckDBPyConnection, frame: pl.DataFrame, *, registry: Registry, settings: Settings
) -> list[dict[str, Any]]:
    """Return, for every promotion that evidence made, the utility per query that it promised and what came.

    `frame` holds what was served, by kind. What came is the difference between what the
    two versions served, re-weighted to one mix of kinds: exploring included, and not causal.
    """
    promoted = connection.execute(
        "SELECT version, previous, author FROM promotions WHERE NOT forced AND previous IS NOT NULL ORDER BY time"
    ).fetchall()
    # Ratings are left out of what is promised, so they are left out of what came.
    objective = replace(settings.objective, satisfaction_value_usd=0.0)
    found = []
    for version, previous, author in promoted:
        promised = _promised(connection, registry, version, previous)
        sides = [frame.filter(pl.col("policy_version") == name) for name in (previous, version)]
        came = Figure(value=None, low=None, high=None, n=size(sides[1]))
        if min(size(side) for side in sides) >= FEWEST_ROWS:
            old, new = (as_served(side, settings) for side in sides)
            came = on_one_mix(old, new, objective).difference["utility_usd"]
        found.append(
            {
                "version": version,
                "previous": previous,
                "by": author,
                "promised": promised,
                "came": came.json(),
                "agrees": _overlap(promised, came.json()),
            }
        )
    return found


def _promised(
    connection: DuckDBPyConnection, registry: Registry, version: str, previous: str
) -> dict[str, Any] | None:
    """Return the gain that the promotion stood on: that of its contest, of older versions that on held-out rows."""
    if (measured := contest_gain(connection, version)) is not None:
        return measured
    if version == COLD:
        return None
    try:
        stored = json.loads(registry.read(version, "kpi.json"))
    except ArtifactError:
        return None
    figure: dict[str, Any] | None = stored["difference"].get("utility_usd")
    return figure if stored.get("parent") == previous else None


def _overlap(promised: dict[str, Any] | None, came: dict[str, Any]) -> bool | None:
    """Return whether the two intervals share anything; None where one of them is missing."""
    ends = [
        figure[end] for figure in (promised or {"low": None, "high": None}, came) for end in ("low", "high")
    ]
    if None in ends:
        return None
    return bool(ends[0] <= ends[3] and ends[2] <= ends[1])
