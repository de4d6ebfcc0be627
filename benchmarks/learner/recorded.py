"""The recordings that the learner is measured on, and what an answer is worth there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from zetaroute.bench.datasets import Recordings, parquet, read_recordings
from zetaroute.bench.datasets.recordings import Split, from_long
from zetaroute.config import Objective

SCORE_ONLY = 1e6
"""USD per answer at which costs and times do not count any more."""
POOL = (
    "claude-3-5-sonnet-20240620",
    "gpt-4-0125-preview",
    "gpt-4o-mini-2024-07-18",
    "gpt-4o-2024-08-06-FC",
    "gemini-1.5-flash-preview-0514",
    "claude-3-haiku-20240307",
    "open-mistral-nemo-2407-FC-Any",
    "open-mixtral-8x22b",
    "command-r-plus",
    "gpt-3.5-turbo-0125-FC",
    "mistral-medium-2312",
    "claude-instant-1.2",
)
"""The twelve of bfcl that have scores, costs and times."""
WEIGHTS: dict[str, list[tuple[str, float, float]]] = {
    "ulab9": [("score", 0, 0)],
    "paretobandit": [
        ("score", 0, 0),
        (".005 per $/1k", 0.005, 0),
        (".03 per $/1k", 0.03, 0),
        (".1 per $/1k", 0.1, 0),
    ],
    "mmlu_pro": [(".1 per $/1k", 0.1, 0)],
    "bfcl": [
        ("score", 0, 0),
        (".01 per $/1k", 0.01, 0),
        (".05 per $/1k", 0.05, 0),
        (".02 per s", 0, 0.02),
        (".1 per s", 0, 0.1),
    ],
}
"""By set: label, points per USD per 1,000 queries, points per second."""
MORE: dict[str, list[tuple[str, float, float]]] = {
    "farel": [("score", 0, 0)],
    "routellm": [(".15 per call of gpt-4", 0.15, 0)],
}
"""Sets that only routing with full information is measured on."""


def objective(per_dollar: float, per_second: float) -> Objective:
    """Return the objective for a price of money (points per USD per 1,000 queries) or of a second."""
    if per_dollar:
        return Objective(
            answer_value_usd=1 / (1000 * per_dollar), satisfaction_value_usd=0.0, second_value_usd=0.0
        )
    return Objective(
        answer_value_usd=SCORE_ONLY, satisfaction_value_usd=0.0, second_value_usd=SCORE_ONLY * per_second
    )


def sets(folder: Path, *, more: bool = False) -> Iterator[tuple[str, Recordings]]:
    """Return the sets that are in a folder, those of MORE too if asked for."""
    for name in WEIGHTS | MORE if more else WEIGHTS:
        path = folder / f"{name}.parquet"
        if not path.is_file():
            continue
        if name == "routellm":
            yield name, _calls_of_the_strong(path)
        else:
            yield name, read_recordings(path, models=POOL if name == "bfcl" else None)


def _calls_of_the_strong(path: Path) -> Recordings:
    """Return RouteLLM's queries, split by their texts, with a charge for the stronger model: it records no costs."""
    long = parquet.read(path).filter(pl.col("split") != "contaminated").with_columns(split=pl.lit(""))
    found = from_long(long, path, models=None, split=Split())
    strong = found.score.mean(axis=0).argmax()
    cost = np.where(np.arange(len(found.models)) == strong, 0.001, 0.0)
    return replace(found, cost_usd=np.tile(cost, (len(found.texts), 1)))
