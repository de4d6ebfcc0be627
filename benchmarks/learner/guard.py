"""The section of docs/evidence.md on few rows of many models, measured on training rows alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.learner.ablation import rows_of, sides_of
from benchmarks.learner.recorded import MORE, WEIGHTS, objective, sets
from zetaroute.arrays import Array
from zetaroute.bench.datasets import Recordings
from zetaroute.bench.datasets.recordings import utility
from zetaroute.bench.full_information import arms_of
from zetaroute.learn.incremental.sufficient_statistics import gather
from zetaroute.learn.ridge import heads
from zetaroute.learn.routing_gain import kept_anchor
from zetaroute.learn.samples import target_weights, targets
from zetaroute.policy import Policy
from zetaroute.policy.learned import with_lengths

TITLE = "## Few rows of many models"
QUERIES = (300, 0)
"""To learn from; 0 for all."""
LOGS = {"every model": None, "each as often": 0.0, "80% of one": 0.8}
"""Share of the queries that one random model is given; None: every model answers every query."""


def section(folder: Path, seeds: int) -> list[str]:
    """Return the lines of the section."""
    lines = [
        TITLE,
        "",
        "The outcome of every model is known of every query, or that of one: of each as often, or of one random",
        "model for 80% of the queries and of each as often for the others. 7 tenths of the training queries fit, or",
        f"as many as are named, the others mark, {seeds} seeds. 'highest mean' and 'lower bound' (one standard error",
        "off each) are the single models that the heads hold best for the average query, in points over the one that",
        "is best by every outcome; the product takes the lower bound. 'by query' is what choosing by query adds to",
        "that model; 'bounds' what taking the model with the highest lower bound for each query would add to that.",
        "",
        "| set | value | log | queries | highest mean | lower bound | by query | bounds |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, recordings in sets(folder, more=True):
        train = recordings.side(test=False)
        label, per_dollar, per_second = (WEIGHTS | MORE)[name][-1]
        for count in QUERIES:
            if count >= 0.7 * len(train.texts):
                continue
            runs = [_points(train, count, seed, per_dollar, per_second) for seed in range(seeds)]
            for what in LOGS:
                gains = np.array([run[what] for run in runs])
                error = gains.std(axis=0, ddof=1) / np.sqrt(seeds)
                entries = [
                    f"{mean:+.2f} ± {se:.2f}" for mean, se in zip(gains.mean(axis=0), error, strict=True)
                ]
                lines.append(f"| {' | '.join([name, label, what, str(count or 'all'), *entries])} |")
    return [*lines, ""]


def _points(
    train: Recordings, count: int, seed: int, per_dollar: float, per_second: float
) -> dict[str, Array]:
    """Return by log the points (4,) of two single models over the best, of the choice over the second, and of bounds
    over that."""
    fitting, marking = sides_of(train, count, seed, maps=1)
    arms, worth, found = arms_of(train), objective(per_dollar, per_second), {}
    truth = utility(marking.queries, worth)
    best = int(np.argmax(utility(fitting.queries, worth).mean(axis=0)))
    vectors = with_lengths(marking.queries.texts, marking.plain[0])
    for what, most in LOGS.items():
        rows, own = rows_of(fitting.queries, None if most is None else seed, most or 0.0)
        x = fitting.plain[0][own]
        sums = gather(x, targets(rows), rows.arm, len(arms), target_weights(rows))
        predictor = heads(sums, x, rows, arms, fitting.map)
        average = with_lengths(rows.texts, x).mean(axis=0)
        mean, _ = predictor.forecast(average[None], arms).utility(worth, arms)
        single = kept_anchor(predictor, average, arms, worth, None)
        policy = Policy(version="v", predictor=predictor, anchor=arms[single].id, average=average)
        forecast = predictor.forecast(vectors, arms)
        eligible = np.ones(truth.shape, dtype=bool)
        chosen = policy.exploit(forecast, arms=arms, objective=worth, eligible=eligible)
        alone, routed = truth[:, single].mean(), truth[np.arange(len(truth)), chosen].mean()
        usd, se = forecast.utility(worth, arms)
        bounds = truth[np.arange(len(truth)), (usd - se).argmax(axis=1)].mean()
        gains = [
            truth[:, int(mean[0].argmax())].mean() - truth[:, best].mean(),
            alone - truth[:, best].mean(),
            routed - alone,
            bounds - routed,
        ]
        found[what] = 100 * np.array(gains) / worth.answer_value_usd
    return found
