"""The section of evidence.md on models that join later: what is expected of them at first, and who asks them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.learner.recorded import WEIGHTS, objective, sets
from zetaroute.arrays import Array
from zetaroute.bench.datasets import Recordings
from zetaroute.bench.full_information import arms_of
from zetaroute.bench.loop import Loop
from zetaroute.config import Objective, Settings
from zetaroute.domain import Prices
from zetaroute.policy.prior import PRIOR_ACCURACY, PRIOR_OUTPUT_TOKENS, PRIOR_RESPONSE_S

TITLE = "## Models that join later"
JOINS, ENDS = 1000, 2000
"""Answers after which the newcomer may be asked, and after which the play ends."""
WAYS = {"fixed": (True, None), "known": (False, None), "quota": (False, 0.0)}
"""Whether every prior is the config's default, and the share that is audited: None for the product's."""
RANKS = {"best": 0.0, "middle": 0.5, "worst": 1.0}
"""Newcomers, by their place among all models."""


def section(folder: Path, seeds: int) -> list[str]:
    """Return the lines of the section."""
    lines = [
        TITLE,
        "",
        f"One model of each set may be asked from the {JOINS:,}th answer on: the best single model, the one in the",
        f"middle, or the worst. Points per query until the {ENDS:,}th answer, audits paid for, over the single model",
        f"that is best in the end, on training queries, {seeds} seeds. 'fixed' expects {PRIOR_ACCURACY} ± .2 right",
        "answers of the newcomer, 'known' what the models are like that are known; with 'quota' nothing is audited,",
        "and the newcomer is given a tenth of the queries until it has 100 graded answers. 'asked' is the newcomer's",
        "share of all answers, 'served' of those that users got: with audits, and with the quota. ± is one standard",
        "error over the seeds, in the last row over all plays.",
        "",
        "| set | value | newcomer | fixed | known - fixed | quota - known | asked | served | asked, quota |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    gains = []
    for name, recordings in sets(folder):
        train = recordings.side(test=False)
        label, per_dollar, per_second = WEIGHTS[name][-1]
        worth = objective(per_dollar, per_second)
        for rank, place in RANKS.items():
            runs = np.array(
                [[_run(train, worth, place, seed, *way) for way in WAYS.values()] for seed in range(seeds)]
            )
            gains.append(runs[..., 0])
            shares = (f"{share:.0%}" for share in runs.mean(axis=0)[[1, 1, 2], [1, 2, 1]])
            lines.append(f"| {' | '.join([name, label, rank, *_gains(gains[-1]), *shares])} |")
    every = _gains(np.concatenate(gains))
    return [*lines, f"| mean | | | {' | '.join(every)} | | | |", ""]


def _gains(gain: Array) -> list[str]:
    """Return the figures of one row of the table, by gains (seeds, ways)."""
    fixed, known, quota = gain.T
    more = [
        f"{d.mean():+.2f} ± {d.std(ddof=1) / np.sqrt(len(d)):.2f}" for d in (known - fixed, quota - known)
    ]
    return [f"{fixed.mean():+.2f}", *more]


def _run(
    train: Recordings, worth: Objective, place: float, seed: int, fixed: bool, audit: float | None
) -> Array:
    """Return the points per query after the newcomer joined (3,), and its shares of answers asked and served."""
    prices = np.nanmean(train.cost_usd, axis=0) * 1e6 / PRIOR_OUTPUT_TOKENS
    arms = [
        replace(arm, prices=None if np.isnan(usd) else Prices(input=0.0, output=float(usd)))
        for arm, usd in zip(arms_of(train), prices, strict=True)
    ]
    if fixed:
        arms = [
            replace(arm, prior_accuracy=PRIOR_ACCURACY, prior_response_s=PRIOR_RESPONSE_S) for arm in arms
        ]
    loop = Loop(train, Settings(arms=tuple(arms), objective=worth), seed=seed, audit=audit, use_task=False)
    ranked = np.argsort(-loop.gains.mean(axis=0), kind="stable")
    newcomer = int(ranked[round(place * (len(ranked) - 1))])
    loop.closed = {arms[newcomer].id: "it has not joined yet"}
    order = np.random.default_rng(seed).permutation(len(train.texts))
    usd, asked, served = [], [], []
    for steps in loop.play(order, rows=ENDS):
        if not loop.closed:
            for step in steps:
                paid = (worth.answer_value_usd * train.score - loop.gains)[step.query, step.beside].sum()
                usd.append(step.utility_usd(loop.gains) - paid - loop.gains[step.query, ranked[0]])
                asked += (step.asked == newcomer).tolist()
                served.append(step.returned == newcomer)
        elif loop.rows >= JOINS:
            loop.closed = {}
    return np.array([100 * np.mean(usd) / worth.answer_value_usd, np.mean(asked), np.mean(served)])
