"""Find out which format lies at a path, and read it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from zetaroute.bench.datasets import csv_folder, lm_eval, parquet, router_rows
from zetaroute.bench.datasets.recordings import Recordings, Split, from_long
from zetaroute.errors import UsageError

KNOWN = (
    "a Parquet file of the columns query_id, query, model, score; CSV files with a prompt and a column per model; "
    "JSON lines with query, model_name, performance; or lm-eval's folder of samples_*.jsonl"
)


def read_recordings(
    path: Path,
    *,
    models: Sequence[str] | None = None,
    train_split: str = "train",
    test_split: str = "test",
    test_share: float = 0.3,
) -> Recordings:
    """Read recorded outcomes from a file or a folder; only queries that every model answered are kept.

    Without the two splits in it a query is test when `int(sha1(query), 16) % 10 < 10 test_share`.
    Raises UsageError when there is nothing, nothing readable, or no such models.
    """
    split = Split(train=train_split, test=test_split, test_share=test_share)
    return from_long(_read(path), path, models=models, split=split)


def _read(path: Path) -> pl.DataFrame:
    if path.is_dir():
        return _read_folder(path)
    if not path.is_file():
        raise UsageError(f"there is no file or folder {path}: name {KNOWN}.")
    if path.suffix == ".csv":
        return csv_folder.read([path], path)
    if path.suffix in {".jsonl", ".ndjson"}:
        return router_rows.read([path], path)
    return parquet.read(path)


def _read_folder(path: Path) -> pl.DataFrame:
    samples = sorted(path.rglob("samples_*.jsonl"))
    if samples:
        return lm_eval.read(samples, path)
    tables = sorted(path.rglob("*.csv"))
    if tables:
        return csv_folder.read(tables, path)
    lines = sorted(path.rglob("*.jsonl"))
    if lines:
        return router_rows.read(lines, path)
    raise UsageError(f"{path} holds no recorded outcomes that are known here: name {KNOWN}.")
