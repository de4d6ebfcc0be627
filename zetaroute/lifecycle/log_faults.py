"""What is wrong with a log, looked for before anything is judged by it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zetaroute.analysis.judges import read_judges
from zetaroute.domain import Arm
from zetaroute.evaluate.log_checks import (
    BACKWARDS_S,
    NEVER,
    NEWEST_SHARE,
    LogFault,
    check_clock,
    check_draws,
    check_feedback,
    check_judges,
    check_labels,
    check_propensities,
)
from zetaroute.learn.frame import TEACHING
from zetaroute.learn.samples import Sample
from zetaroute.log.rows import from_moment
from zetaroute.log.views import GRADED
from zetaroute.registry import COLD, Registry
from zetaroute.report.terminal import one_line

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_DRAWS = f"""
    WITH drawn AS (
        SELECT pmf, list_transform(candidates, lambda one: one.model) AS models, list_position(models, model) AS place
        FROM outcomes WHERE {TEACHING} AND propensity IS NOT NULL AND fallback_of IS NULL
    ),
    wanting AS (
        SELECT pmf, place, len(list_filter(pmf, lambda p: p >= {NEVER})) AS possible,
               list_transform(pmf, lambda p: greatest((p >= {NEVER})::INT / greatest(possible, 1) - p, 0)) AS more
        FROM drawn WHERE place IS NOT NULL AND list_has_all($arms, models)
    ),
    weighed AS (
        SELECT *, list_sum(more) AS wanted, list_transform(more, lambda m, i: m / greatest(pmf[i], {NEVER})) AS weight
        FROM wanting
    )
    SELECT count(*) FILTER (pmf[place] < {NEVER}), coalesce(sum(weight[place] - wanted), 0),
           coalesce(max(list_max(weight)), 0), coalesce(sum(list_dot_product(weight, more) - wanted ** 2), 0)
    FROM weighed
"""
"""What `check_propensities` adds up, of all rows that were drawn among $arms."""
_REPEATED = """
    SELECT coalesce(sum(entries), 0)::BIGINT, coalesce(sum(entries - 1), 0)::BIGINT FROM (
        SELECT count(*) AS entries FROM feedback WHERE metric <> 'no_grade' GROUP BY outcome_id, metric, author
    )
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
_LABELS = f"""
    WITH labels AS (SELECT time, id, {GRADED} AS labelled FROM ({{rows}})),
    total AS (SELECT count(*) AS rows, count(*) FILTER (labelled) AS labelled FROM labels),
    newest AS (
        SELECT count(*) AS rows, count(*) FILTER (labelled) AS labelled
        FROM (FROM labels ORDER BY time DESC, id DESC LIMIT (SELECT floor($share * rows)::BIGINT FROM total))
    )
    SELECT newest.rows, coalesce(newest.labelled / nullif(newest.rows, 0), 0),
           coalesce((total.labelled - newest.labelled) / nullif(total.rows - newest.rows, 0), 0)
    FROM total, newest
"""


def faults_of_rows(rows: Sample) -> list[LogFault]:
    """Return what forbids a judgement by the rows of a log: probabilities that do not fit what was drawn."""
    drawn = ~np.isnan(rows.pmf[:, 0])
    return check_propensities(rows.arm[drawn], rows.pmf[drawn])


def faults_of_draws(connection: DuckDBPyConnection, arms: Sequence[Arm]) -> list[LogFault]:
    """Return the same for all rows of a log that were drawn among `arms`."""
    return check_draws(*_row(connection, _DRAWS, {"arms": [arm.id for arm in arms]}))


def faults_of_log(connection: DuckDBPyConnection, registry: Registry, *, since: str | None) -> list[LogFault]:
    """Return the faults that the log shows by itself; `since` leaves out what is older (ISO 8601, UTC)."""
    rows = from_moment(connection, f"SELECT * FROM outcomes WHERE {TEACHING}", since)
    clock = _row(connection, _CLOCK.format(rows=rows), {"now": time.time(), "most": BACKWARDS_S})
    return [
        *check_clock(*clock),
        *check_labels(*_row(connection, _LABELS.format(rows=rows), {"share": NEWEST_SHARE})),
        *check_feedback(*_row(connection, _REPEATED, {})),
        *_lost_versions(connection, rows, registry.versions()),
        *check_judges(
            {one_line(judge.author): judge.truth for judge in read_judges(connection, since=since)}
        ),
    ]


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


def _row(connection: DuckDBPyConnection, query: str, values: Mapping[str, object]) -> tuple[Any, ...]:
    return connection.execute(query, values).fetchone() or ()
