"""Read the long Parquet format of the contract: one row per query and model."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from zetaroute.errors import UsageError

NEEDED = ("query_id", "query", "model", "score")


def read(path: Path) -> pl.DataFrame:
    """Return the long rows of a Parquet file. Raises UsageError when it is none or lacks columns."""
    try:
        found = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UsageError(f"{path} cannot be read as Parquet ({str(error).splitlines()[0]}).") from error
    missing = [name for name in NEEDED if name not in found.columns]
    if missing:
        raise UsageError(f"{path} lacks the columns {', '.join(missing)}.")
    for name, blank in (("dataset", path.stem), ("task", ""), ("split", "all")):
        if name not in found.columns:
            found = found.with_columns(pl.lit(blank).alias(name))
    for name in ("cost_usd", "latency_s"):
        if name not in found.columns:
            found = found.with_columns(pl.lit(None, dtype=pl.Float64).alias(name))
    try:
        return found.with_columns(
            pl.col("query_id").cast(pl.String),
            pl.col("score", "cost_usd", "latency_s").cast(pl.Float64),
        ).filter(pl.col("query").is_not_null() & pl.col("model").is_not_null())
    except pl.exceptions.PolarsError as error:
        raise UsageError(f"{path} has a column of another kind: {str(error).splitlines()[0]}.") from error
