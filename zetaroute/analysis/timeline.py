"""How what was served went: over time with the changes of version marked, and per kind of query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from zetaroute.analysis.query_kinds import FIRST_CALLS, KEPT, Kinds
from zetaroute.analysis.served import model_shares
from zetaroute.config import Objective
from zetaroute.domain import Figure
from zetaroute.evaluate.intervals import Moments, difference_figure
from zetaroute.evaluate.key_figures import Served
from zetaroute.log.rows import SINCE

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MOST_BINS = 24
FEWEST_IN_BIN = 40
MOST_SEGMENTS = 24
EXAMPLES = 3
LONGEST_EXAMPLE = 300
_MARKS = """
    WITH next AS (
        SELECT changed.time, count(*) AS queries
        FROM ({chains}) AS chains ASOF JOIN (SELECT DISTINCT time FROM promotions) AS changed
             ON chains.time < changed.time
        GROUP BY changed.time
    )
    SELECT time, version, previous,
           coalesce((SELECT sum(queries) FROM next WHERE next.time <= promotions.time), 0)::BIGINT AS at
    FROM promotions ORDER BY id
"""
_EXAMPLES = f"""
    WITH asked AS (
        SELECT {{kind}} AS kind, model, query, id FROM served {{joined}}
        WHERE time >= {SINCE} AND policy_version = getvariable('version') AND NOT forced AND {KEPT}
              AND trim(query, ' \t\r\n') <> ''
    )
    SELECT kind, left(query, {LONGEST_EXAMPLE})
    FROM asked WHERE list_contains(getvariable('grown'), [kind, model])
    GROUP BY kind, query
    QUALIFY row_number() OVER (PARTITION BY kind ORDER BY min(id)) <= {EXAMPLES}
    ORDER BY kind, min(id)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The parts that what was served falls into, and where the version changed."""

    edges: tuple[str, ...]
    """The first id of each part; parts hold equally many queries, so that every interval means the same."""
    marks: pl.DataFrame
    """`time`, `version` and `previous` of the promotions, and as `at` the queries before each."""


def read_course(connection: DuckDBPyConnection, *, since: str | None, chosen: bool = False) -> Timeline:
    """Return the course of what was served since a moment; `chosen` leaves out the queries whose model was pinned."""
    chains = f"SELECT id, time FROM outcomes WHERE {FIRST_CALLS}" + (" AND NOT forced" if chosen else "")
    connection.execute("SET VARIABLE since = ?", [since])
    (queries,) = connection.execute(f"SELECT count(*) FROM ({chains})").fetchone() or (0,)
    parts = max(1, min(MOST_BINS, queries // FEWEST_IN_BIN))
    edges = connection.execute(
        f"SELECT min(id) FROM (SELECT id, ntile({parts}) OVER (ORDER BY id) AS part FROM ({chains})) "
        "GROUP BY part ORDER BY part"
    ).fetchall()
    marks = pl.DataFrame(connection.sql(_MARKS.format(chains=chains)))
    return Timeline(edges=tuple(edge for (edge,) in edges), marks=marks)


def over_time(
    frame: pl.DataFrame, served: Served, objective: Objective, marks: pl.DataFrame
) -> dict[str, Any]:
    """Return accuracy and utility of the parts of what was served, and where the version changed.

    `frame` and `served` are the same groups of queries, divided by `part`; `marks` as in `Timeline`.
    """
    utility, accuracy = served.utility(objective), Moments.of(served.accuracy, served.rows)
    parts = frame.select("part", "rows", "since", "until").group_by("part")
    sizes = parts.agg(pl.col("rows").sum(), pl.col("since").min(), pl.col("until").max()).sort("part")
    bins, last = [], 0
    for part, rows, since, until in sizes.iter_rows():
        here = (frame["part"] == part).to_numpy()
        bins.append(
            {
                "first": last + 1,
                "last": last + rows,
                "since": str(since),
                "until": str(until),
                "accuracy_rate": accuracy.take(here).share().json(),
                "utility_usd": utility.take(here).figure().json(),
            }
        )
        last += rows
    changes = marks.filter(pl.col("at") > 0).select("at", "time", "version", "previous").to_dicts()
    return {"bins": bins, "marks": [{**change, "time": str(change["time"])} for change in changes]}


def by_segment(
    before: tuple[pl.DataFrame, Served], after: tuple[pl.DataFrame, Served]
) -> list[dict[str, Any]]:
    """Return shares per model and accuracy of every kind of query on two sides, the largest kind first."""
    sides = {"before": before, "after": after}
    names, place = np.unique(
        np.concatenate([served.segment for _, served in sides.values()]), return_inverse=True
    )
    rows = np.concatenate([served.rows for _, served in sides.values()])
    counts = np.bincount(place, weights=rows, minlength=len(names))
    order = np.argsort(-counts, kind="stable")[:MOST_SEGMENTS]
    return [_one_segment(str(name), sides) for name in names[order]]


def _one_segment(name: str, sides: dict[str, tuple[pl.DataFrame, Served]]) -> dict[str, Any]:
    told: dict[str, Any] = {"name": name, "rows": {}}
    accuracy: dict[str, Figure] = {}
    for side, (frame, served) in sides.items():
        here = served.segment == name
        told["rows"][side] = int(served.rows[here].sum())
        told[side] = model_shares(frame.filter(pl.Series(here))) if here.any() else {}
        accuracy[side] = Moments.of(served.accuracy[here], served.rows[here]).share()
    change = difference_figure(accuracy["after"], accuracy["before"])
    figures = {**accuracy, "difference": change}
    return told | {"accuracy_rate": {side: figure.json() for side, figure in figures.items()}}


def read_examples(
    connection: DuckDBPyConnection,
    version: str,
    told: Sequence[dict[str, Any]],
    kinds: Kinds,
    *,
    since: str | None,
) -> dict[str, list[str]]:
    """Return some queries of each kind that the model answered whose share there grew most under a version.

    `told` is what `by_segment` returned. The texts are people's own: this is for a report that somebody asked for,
    never for an artifact.
    """
    grown = {}
    for one in told:
        gains = {model: share - one["before"].get(model, 0.0) for model, share in one["after"].items()}
        if gains:
            grown[one["name"]] = max(sorted(gains), key=gains.__getitem__)
    connection.execute("SET VARIABLE since = ?", [since])
    connection.execute("SET VARIABLE version = ?", [version])
    connection.execute("SET VARIABLE grown = ?::VARCHAR[][]", [[list(pair) for pair in grown.items()]])
    kind, joined = kinds.join(connection)
    rows = connection.sql(_EXAMPLES.format(kind=kind, joined=joined)).fetchall()
    found: dict[str, list[str]] = {name: [] for name in grown}
    for name, text in rows:
        found[name].append(text)
    return found
