"""The section of evidence.md on whether ratings help the accuracy head where grades are few."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.learner.ablation import Side, rows_of, sides_of
from benchmarks.learner.recorded import sets
from zetaroute.arrays import Array
from zetaroute.learn.incremental.sufficient_statistics import gather
from zetaroute.learn.ridge import solve

TITLE = "## Ratings where grades are few"
GRADES, RATINGS = (50, 100, 300), 10
"""Graded rows, and ratings for each of them."""
RATERS = 20
UP, RATER_SD, STYLES = (0.4, 0.8), 1.0, (0.0, 0.5)
"""Share of wrong and of right answers that a usual rater likes; how raters differ and, beyond what is right, models
do: standard deviations in logits."""
SHARE_SD = 0.7
"""Standard deviation, about 0, of how much more accurate a model is held for each point that it is liked more."""
LEAST_SD = 1e-6


def section(folder: Path, seeds: int) -> list[str]:
    """Return the lines of the section."""
    lines = [
        TITLE,
        "",
        "No recording has ratings, so they are simulated: thumbs up for 80% of right answers and 40% of wrong ones",
        f"by one of {RATERS} raters who differ (standard deviation {RATER_SD:g} in logits), ten for every grade, for",
        "answers of random models to training queries. 'style' is how much models are liked for what is not right",
        f"(the same, in logits). 7 tenths of the queries may fit, the others mark, {seeds} seeds. Points over the",
        "best single model of the model that is expected to be most accurate for each query: by the accuracy head",
        "alone, and what it adds that the head begins at a share, found on the graded rows, of what the satisfaction",
        "head says; 'ratings' is what the satisfaction head alone adds. Left out: in the mean it adds nothing that",
        "can be told from chance, and where a few grades choose the share freely (a prior of 2) it costs.",
        "",
        "| set | style | grades | accuracy | with ratings | ratings |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    every: dict[tuple[float, int], list[Array]] = {}
    for name, recordings in sets(folder):
        train = recordings.side(test=False)
        sides = [sides_of(train, 0, seed, maps=1) for seed in range(seeds)]
        for style in STYLES:
            for count in GRADES:
                runs = np.array([_run(*both, count, style, seed) for seed, both in enumerate(sides)])
                every.setdefault((style, count), []).append(runs)
                lines.append(_row(name, style, count, runs))
    lines += [_row("mean", *key, np.mean(runs, axis=0)) for key, runs in every.items()]
    return [*lines, ""]


def _row(name: str, style: float, count: int, runs: Array) -> str:
    alone, both, rated = runs.T
    more = [f"{d.mean():+.2f} ± {d.std(ddof=1) / np.sqrt(len(d)):.2f}" for d in (both - alone, rated - alone)]
    return f"| {name} | {style:g} | {count} | {alone.mean():+.2f} | {' | '.join(more)} |"


def _run(fitting: Side, marking: Side, count: int, style: float, seed: int) -> Array:
    """Return the points (3,) by the accuracy head alone, with the satisfaction head, and by that alone."""
    rng, arms = np.random.default_rng(seed), len(fitting.queries.models)
    rows, own = rows_of(fitting.queries, seed)
    chosen = rng.choice(len(own), size=RATINGS * count, replace=RATINGS * count > len(own))
    x, arm, right = fitting.plain[0][own[chosen]], rows.arm[chosen], rows.accuracy[chosen]
    wrong_up, right_up = np.log(UP) - np.log1p(-np.array(UP))
    lenient = rng.normal(0, RATER_SD, RATERS)[rng.integers(RATERS, size=len(arm))]
    logit = wrong_up + (right_up - wrong_up) * right + lenient + rng.normal(0, style, arms)[arm]
    liked = (rng.random(len(arm)) < 1 / (1 + np.exp(-logit))).astype(np.float64)
    graded = slice(0, count)
    (likes,) = solve(gather(x, liked[:, None], arm, arms))
    (alone,) = solve(gather(x[graded], right[graded, None], arm[graded], arms))
    if likes is None or alone is None:
        raise ValueError("no rows")
    said = likes.own_mean(x[graded], arm[graded])
    said, level = said - said.mean(), said.mean()
    noise = max(float(right[graded].var()), LEAST_SD)
    share = float(said @ (right[graded] - right[graded].mean())) / (float(said @ said) + noise / SHARE_SD**2)
    (left,) = solve(gather(x[graded], (right[graded] - share * said)[:, None], arm[graded], arms))
    if left is None:
        raise ValueError("no rows")
    new, truth = marking.plain[0], marking.queries.score
    best = truth[:, int(fitting.queries.score.mean(axis=0).argmax())].mean()
    ways = (alone.mean(new), left.mean(new) + share * (likes.mean(new) - level), likes.mean(new))
    return np.array([100 * (truth[np.arange(len(truth)), way.argmax(axis=1)].mean() - best) for way in ways])
