"""The section of evidence.md on how well response times are forecast, measured on training rows alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.learner.ablation import rows_of, sides_of
from benchmarks.learner.recorded import POOL
from zetaroute.arrays import Array
from zetaroute.bench.datasets import Recordings, read_recordings
from zetaroute.bench.full_information import arms_of
from zetaroute.learn.incremental.sufficient_statistics import gather
from zetaroute.learn.ridge import heads
from zetaroute.learn.samples import target_weights, targets
from zetaroute.policy.heads import SMALLEST
from zetaroute.policy.learned import with_lengths

TITLE = "## Response times"
QUERIES = (0, 300)
"""To learn from; 0 for all."""


def section(folder: Path, seeds: int) -> list[str]:
    """Return the lines of the section."""
    train = read_recordings(folder / "bfcl.parquet", models=POOL).side(test=False)
    lines = [
        TITLE,
        "",
        "The recorded seconds of the twelve models of bfcl; 7 tenths of the training queries fit, or as many as are",
        f"named, the others mark, {seeds} seeds. 'covered' is the share of answers within their forecast p95, with",
        "the least and the most of any model; R2 is of the logarithm, about each model's own mean.",
        "",
        "| outcomes known | queries | covered | by model | R2 |",
        "| --- | --- | --- | --- | --- |",
    ]
    for what, one in (("every model's", False), ("one random model's", True)):
        for count in QUERIES:
            runs = [_run(train, count, seed, one=one) for seed in range(seeds)]
            covered = np.mean([run[0] for run in runs], axis=0)
            explained = np.mean([run[1] for run in runs])
            lines.append(
                f"| {what} | {count or 'all'} | {covered.mean():.1%} | {covered.min():.1%} to {covered.max():.1%} "
                f"| {explained:.2f} |"
            )
    return [*lines, ""]


def _run(train: Recordings, count: int, seed: int, *, one: bool) -> tuple[Array, float]:
    """Return the share (K,) of each model's answers that came within their forecast p95, and R2."""
    fitting, marking = sides_of(train, count, seed, maps=1)
    arms, (rows, own) = arms_of(train), rows_of(fitting.queries, seed if one else None)
    x = fitting.plain[0][own]
    sums = gather(x, targets(rows), rows.arm, len(arms), target_weights(rows))
    predictor = heads(sums, x, rows, arms, fitting.map)
    forecast = predictor.forecast(with_lengths(marking.queries.texts, marking.plain[0]), arms)
    seconds = marking.queries.latency_s
    logs = np.log(np.maximum(seconds, SMALLEST))
    known = predictor.response
    if known is None:
        raise ValueError("the recordings hold no times.")
    left = logs - known.linear.mean(marking.plain[0])
    explained = 1.0 - (left**2).sum() / ((logs - logs.mean(axis=0)) ** 2).sum()
    return (seconds <= forecast.response_p95_s).mean(axis=0), float(explained)
