"""The section of evidence.md on what each part of the learner is worth, measured on training rows alone.

Part of the training queries fit, the others mark; test rows are not read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.learner.recorded import MORE, WEIGHTS, objective, sets
from zetaroute.arrays import Array, Index, Mask
from zetaroute.bench.datasets import Recordings
from zetaroute.bench.datasets.recordings import utility
from zetaroute.bench.full_information import arms_of
from zetaroute.evaluate.reward_model import FOLDS
from zetaroute.features import AnyMap
from zetaroute.learn.feature_maps import TextMap
from zetaroute.learn.incremental.sufficient_statistics import SufficientStatistics, gather
from zetaroute.learn.ridge import heads, solve
from zetaroute.learn.samples import TARGETS, Sample, at, target_weights, targets
from zetaroute.policy.exploration import exploit
from zetaroute.policy.learned import LearnedPredictor, with_lengths

TITLE = "## What each part is worth"
QUERIES = (0, 300)
"""To learn from; 0 for all."""
MARKING_TENTHS = 3
Weight = tuple[str, float, float]
"""As in WEIGHTS."""
MOST_MARKING = 2500
VOICE = 100
"""Neighbours whose residuals a kNN voice adds, by a weight between 0 and 1 that cross-validation finds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to fit and to choose."""

    ridge: float | None = None
    """None for the one that the log says."""
    maps: int = 1
    """Feature maps of as many seeds, side by side."""
    labels: str = ""
    """Task cells of 'given' labels, or 'guessed' ones where the marking queries have none."""
    voice: bool = False


LEFT_OUT = (
    "Kept is the ridge per log, and that a row is left out of its own residual before the p95 of response times is",
    "read off. Left out, since what it adds is within error: a kNN voice and several maps, as the tables show, and,",
    "tried by scripts that are not kept, a ridge of its own for each group of features or for the shared part, and a",
    "running residual of each model's latest response times.",
)
FIXED, PRODUCT = "ridge 30", "per log"
VARIANTS = {
    FIXED: Variant(ridge=30.0),
    "100": Variant(ridge=100.0),
    PRODUCT: Variant(),
    "3 maps": Variant(maps=3),
    "labels": Variant(labels="given"),
    "guessed": Variant(labels="guessed"),
    "kNN voice": Variant(voice=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Queries with their vectors by every feature map, without and with labels."""

    queries: Recordings
    plain: tuple[Array, ...]
    given: Array
    guessed: Array
    near: Array
    """(n, d) where a kNN voice looks for neighbours."""
    map: AnyMap

    def vectors(self, variant: Variant) -> Array:
        """Return the vectors (n, D) that a variant reads."""
        if variant.labels:
            return self.given if variant.labels == "given" else self.guessed
        if variant.maps == 1:
            return self.plain[0]
        # Side by side, as long together as one alone, with one constant at the end.
        own = np.hstack([one[:, :-1] for one in self.plain[: variant.maps]]) / np.sqrt(variant.maps)
        return np.hstack([own, self.plain[0][:, -1:]])


def section(folder: Path, seeds: int) -> list[str]:
    """Return the lines of the section."""
    lines = [
        TITLE,
        "",
        "Measured on training queries alone: 7 tenths of them fit, or as many as are named, the others mark, by a",
        f"hash of their texts, {seeds} seeds. Points over the best single model by the heads with a ridge of 30 for",
        "every log, without guard or labels; what ridges of 100 and 'per log', the product's, add to that; and what",
        "each other change adds to 'per log', ± one standard error over the seeds. '3 maps' are those of three",
        "seeds side by side; 'labels' are known of all queries, 'guessed' of those to learn from; the kNN voice adds",
        "the residuals of the nearest 100 queries by a cross-validated weight.",
        "",
        *LEFT_OUT,
        "",
    ]
    for logged, what in (
        ("all", "Every model's outcome is known:"),
        ("one", "That of one random model is known:"),
    ):
        lines += [what, "", *_row("set", "value", "queries", *VARIANTS)]
        lines += _row(*["---"] * (3 + len(VARIANTS)))
        for name, recordings in sets(folder, more=True):
            train = recordings.side(test=False)
            for count in QUERIES:
                if count < 0.7 * len(train.texts):
                    lines += _rows(name, train, count, seeds, one=logged == "one")
        lines.append("")
    return lines


def _rows(name: str, train: Recordings, count: int, seeds: int, *, one: bool) -> list[str]:
    """Return the rows of the table for so many queries to learn from."""
    weights = (WEIGHTS | MORE)[name]
    runs = [
        _gains(*sides_of(train, count, seed), weights, seed=seed if one else None) for seed in range(seeds)
    ]
    lines = []
    for label, _, _ in weights:
        gains = {variant: np.array([run[label, variant] for run in runs]) for variant in VARIANTS}
        entries = [f"{gains[FIXED].mean():+.2f}"]
        for variant in list(VARIANTS)[1:]:
            d = gains[variant] - gains[FIXED if VARIANTS[variant].ridge or variant == PRODUCT else PRODUCT]
            entries.append(f"{d.mean():+.2f} ± {d.std(ddof=1) / np.sqrt(len(d)):.2f}")
        lines += _row(name, label, str(count or "all"), *entries)
    return lines


def sides_of(train: Recordings, count: int, seed: int, *, maps: int = 3) -> tuple[Side, Side]:
    """Return the queries to fit on, 0 for all, and those to mark by, by a hash of their texts."""
    digest = [hashlib.sha256(f"{seed} {text}".encode("utf-8", "replace")).digest() for text in train.texts]
    marking = np.array([one[0] % 10 < MARKING_TENTHS for one in digest])
    rng = np.random.default_rng(seed)

    def some(keep: Mask, most: int) -> Recordings:
        chosen = np.zeros(len(keep), dtype=bool)
        chosen[rng.permutation(np.flatnonzero(keep))[:most]] = True
        return train.take(chosen)

    fitting = some(~marking, count or len(marking))
    labels = [str(task) or None for task in fitting.tasks]
    made = [TextMap(fitting.texts, seed=1000 * seed + number, tasks=labels) for number in range(maps)]

    def side(queries: Recordings) -> Side:
        tasks = [str(task) or None for task in queries.tasks]
        cells = len(made[0].frozen.tasks)
        given = made[0].vectors(queries.texts, tasks)
        plain = [one.vectors(queries.texts) for one in made]
        spaces = made[0].frozen.spaces
        start = len(spaces.coarse) + len(spaces.fine)
        return Side(
            near=plain[0][:, start : start + spaces.components.shape[1]],
            map=made[0].frozen,
            queries=queries,
            plain=tuple(np.delete(x, np.s_[x.shape[1] - 1 - cells : -1], axis=1) for x in plain),
            given=given,
            guessed=given if queries is fitting else plain[0],
        )

    return side(fitting), side(some(marking, MOST_MARKING))


def _gains(
    fitting: Side, marking: Side, weights: Sequence[Weight], *, seed: int | None
) -> dict[tuple[str, str], float]:
    """Return the points over the best single model by value and variant.

    With a `seed` the outcome of one model is known of every query.
    """
    arms = arms_of(fitting.queries)
    rows, own = rows_of(fitting.queries, seed)
    sums: dict[tuple[int, str], SufficientStatistics] = {}
    gains = {}
    for name, variant in VARIANTS.items():
        x, new = fitting.vectors(variant)[own], marking.vectors(variant)
        reads = variant.maps, variant.labels
        if reads not in sums:
            sums[reads] = gather(x, targets(rows), rows.arm, len(arms), target_weights(rows))
        predictor = heads(sums[reads], x, rows, arms, fitting.map, [variant.ridge] * TARGETS)
        forecast = predictor.forecast(with_lengths(marking.queries.texts, new), arms)
        voice = _voice(x, fitting.near[own], rows, marking.near, predictor) if variant.voice else 0.0
        for label, per_dollar, per_second in weights:
            worth = objective(per_dollar, per_second)
            mean, se = forecast.utility(worth, arms)
            mean = mean + worth.answer_value_usd * voice
            chosen = exploit(mean, se, np.ones(mean.shape, dtype=bool))
            truth, known = utility(marking.queries, worth), utility(fitting.queries, worth)
            gain = truth[np.arange(len(truth)), chosen] - truth[:, int(np.argmax(known.mean(axis=0)))]
            gains[label, name] = float(100 * gain.mean() / worth.answer_value_usd)
    return gains


def rows_of(queries: Recordings, seed: int | None, most: float = 0.0) -> tuple[Sample, Index]:
    """Return rows with the place of each one's query: of every model or, with a `seed`, of a random one.

    `most` is the share of the queries that one random model is given before the others are drawn.
    """
    count, arms = queries.score.shape
    rows, own = queries.full_sample(use_task=False), np.repeat(np.arange(count), arms)
    if seed is None:
        return rows, own
    rng = np.random.default_rng(seed)
    arm = rng.integers(arms, size=count)
    arm = np.where(rng.random(count) < most, rng.integers(arms), arm)
    index = np.arange(count) * arms + arm
    return at(rows, index), own[index]


def _voice(x: Array, near: Array, rows: Sample, new: Array, predictor: LearnedPredictor) -> Array:
    """Return what a kNN voice adds to the accuracy of every model for the marking queries, (m, K)."""
    if predictor.accuracy is None:
        return np.zeros((len(new), len(predictor.models)))
    heard, owed = 0.0, 0.0
    for fold in range(FOLDS):
        out = rows.group % FOLDS == fold
        others = gather(x[~out], rows.accuracy[~out, None], rows.arm[~out], len(predictor.models))
        (part,) = solve(others)
        if part is None or not out.any():
            continue
        residual = rows.accuracy - part.own_mean(x, rows.arm)
        said = _neighbours(near[~out], residual[~out], rows.arm[~out], near[out], len(predictor.models))
        mine = said[np.arange(len(said)), rows.arm[out]]
        heard, owed = heard + float(mine @ mine), owed + float(mine @ residual[out])
    residual = rows.accuracy - predictor.accuracy.own_mean(x, rows.arm)
    weight = min(max(owed / heard, 0.0), 1.0) if heard else 0.0
    return weight * _neighbours(near, residual, rows.arm, new, len(predictor.models))


def _neighbours(near: Array, residual: Array, arm: Index, new: Array, arms: int) -> Array:
    """Return the mean residual of every arm's nearest rows, (m, K)."""
    found = np.zeros((len(new), arms))
    for k in np.unique(arm).tolist():
        mine = arm == k
        count = min(VOICE, int(mine.sum()))
        closest = np.argpartition(-(new @ near[mine].T), count - 1, axis=1)[:, :count]
        found[:, k] = residual[mine][closest].mean(axis=1)
    return found


def _row(*entries: str) -> list[str]:
    return ["| " + " | ".join(entries) + " |"]
