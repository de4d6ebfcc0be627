"""The section of evidence.md on arms of one model (`of`): whether what one has shown tells of the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.learner.ablation import Side, sides_of
from zetaroute.arrays import Array
from zetaroute.bench.datasets import read_recordings
from zetaroute.learn.incremental.sufficient_statistics import gather
from zetaroute.learn.ridge import solve

TITLE = "## Arms of one model"
SUFFIXES = {"farel": "-sys", "bfcl": "-FC"}
"""What is behind the name of a model that was asked in another way: with a system prompt, by function calls."""
OTHERS, KNOWN = 3, 300
"""Models of other names beside the pair, and the most rows that each known model has."""
ROWS = (10, 30, 100)


def section(folder: Path, seeds: int) -> list[str]:
    """Return the lines of the section."""
    lines = [
        TITLE,
        "",
        "Recorded models that were asked in two ways: farel's with and without a system prompt, bfcl's by a prompt",
        f"and by function calls. One way and {OTHERS} random other models have up to {KNOWN} rows, the other way has",
        "few. How far its mean accuracy is from what is expected of it (root mean square, points), and its Brier",
        "score on queries of their own (times 100), learned alone and as a relative (`of`): training queries, 7",
        f"tenths to fit and the others to mark, all pairs, {seeds} seeds each.",
        "",
        "| set | pairs | rows | mean, alone | as a relative | Brier, alone | relative - alone |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, suffix in SUFFIXES.items():
        path = folder / f"{name}.parquet"
        if not path.is_file():
            continue
        train = read_recordings(path).side(test=False)
        places = {model: k for k, model in enumerate(train.models)}
        pairs = [(places[one], places[one + suffix]) for one in train.models if one + suffix in places]
        errors = np.array(
            [
                _errors(*sides_of(train, 0, seed, maps=1), pairs, seed)  # (pairs, rows, 2, 2)
                for seed in range(seeds)
            ]
        )
        for number, rows in enumerate(ROWS):
            mean, brier = (errors[:, :, number, :, which] for which in (0, 1))
            alone, relative = 100 * np.sqrt((mean**2).mean(axis=(0, 1)))
            change = 100 * (brier[..., 1] - brier[..., 0]).mean(axis=0)
            error = change.std(ddof=1) / np.sqrt(len(pairs))
            lines.append(
                f"| {name} | {len(pairs)} | {rows} | {alone:.1f} | {relative:.1f} | "
                f"{100 * brier[..., 0].mean():.2f} | {change.mean():+.2f} ± {error:.2f} |"
            )
    return [*lines, ""]


def _errors(fitting: Side, marking: Side, pairs: list[tuple[int, int]], seed: int) -> Array:
    """Return by pair, rows and way of learning the error of the mean and the Brier score, (P, R, 2, 2)."""
    rng, count = np.random.default_rng(seed), len(fitting.queries.texts)
    score, x, new = fitting.queries.score, fitting.plain[0], marking.plain[0]
    found = np.empty((len(pairs), len(ROWS), 2, 2))
    for p, (known, few) in enumerate(pairs):
        rest = np.setdiff1d(np.arange(score.shape[1]), (known, few))
        arms = [*rng.choice(rest, OTHERS, replace=False).tolist(), known, few]
        order = [rng.permutation(count) for _ in arms]
        truth = marking.queries.score[:, few]
        for r, rows in enumerate(ROWS):
            own = [one[: rows if k == OTHERS + 1 else KNOWN] for k, one in enumerate(order)]
            arm = np.repeat(np.arange(len(arms)), [len(one) for one in own])
            query = np.concatenate(own)
            sums = gather(x[query], score[query, np.array(arms)[arm]][:, None], arm, len(arms))
            for way, families in enumerate(((), [np.array([OTHERS, OTHERS + 1])])):
                for head in filter(None, solve(sums, families)):
                    said = head.mean(new)[:, OTHERS + 1]
                    found[p, r, way] = said.mean() - truth.mean(), np.mean((said - truth) ** 2)
    return found
