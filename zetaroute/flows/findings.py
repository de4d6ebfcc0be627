"""What is wrong with a log, looked for before anything is judged by it.

Apart from `retrain` because each fault is found in another place of the log; what a fault means is the business of
`evaluate.checks`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import polars as pl

from zetaroute.evaluate.checks import (
    Finding,
    check_clock,
    check_feedback,
    check_judges,
    check_labels,
    check_leak,
    check_propensities,
)
from zetaroute.evaluate.ope import Rows
from zetaroute.flows.judges import read_judges
from zetaroute.learn.frame import Sample, take
from zetaroute.registry import COLD, Registry
from zetaroute.report.terminal import one_line
from zetaroute.store.log import Log

_REPEATED = """
    SELECT outcome_id, metric, author FROM feedback WHERE metric <> 'no_grade'
    QUALIFY count(*) OVER (PARTITION BY outcome_id, metric, author) > 1
"""


def findings(
    log: Log, frame: pl.DataFrame, registry: Registry, *, trained: Sample, judged: Sample, compared: Rows
) -> list[Finding]:
    """Return the faults of a log whose rows are in `frame`, the ones that forbid a judgement first."""
    found = [
        *check_propensities(compared),
        *check_leak(trained.group, judged.group),
        *_standing_faults(log, frame, registry),
    ]
    return sorted(found, key=lambda finding: not finding.refuses)


def log_findings(log: Log, frame: pl.DataFrame, registry: Registry, rows: Sample) -> list[Finding]:
    """Return the faults of a log that show with nothing fitted and nobody judged; `rows` are those of `frame`.

    The logged probabilities are held against what was drawn as an even draw over all possible models would be.
    """
    drawn = take(rows, ~np.isnan(rows.pmf[:, 0]))
    possible = drawn.pmf > 0
    compared = Rows(
        x=np.zeros((len(drawn.arm), 1)),
        arm=drawn.arm,
        pmf=drawn.pmf,
        before=drawn.pmf,
        after=possible / np.maximum(possible.sum(axis=1, keepdims=True), 1),
        fold=drawn.fold,
        stratum=drawn.stratum,
    )
    faults = check_propensities(compared) if len(drawn.arm) else []
    return [*faults, *_standing_faults(log, frame, registry)]


def _standing_faults(log: Log, frame: pl.DataFrame, registry: Registry) -> list[Finding]:
    time_s = frame["time"].dt.epoch("us").to_numpy() / 1e6
    return [
        *check_clock(frame["id"].to_list(), time_s, now_s=time.time()),
        *check_labels(time_s, frame["accuracy"].is_not_null().to_numpy()),
        *_repeated_feedback(log),
        *_lost_versions(frame, registry.versions()),
        *check_judges({one_line(judge.author): judge.truth for judge in read_judges(log)}),
    ]


def _repeated_feedback(log: Log) -> list[Finding]:
    with log.open() as connection:
        columns = connection.execute(_REPEATED).fetchnumpy()
    return check_feedback(
        *(np.asarray(columns[name], dtype=np.str_) for name in ("outcome_id", "metric", "author"))
    )


def _lost_versions(frame: pl.DataFrame, known: Sequence[str]) -> list[Finding]:
    """Find rows that were decided by a version which is not there any more."""
    here = {COLD, *known}
    counts = frame.filter(pl.col("policy_version").is_not_null()).group_by("policy_version").len()
    lost = {version: rows for version, rows in counts.iter_rows() if version not in here}
    if not lost:
        return []
    words = (
        f"{sum(lost.values())} rows were decided by {', '.join(sorted(lost))}, which is no version here: their "
        "probabilities are logged and count, but nobody can repeat them"
    )
    return [Finding(name="lost-version", words=words, refuses=False)]
