"""What was served, read from the log: one row per query with all its attempts counted, and its kind.

The one place that reads the view `served`; key figures, comparisons and reports all start from its frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from zetaroute.config import Home, Settings
from zetaroute.evaluate.kpi import Served
from zetaroute.evaluate.missing import after_columns
from zetaroute.evaluate.ope import FOLDS
from zetaroute.evaluate.opinion import Opinion, opinion
from zetaroute.evaluate.response import Asking, Seen
from zetaroute.features.kinds import cell_names
from zetaroute.flows.vectors import knowing
from zetaroute.learn.frame import on_one_scale
from zetaroute.learn.segments import segments
from zetaroute.policy import LearnedPredictor, Policy
from zetaroute.registry import COLD, Registry
from zetaroute.store.log import Log, rows_since

_COLUMNS = (
    "id, time, policy_version, model, task, query, embedding, embedding_model, status, fell_back, response_s, "
    "ttft_s, cost_usd, router_s, router_cost_usd, accuracy, accuracy_source, satisfaction, satisfaction_source, "
    "rating, thumbs, verdict, prompted, asked, ask_probability, rating_simulated, recorded, forced, judge_cost_usd, "
    "store, forgotten, escalated"
)
MOST_TASKS = 30
"""Task labels that may make a difference to who rates; rarer ones count as one."""
UNKEPT = "(text not kept)"
"""The kind of rows without a label whose text is forgotten or kept as a hash alone."""


def read_served(log: Log, *, since: str | None, texts: bool = True) -> pl.DataFrame:
    """Return what was served since a moment, oldest first; the queries' `texts` only where they are needed."""
    with log.open() as connection:
        wanted = _COLUMNS if texts else _COLUMNS.replace("query, embedding, embedding_model, ", "")
        frame = pl.DataFrame(rows_since(connection, f"SELECT {wanted} FROM served", since, order="id"))
    return with_opinion(on_one_scale(frame))


def with_opinion(frame: pl.DataFrame) -> pl.DataFrame:
    """Add the column `opinion`: satisfaction completed for who rates, by model, task and accuracy.

    Over all rows at once, so that a part and the whole never contradict each other.
    """
    usual = frame["task"].value_counts(sort=True)["task"].drop_nulls().head(MOST_TASKS).to_list()
    tasks = frame["task"].to_numpy()
    models, arm = np.unique(frame["model"].to_numpy().astype(np.str_), return_inverse=True)
    found = opinion(
        Seen(
            x=np.column_stack([np.ones(frame.height), *((tasks == task).astype(float) for task in usual)]),
            arm=arm.astype(np.int64),
            arms=max(len(models), 1),
            fold=np.arange(frame.height) % FOLDS,
            after=after_columns({"accuracy": _floats(frame, "accuracy")}),
        ),
        _floats(frame, "satisfaction"),
        Asking(
            chance=_floats(frame, "ask_probability"),
            asked=frame["asked"].fill_null(value=False).to_numpy().astype(bool),
            answered=frame["prompted"].to_numpy().astype(bool),
        ),
        could=(frame["status"] == "ok").to_numpy().astype(bool),
    )
    parts = pl.DataFrame(
        {name: getattr(found, name) for name in ("score", "liked", "expected", "silent", "counts")}
    )
    parts = parts.with_columns(completed=pl.lit(found.completed), asked=pl.lit(found.asked))
    return frame.with_columns(parts.to_struct("opinion"))


def as_served(frame: pl.DataFrame, settings: Settings, kinds: Sequence[str] | None = None) -> Served:
    """Return the rows of a frame as arrays, with the kind of each where `kinds` (n) gives it."""

    def column(name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        return _floats(frame, name)

    local = [arm.id for arm in settings.arms if arm.local]
    means = frame.group_by("model").agg(pl.col("cost_usd").mean())["cost_usd"].drop_nulls()
    dearest = float(means.max() or 0.0)  # type: ignore[arg-type]  # the maximum of a float column
    unknown = pl.when(pl.col("model").is_in(local)).then(0.0).otherwise(dearest)
    charged = frame.select(pl.coalesce("cost_usd", unknown))["cost_usd"]
    return Served(
        accuracy=column("accuracy"),
        opinion=_opinion(frame),
        rated=frame["satisfaction"].is_not_null().to_numpy().astype(np.float64),
        response_s=column("response_s"),
        ttft_s=column("ttft_s"),
        cost_usd=column("cost_usd"),
        charged_usd=charged.to_numpy().astype(np.float64),
        router_s=column("router_s"),
        router_cost_usd=column("router_cost_usd"),
        failed=(frame["status"] != "ok").to_numpy().astype(np.float64),
        judge_cost_usd=column("judge_cost_usd"),
        escalated=frame["escalated"].to_numpy().astype(np.float64),
        fell_back=frame["fell_back"].to_numpy().astype(np.float64),
        segment=np.array(kinds if kinds is not None else ["all"] * frame.height, dtype=np.str_),
    )


def kinds_of(frame: pl.DataFrame, policy: Policy, registry: Registry) -> list[str]:
    """Return each row's task label, else the cell of the policy's map that it lies in, by its stored name."""
    tasks = frame["task"].to_list()
    queries = [text if kept else None for text, kept in zip(frame["query"], has_text(frame), strict=True)]
    bare = sorted(
        {query for query, task in zip(queries, tasks, strict=True) if not task and query is not None}
    )
    predictor = policy.predictor
    if not bare or not isinstance(predictor, LearnedPredictor):
        return [task or "all" for task in tasks]
    predictor = knowing(predictor, frame, Home(registry.folder.parent))
    named = None if policy.version == COLD else registry.manifest(policy.version).get("segments")
    names = cell_names(named, len(predictor.map.spaces.coarse))
    # Texts repeat, and a vector costs more than everything else that is done with a row.
    cell = dict(zip(bare, predictor.map.cells(predictor.vectors(bare)[:, 1:]).tolist(), strict=True))
    cells = np.array([cell.get(query or "", 0) for query in queries], dtype=np.int64)
    known = [
        task or (None if query is not None else UNKEPT) for task, query in zip(tasks, queries, strict=True)
    ]
    return segments(known, cells, names)


def has_text(frame: pl.DataFrame) -> pl.Series:
    """Return of each row (n,) whether its text is there to be read."""
    return frame.select(pl.col("store").is_null() & pl.col("forgotten").is_null()).to_series()


def _opinion(frame: pl.DataFrame) -> Opinion:
    """Return the column `opinion` as arrays."""
    parts = frame["opinion"].struct.unnest()
    return Opinion(
        score=_floats(parts, "score"),
        liked=_floats(parts, "liked"),
        expected=_floats(parts, "expected"),
        silent=_floats(parts, "silent"),
        counts=parts["counts"].to_numpy().astype(bool),
        completed=bool(parts["completed"].any()),
        asked=bool(parts["asked"].any()),
    )


def sources(frame: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Return what accuracy and satisfaction stand on: rows by source, and how satisfaction was corrected."""
    known = _opinion(frame)
    by = {
        name: frame[column].drop_nulls().value_counts().iter_rows()
        for name, column in (("accuracy", "accuracy_source"), ("satisfaction", "satisfaction_source"))
    }
    counts = {name: {str(source): int(rows) for source, rows in sorted(rows)} for name, rows in by.items()}
    return {
        "accuracy": counts["accuracy"],
        "satisfaction": {
            **counts["satisfaction"],
            "simulated": int(frame["rating_simulated"].sum()),
            "prompted": int(frame["prompted"].sum()),
            "corrected": known.completed,
            "asked_only": known.asked,
        },
    }


def provenance(frame: pl.DataFrame) -> dict[str, int]:
    """Return on what the figures stand: rows by kind of model and by source of the judgement."""
    return {
        "recorded": int(frame["recorded"].sum()),
        "imported": int((frame["policy_version"].is_null() & frame["recorded"]).sum()),
        "practice": int(frame["model"].str.starts_with("practice/").sum()),
        "truth": int((frame["accuracy_source"] == "truth").sum()),
        "judge": int((frame["accuracy_source"] == "judge").sum()),
        "user": int((frame["accuracy_source"] == "user").sum()),
        "rated": int(frame["satisfaction"].is_not_null().sum()),
        "simulated_ratings": int(frame["rating_simulated"].sum()),
    }


def _floats(frame: pl.DataFrame, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)


def model_shares(frame: pl.DataFrame) -> Mapping[str, float]:
    """Return how often each model answered, by its id."""
    counts = frame.group_by("model").len().sort("model")
    return {model: count / frame.height for model, count in counts.iter_rows()}
