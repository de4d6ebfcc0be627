"""The section of docs/evidence.md on how a chain is fitted: a table in place of its posterior, and labels.

Training rows alone: chains are fitted on some of them and play others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.learner.chains import CASES, Case, recordings, worth
from zetaroute.arrays import Array, Index
from zetaroute.bench.chain_bench import chain_rows
from zetaroute.bench.datasets import Recordings
from zetaroute.bench.datasets.recordings import utility
from zetaroute.bench.full_information import arms_of, fit_full
from zetaroute.learn.chain_labels import ROWS_OF_MEAN, labelled, patterns
from zetaroute.learn.chains import LABELLED_BELOW, ChainRows, fit_chain, fit_posterior, moves_of, play_chain
from zetaroute.learn.fit import Fitted
from zetaroute.learn.routing_gain import fold_predictors, forecast_crossed
from zetaroute.policy.asking import chain_models
from zetaroute.policy.chain.posterior import Asked, logit, subsets
from zetaroute.policy.chain.value import MOST_ASKS
from zetaroute.policy.learned import with_lengths

TITLE = "## How a chain is fitted"
POOLS = (*CASES[:2], CASES[3])
AUDITED, SHARES = (100, 200), (0.05, 0.2)
SEEDS, MOST, HELD = 5, 900, 300
"""Draws of training rows, audited ones of which a share is graded, and rows that the chains play."""
OF_TABLE = 5.0
"""Rows of the mean that a pattern of agreement is given besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Audited rows, of which some are graded, and others that are played."""

    rows: ChainRows
    held: ChainRows
    train: Recordings
    """The graded rows with all models."""
    test: Recordings


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementTable:
    """How right models are by which answers agree, in place of a posterior."""

    means: Array
    joint: dict[Asked, Array]
    """(patterns, K) by the asked models."""

    def after(self, prior: Array, asked: Asked, views: Array, agreements: Array) -> Array:
        """Return log-odds (n, K): those by the query, moved as the pattern moves the mean."""
        return np.asarray(prior + logit(self.joint[asked][patterns(agreements, asked)]) - logit(self.means))

    def view(self, prior: Array, asked: int, signs: Array) -> Array:
        """Return log-odds (n, K), which an answer by itself does not move."""
        return prior


def section(folder: Path) -> list[str]:
    """Return the lines of the section."""
    return [
        TITLE,
        "",
        f"Points over the best single model on {HELD} training queries that were not fitted on, mean of {SEEDS}",
        "draws and of the prices, chains unguarded; ± is the standard error over the draws. No test row was seen.",
        "",
        "In place of the posterior, a table of how often models were right by which of the answers agree, with",
        f"{OF_TABLE:g} rows of the mean:",
        "",
        *_row("pool", "audited", "posterior", "table"),
        *_row(*["---"] * 4),
        *_tables(folder),
        "",
        "Audited queries without a grade, labelled with the probability that such a pattern of agreement is right,",
        f"by those with one and {ROWS_OF_MEAN:g} rows of the mean; at most {MOST} audited queries:",
        "",
        *_row("pool", "graded", "without labels", "with", "all graded"),
        *_row(*["---"] * 5),
        *_labels(folder),
        "",
        "The table is worse wherever it is told from the posterior, which with few rows keeps to what is known by",
        "the query, so it was left out. Labels pay where few rows are graded and cost where more are: they are used",
        f"below {LABELLED_BELOW} graded queries.",
        "",
    ]


def _tables(folder: Path) -> Iterator[str]:
    for case, data in _sets(folder):
        for audited in AUDITED:
            found = [_draw(case, data, audited, audited, seed) for seed in range(SEEDS)]
            gains = [[_gain(one, case, way) for one in found] for way in (None, tabled)]
            yield from _row(case.label, str(audited), *map(_spread, gains))


def _labels(folder: Path) -> Iterator[str]:
    for case, data in _sets(folder):
        audited = min(MOST, int((~data.test).sum()) - HELD)
        for share in SHARES:
            found = [_draw(case, data, audited, int(share * audited), seed) for seed in range(SEEDS)]
            every = [_draw(case, data, audited, audited, seed) for seed in range(SEEDS)]
            gains = (
                [_gain(one, case, fit_posterior) for one in found],
                [_gain(one, case) for one in found],
                [_gain(one, case) for one in every],
            )
            yield from _row(case.label, f"{share:.0%}", *map(_spread, gains))


def _sets(folder: Path) -> Iterator[tuple[Case, Recordings]]:
    for case in POOLS:
        yield case, recordings(folder, case)


def smoothed(right: Array, pattern: Index, count: int, weight: float) -> Array:
    """Return how right models are by pattern (count, K), with `weight` rows of their mean; NaN is not known."""
    means, found = np.nanmean(right, axis=0), np.zeros((count, right.shape[1]))
    for number in range(count):
        here = right[pattern == number]
        known = ~np.isnan(here)
        found[number] = (np.nan_to_num(here).sum(axis=0) + weight * means) / (known.sum(axis=0) + weight)
    return found


def tabled(rows: ChainRows) -> tuple[Any, Any]:
    """Return the table of some rows, and how answers that are still to come may move it."""
    count = rows.right.shape[1]
    joint = {
        asked: smoothed(
            rows.right, patterns(rows.agreements, asked), 1 << len(asked) * (len(asked) - 1) // 2, OF_TABLE
        )
        for asked in subsets(count, min(MOST_ASKS, count))
    }
    table: Any = AgreementTable(means=np.nanmean(rows.right, axis=0), joint=joint)
    return table, moves_of(rows, table, np.zeros(rows.right.shape))


def _draw(case: Case, data: Recordings, audited: int, graded: int, seed: int) -> Drawn:
    """Draw training rows; heads know the graded ones alone."""
    train = data.side(test=False)
    order = np.random.default_rng(seed).permutation(len(train.texts))
    seen, test = (
        train.take(np.isin(np.arange(len(order)), some)) for some in (order[:audited], order[-HELD:])
    )
    known = np.zeros(audited, dtype=bool)
    known[np.random.default_rng([seed, 1]).permutation(audited)[: max(graded, 45)]] = True
    told = seen.take(known)
    arms, objective = arms_of(data), worth(case.prices[-1])
    model = fit_full(told, arms, objective=objective, seed=0, jobs=1)
    places = chain_models(told.score.mean(axis=0), told.mean_costs())
    vectors = [_vectors(model, side) for side in (told, seen, test)]
    others = fold_predictors(
        np.repeat(vectors[0][:, 1:], len(arms), axis=0), told.full_sample(use_task=False), arms, model.map
    )
    forecasts = (
        forecast_crossed(others, vectors[1], seen.groups(), arms),
        replace(model.predictor, centre=None).forecast(vectors[2], arms),
    )
    rows, held = (
        chain_rows(side, forecast, model.map.cells(vector[:, 1:]), places)
        for side, forecast, vector in zip((seen, test), forecasts, vectors[1:], strict=True)
    )
    rows = replace(rows, right=np.where(known[:, None], rows.right, np.nan))
    return Drawn(rows=rows, held=held, train=told, test=test)


def _vectors(model: Fitted, side: Recordings) -> Array:
    return with_lengths(side.texts, model.vectors(side.texts, side.labels(use_task=False)))


def _gain(drawn: Drawn, case: Case, way: Callable[[ChainRows], tuple[Any, Any]] | None = None) -> float:
    """Return what a chain gains over the best single model of the graded rows, in points; None: by labels."""
    arms = arms_of(drawn.test)
    every = np.ones(len(drawn.rows.texts), dtype=bool)
    labels = labelled(drawn.rows.right, drawn.rows.agreements, every)
    fit = fit_chain(replace(drawn.rows, right=labels), arms)
    if fit is None:
        return 0.0
    plan = fit.plan
    if way is not None:
        posterior, moves = way(drawn.rows)
        plan = replace(plan, posterior=posterior, moves=moves)
    found = []
    for price in case.prices:
        objective = worth(price)
        single = int(np.argmax(utility(drawn.train, objective).mean(axis=0)))
        base = utility(drawn.test, objective)[:, single]
        gained = play_chain(plan, drawn.held, arms, objective).utility(drawn.held, objective, base) - base
        found.append(100.0 * float(gained.mean()) / objective.answer_value_usd)
    return float(np.mean(found))


def _spread(gains: list[float]) -> str:
    return f"{np.mean(gains):+.2f} ± {np.std(gains, ddof=1) / np.sqrt(len(gains)):.2f}"


def _row(*entries: str) -> list[str]:
    return ["| " + " | ".join(entries) + " |"]
