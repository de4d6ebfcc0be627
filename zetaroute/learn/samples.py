"""Rows of a log, of recordings or of made worlds as arrays: what is fitted, judged and added up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Index, Mask
from zetaroute.policy.heads import SMALLEST

TARGETS = 4
"""How many things the linear heads learn of a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Rows of the frame as arrays, with arms as numbers."""

    texts: list[str]
    tasks: list[str | None]
    key: NDArray[np.uint64]
    """(n,) hash of the row's id, text and task: rows with one key have one vector."""
    arm: Index
    """(n,) position of the row's model in the list of arms."""
    accuracy: Array
    lost: Mask
    """(n,) whether an outage left the user without an answer: what was received is 0, what the model can unknown."""
    satisfaction: Array
    response_s: Array
    cost_usd: Array
    """(n,) at the prices of now, where tokens and prices are known; else as it was logged."""
    tokens: Array
    """(n, 2) input and output tokens."""
    time_s: Array
    """(n,) seconds since the epoch."""
    answered: Mask
    pmf: Array
    """(n, K) logged probabilities; rows without any are NaN."""
    eligible: Mask
    """(n, K)"""
    decision: NDArray[np.uint64]
    """(n,) number of the query's decision: its fallbacks and audits share it."""
    shadow: Mask
    """(n,) whether it was asked beside the answer that a user got, to learn from."""
    seeded: Mask
    """(n,) whether every model was asked."""
    audited: Mask
    """(n,) whether the coin of its decision let several models be asked."""
    audit_probability: Array
    """(n,) that of the coin; NaN where none was tossed."""
    live: Mask
    """(n,) whether a contest ran when it was decided."""
    group: NDArray[np.uint64]
    """(n,) number of the row's conversation or text: rows that share it depend on one another."""
    weight: Array
    """(n,) how much a row counts in a fit; below 1 where it tells of a time that is over."""
    trust: Array
    """(n,) how much its accuracy counts there beside one that is known for true (`learn.label_trust`)."""


def targets(rows: Sample) -> Array:
    """Return what the linear heads learn, (n, TARGETS): accuracy, satisfaction, log seconds, log USD; NaN unknown.

    The time of a failure is not that of an answer.
    """
    taken = np.where(rows.answered, rows.response_s, np.nan)
    return np.column_stack([rows.accuracy, rows.satisfaction, _log(taken), _log(rows.cost_usd)])


def target_weights(rows: Sample) -> Array:
    """Return how much the rows count for each target, (n, TARGETS): trust is about accuracy alone."""
    return np.column_stack([rows.weight * rows.trust, rows.weight, rows.weight, rows.weight])


def take(rows: Sample, keep: Mask) -> Sample:
    """Return the chosen rows of a sample."""
    values = {name: getattr(rows, name)[keep] for name in rows.__slots__ if name not in {"texts", "tasks"}}
    return Sample(texts=list(compress(rows.texts, keep)), tasks=list(compress(rows.tasks, keep)), **values)


def joined(samples: Sequence[Sample]) -> Sample:
    """Return several samples, at least one, as one."""
    values = {
        name: np.concatenate([getattr(part, name) for part in samples])
        for name in Sample.__slots__
        if name not in {"texts", "tasks"}
    }
    return Sample(
        texts=[text for part in samples for text in part.texts],
        tasks=[task for part in samples for task in part.tasks],
        **values,
    )


def at(rows: Sample, index: Index) -> Sample:
    """Return the rows of a sample at some positions, in their order."""
    where = index.tolist()
    values = {name: getattr(rows, name)[index] for name in rows.__slots__ if name not in {"texts", "tasks"}}
    return Sample(
        texts=[rows.texts[row] for row in where], tasks=[rows.tasks[row] for row in where], **values
    )


def _log(values: Array) -> Array:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.log(np.maximum(values, SMALLEST)))
