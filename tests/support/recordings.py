"""A recording with a known truth: two kinds of query, and a different model is right on each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

MODELS = ("big", "mid", "small")
SUMS = ("add", "sum", "total", "count", "plus", "minus", "number", "half")
WORDS = ("translate", "poem", "rhyme", "sentence", "verb", "noun", "letter", "story")
ACCURACY = {
    "sums": {"big": 0.55, "mid": 0.5, "small": 0.95},
    "words": {"big": 0.95, "mid": 0.5, "small": 0.2},
}
COST_USD = {"big": 0.002, "mid": 0.0005, "small": 0.0001}


def written(
    path: Path,
    *,
    queries: int = 300,
    seed: int = 0,
    accuracy: dict[str, dict[str, float]] = ACCURACY,
    cost_usd: dict[str, float] | None = COST_USD,
    split: bool = True,
) -> Path:
    """Write a Parquet file of recorded outcomes; a third of the queries are test where there is a split."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(queries):
        task, words = (("sums", SUMS), ("words", WORDS))[number % 2]
        text = f"{' '.join(rng.choice(words, 6))} {number}"
        for model in MODELS:
            rows.append(
                {
                    "dataset": "made",
                    "task": task,
                    "query_id": f"q{number:04}",
                    "query": text,
                    "model": model,
                    "score": float(rng.random() < accuracy[task][model]),
                    "latency_s": float(rng.uniform(0.1, 0.2)),
                }
                | ({"split": "test" if number % 3 == 0 else "train"} if split else {})
                | ({"cost_usd": cost_usd[model] * float(rng.uniform(0.8, 1.2))} if cost_usd else {})
            )
    pl.DataFrame(rows).write_parquet(path)
    return path
