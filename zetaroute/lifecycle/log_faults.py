"""What is wrong with a log, looked for before anything is judged by it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zetaroute.analysis.judges import read_judges
from zetaroute.evaluate.log_checks import (
    BACKWARDS_S,
    NEWEST_SHARE,
    LogFault,
    check_clock,
    check_feedback,
    check_judges,
    check_labels,
    check_propensities,
)
from zetaroute.learn.frame import TEACHING
from zetaroute.learn.samples import Sample
from zetaroute.log.log import from_moment
from zetaroute.registry import COLD, Registry
from zetaroute.report.terminal import one_line

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_REPEATED = """
    SELECT outcome_id, metric, author FROM feedback WHERE metric <> 'no_grade'
    QUALIFY count(*) OVER (PARTITION BY outcome_id, metric, author) > 1
"""

_CLOCK = """
    WITH moments AS (
        SELECT epoch(time) AS s,
               max(epoch(time)) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - s AS behind
        FROM ({rows})
    )
    SELECT count(*) FILTER (s > $now + $most), coalesce(max(s) - $now, 0),
           count(*) FILTER (behind > $most), coalesce(max(behind), 0)
    FROM moments
"""
_LABELS = """
    WITH ranked AS (
        SELECT accuracy IS NOT NULL AS labelled,
               row_number() OVER (ORDER BY time DESC, id DESC) <= floor($share * count(*) OVER ()) AS newest
        FROM ({rows})
    )
    SELECT count(*) FILTER (newest), coalesce(avg(labelled::INT) FILTER (newest), 0),
           coalesce(avg(labelled::INT) FILTER (NOT newest), 0)
    FROM ranked
"""


def faults_of_rows(rows: Sample) -> list[LogFault]:
    """Return what forbids a judgement by the rows of a log: probabilities that do not fit what was drawn."""
    drawn = ~np.isnan(rows.pmf[:, 0])
    return check_propensities(rows.arm[drawn], rows.pmf[drawn])


def faults_of_log(connection: DuckDBPyConnection, registry: Registry, *, since: str | None) -> list[LogFault]:
    """Return the faults that the log shows by itself; `since` leaves out what is older (ISO 8601, UTC)."""
    rows, graded = (
        from_moment(connection, f"SELECT {columns} FROM {table} WHERE {TEACHING}", since)
        for columns, table in (("id, time, policy_version", "outcomes"), ("id, time, accuracy", "graded"))
    )
    clock = _row(connection, _CLOCK.format(rows=rows), {"now": time.time(), "most": BACKWARDS_S})
    return [
        *check_clock(*clock),
        *check_labels(*_row(connection, _LABELS.format(rows=graded), {"share": NEWEST_SHARE})),
        *_repeated_feedback(connection),
        *_lost_versions(connection, rows, registry.versions()),
        *check_judges(
            {one_line(judge.author): judge.truth for judge in read_judges(connection, since=since)}
        ),
    ]


def _repeated_feedback(connection: DuckDBPyConnection) -> list[LogFault]:
    columns = connection.execute(_REPEATED).fetchnumpy()
    return check_feedback(
        *(np.asarray(columns[name], dtype=np.str_) for name in ("outcome_id", "metric", "author"))
    )


def _lost_versions(connection: DuckDBPyConnection, rows: str, known: Sequence[str]) -> list[LogFault]:
    """Find rows of a SELECT that were decided by a version which is not there any more."""
    here = {COLD, *known}
    counts = connection.execute(
        f"SELECT policy_version, count(*) FROM ({rows}) WHERE policy_version IS NOT NULL GROUP BY policy_version"
    ).fetchall()
    lost = {version: rows for version, rows in counts if version not in here}
    if not lost:
        return []
    words = (
        f"{sum(lost.values())} rows were decided by {', '.join(sorted(lost))}, which is no version here: their "
        "probabilities are logged and count, but they cannot be repeated"
    )
    return [LogFault(name="lost-version", words=words, refuses=False)]


def _row(connection: DuckDBPyConnection, query: str, values: Mapping[str, float]) -> tuple[Any, ...]:
    return connection.execute(query, values).fetchone() or ()
