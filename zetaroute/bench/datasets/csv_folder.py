"""Read RouteLLM's tables: a CSV file per benchmark with the prompt and one column of verdicts per model.

Other columns (the models' responses) are left out, and so are prompts that a `contaminated_prompts.jsonl` beside
the tables names: they are known from the training of that project's routers, whose figures leave them out too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from zetaroute.bench.datasets.router_rows import objects
from zetaroute.errors import UsageError

PROMPT = "prompt"
VERDICTS = {"true": 1.0, "false": 0.0}


def read(files: Sequence[Path], root: Path) -> pl.DataFrame:
    """Return the long rows of all tables; raises UsageError when one has no prompt or no model."""
    known = _contaminated(root if root.is_dir() else root.parent)
    tables = [_table(file) for file in files]
    return (
        pl.concat(tables)
        .filter(~pl.col("query").is_in(known))
        .with_columns(
            pl.lit(root.stem).alias("dataset"),
            pl.lit("all").alias("split"),
            pl.lit(None, dtype=pl.Float64).alias("cost_usd"),
            pl.lit(None, dtype=pl.Float64).alias("latency_s"),
        )
    )


def _table(file: Path) -> pl.DataFrame:
    try:
        found = pl.read_csv(file, infer_schema=False, encoding="utf8-lossy")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UsageError(f"{file} cannot be read as CSV ({str(error).splitlines()[0]}).") from error
    if PROMPT not in found.columns:
        raise UsageError(f"{file} lacks the column {PROMPT}: name tables of prompts and verdicts.")
    scores = {name: _scores(found[name]) for name in found.columns if _may_be_model(name)}
    models = [name for name, column in scores.items() if column is not None]
    if not models:
        raise UsageError(f"{file} has no column of verdicts (True, False or 0..1) beside the prompt.")
    task = file.stem.removesuffix("_responses")
    return (
        found.select(pl.col(PROMPT).alias("query"))
        .with_columns(*(scores[name] for name in models if scores[name] is not None))
        .with_row_index("row")
        .filter(pl.col("query").is_not_null())
        .unpivot(index=["row", "query"], on=models, variable_name="model", value_name="score")
        .select(
            pl.lit(task).alias("task"),
            pl.format("{}/{}", pl.lit(task), pl.col("row")).alias("query_id"),
            "query",
            "model",
            "score",
        )
    )


def _may_be_model(name: str) -> bool:
    """Index columns that data frames leave behind have no name of their own."""
    return name != PROMPT and not name.endswith("_response") and bool(name) and not name.startswith("Unnamed")


def _scores(column: pl.Series) -> pl.Series | None:
    """Return the verdicts of a model as numbers, or None when the column holds something else."""
    words = column.str.strip_chars().str.to_lowercase()
    scores = words.replace_strict(VERDICTS, default=None, return_dtype=pl.Float64).fill_null(
        words.cast(pl.Float64, strict=False)
    )
    readable = scores.is_not_null().sum() == column.is_not_null().sum()
    return scores.alias(column.name) if readable and scores.is_not_null().any() else None


def _contaminated(folder: Path) -> list[str]:
    found = []
    for file in sorted(folder.rglob("contaminated_prompts.jsonl")):
        for line, row in objects(file):
            if "eval_prompt" not in row:
                raise UsageError(f"{file}, line {line} has no eval_prompt.")
            found.append(str(row["eval_prompt"]))
    return found
