"""Queries times models as matrices, and how long rows become them: every model answered every query."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zetaroute.arrays import Array, Mask
from zetaroute.config import Objective
from zetaroute.domain import unit_of
from zetaroute.errors import UsageError
from zetaroute.learn.samples import Sample

SCHEMA = {
    "dataset": pl.String,
    "task": pl.String,
    "split": pl.String,
    "query_id": pl.String,
    "query": pl.String,
    "model": pl.String,
    "score": pl.Float64,
    "cost_usd": pl.Float64,
    "latency_s": pl.Float64,
}
"""The columns of long rows, whatever the format that they came from."""
VALUES = ("score", "cost_usd", "latency_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recordings:
    """n queries answered by K models."""

    dataset: str
    models: tuple[str, ...]
    texts: tuple[str, ...]
    tasks: NDArray[np.str_]
    """(n,) task labels."""
    score: Array
    """(n, K) 0..1"""
    cost_usd: Array
    """(n, K), NaN where unknown."""
    latency_s: Array
    """(n, K), NaN where unknown."""
    test: Mask
    """(n,) the test side of the split."""
    responses: tuple[tuple[str, ...], ...] | None = None
    """(n, K) what was answered; None where that was not recorded."""

    def side(self, *, test: bool) -> Recordings:
        """Return one side of the split."""
        return self.take(self.test == test)

    def take(self, keep: Mask) -> Recordings:
        """Return the chosen queries."""
        return Recordings(
            dataset=self.dataset,
            models=self.models,
            texts=tuple(compress(self.texts, keep)),
            tasks=self.tasks[keep],
            score=self.score[keep],
            cost_usd=self.cost_usd[keep],
            latency_s=self.latency_s[keep],
            test=self.test[keep],
            responses=None if self.responses is None else tuple(compress(self.responses, keep)),
        )

    def labels(self, *, use_task: bool) -> list[str | None]:
        """Return the task labels, or none of them where they are not to be used."""
        return [str(task) or None if use_task else None for task in self.tasks]

    def mean_costs(self) -> Array:
        """Return the mean known cost of each model in USD (K,), NaN where none is known."""
        known = ~np.isnan(self.cost_usd)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.nan_to_num(self.cost_usd).sum(axis=0) / known.sum(axis=0))

    def groups(self) -> NDArray[np.uint64]:
        """Return the number of each query's text, (n,)."""
        return np.array([unit_of(None, text) for text in self.texts], dtype=np.uint64)

    def full_sample(self, *, use_task: bool) -> Sample:
        """Return every query with every model as rows of a log, query by query."""
        n, arms = self.score.shape
        return Sample(
            texts=[text for text in self.texts for _ in range(arms)],
            tasks=[task for task in self.labels(use_task=use_task) for _ in range(arms)],
            key=np.repeat(np.arange(n, dtype=np.uint64), arms),
            arm=np.tile(np.arange(arms), n),
            accuracy=self.score.ravel(),
            lost=np.zeros(n * arms, dtype=bool),
            satisfaction=np.full(n * arms, np.nan),
            response_s=self.latency_s.ravel(),
            cost_usd=self.cost_usd.ravel(),
            answered=np.ones(n * arms, dtype=bool),
            pmf=np.full((n * arms, arms), 1.0 / arms),
            eligible=np.ones((n * arms, arms), dtype=bool),
            tokens=np.full((n * arms, 2), np.nan),
            time_s=np.zeros(n * arms),
            decision=np.arange(n * arms, dtype=np.uint64),
            shadow=np.zeros(n * arms, dtype=bool),
            seeded=np.ones(n * arms, dtype=bool),
            audited=np.ones(n * arms, dtype=bool),
            audit_probability=np.ones(n * arms),
            live=np.zeros(n * arms, dtype=bool),
            group=np.repeat(self.groups(), arms),
            weight=np.ones(n * arms),
            trust=np.ones(n * arms),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Which queries are learned from and which are marked by."""

    train: str = "train"
    test: str = "test"
    test_share: float = 0.3
    """Where the rows do not name both: a query is test when `int(sha1(query), 16) % 10 < 10 test_share`."""


def from_long(long: pl.DataFrame, path: Path, *, models: Sequence[str] | None, split: Split) -> Recordings:
    """Return the queries that every one of the models answered, from one row per query and model.

    `long` has the columns dataset, task, split, query_id, query, model, score, cost_usd, latency_s; `path` is
    where it came from. Raises UsageError for unknown models, scores outside 0..1, and when no query is left.
    """
    present = long["model"].unique().sort().to_list()
    chosen = list(dict.fromkeys(models)) if models else present
    unknown = [model for model in chosen if model not in present]
    if unknown:
        raise UsageError(f"{path} has no model {unknown[0]!r}; it has {', '.join(present[:20])}.")
    labelled = {split.train, split.test} <= set(long["split"].unique().to_list())
    long = long.filter(pl.col("model").is_in(chosen))
    if labelled:
        long = long.filter(pl.col("split").is_in([split.train, split.test]))
    _require_scores(long, path)
    values = {name: _wide(long, name, chosen) for name in VALUES}
    heads = (
        long.group_by("query_id").agg(pl.col("query", "task", "split", "dataset").first()).sort("query_id")
    )
    complete = np.asarray(~np.isnan(values["score"]).any(axis=1))
    heads = heads.filter(pl.Series(complete, dtype=pl.Boolean))
    if heads.height == 0:
        raise UsageError(
            f"{path} has no query that all of {', '.join(chosen[:20])} answered: choose fewer with --models."
        )
    texts = heads["query"].to_list()
    if labelled:
        test = (heads["split"] == split.test).to_numpy()
    else:
        test = np.array([_hash_share(text) < 10 * split.test_share for text in texts])
    return Recordings(
        dataset=str(heads["dataset"][0]),
        models=tuple(chosen),
        texts=tuple(texts),
        tasks=np.array(heads["task"].fill_null("").to_list(), dtype=np.str_),
        score=values["score"][complete],
        cost_usd=values["cost_usd"][complete],
        latency_s=values["latency_s"][complete],
        test=test.astype(bool),
        responses=_responses(long, chosen, complete),
    )


def _responses(
    long: pl.DataFrame, models: Sequence[str], complete: Mask
) -> tuple[tuple[str, ...], ...] | None:
    """Return what every model answered to the complete queries, (n, K); None where most answers are not there."""
    if "response" not in long.columns or 2 * long["response"].null_count() > long.height:
        return None
    wide = long.pivot(on="model", index="query_id", values="response", aggregate_function="first")
    wide = wide.sort("query_id").select(pl.col(list(models)).cast(pl.String).fill_null(""))
    return tuple(compress(wide.iter_rows(), complete))


def _require_scores(long: pl.DataFrame, path: Path) -> None:
    """A scale of 1 to 10 would make every utility wrong by a factor: refuse it."""
    wrong = long.filter(~pl.col("score").is_between(0.0, 1.0) & pl.col("score").is_not_nan())
    if wrong.height:
        score, model = wrong["score"][0], wrong["model"][0]
        raise UsageError(f"{path} has the score {score:g} for {model}: scores lie between 0 and 1.")


def _wide(long: pl.DataFrame, name: str, models: Sequence[str]) -> Array:
    wide = long.pivot(on="model", index="query_id", values=name, aggregate_function="first").sort("query_id")
    return (
        wide.select(pl.col(list(models)).cast(pl.Float64).fill_null(float("nan")))
        .to_numpy()
        .astype(np.float64)
    )


def _hash_share(text: str) -> int:
    return int(hashlib.sha1(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest(), 16) % 10


def utility(queries: Recordings, objective: Objective) -> Array:
    """Return the utility of every model on every query in USD, (n, K); an unknown time counts nothing."""
    return np.asarray(
        objective.answer_value_usd * queries.score
        - charged(queries)
        - objective.second_value_usd * np.nan_to_num(queries.latency_s)
    )


def charged(queries: Recordings) -> Array:
    """Return the costs (n, K), an unknown one as the highest known of its query, as decisions count it."""
    known = np.nan_to_num(queries.cost_usd)
    return np.where(np.isnan(queries.cost_usd), known.max(axis=1, keepdims=True), known)
