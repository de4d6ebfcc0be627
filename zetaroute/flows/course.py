"""How what was served went: over time with the changes of version marked, and per kind of query.

Apart from the comparison of two versions because it shows every version, and computes nothing that is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zetaroute.config import Objective
from zetaroute.domain import Figure
from zetaroute.evaluate.confidence import difference_figure, mean_figure, share_figure
from zetaroute.evaluate.kpi import Served
from zetaroute.flows.served import has_text, model_shares
from zetaroute.store.log import Log

MOST_BINS = 24
FEWEST_IN_BIN = 40
MOST_SEGMENTS = 24
EXAMPLES = 3
LONGEST_EXAMPLE = 300


def over_time(
    frame: pl.DataFrame, served: Served, objective: Objective, promotions: pl.DataFrame
) -> dict[str, Any]:
    """Return accuracy and utility of consecutive parts of what was served, and where the version changed.

    The parts hold equally many queries, so that every interval means the same; `promotions` has the columns
    `time`, `version` and `previous`.
    """
    utility = served.utility(objective)
    count = max(1, min(MOST_BINS, frame.height // FEWEST_IN_BIN))
    bins = []
    for part in np.array_split(np.arange(frame.height), count) if frame.height else []:
        first, last = int(part[0]), int(part[-1])
        bins.append(
            {
                "first": first + 1,
                "last": last + 1,
                "since": str(frame["time"][first]),
                "until": str(frame["time"][last]),
                "accuracy_rate": share_figure(served.accuracy[part]).json(),
                "utility_usd": mean_figure(utility[part]).json(),
            }
        )
    return {"bins": bins, "marks": _marks(frame, promotions)}


def read_promotions(log: Log) -> pl.DataFrame:
    """Return when which version was made current, oldest first."""
    with log.open() as connection:
        return pl.DataFrame(connection.sql("SELECT time, version, previous FROM promotions ORDER BY id"))


def _marks(frame: pl.DataFrame, promotions: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the changes of version after the first query, each with the number of queries before it."""
    times = frame["time"].dt.epoch("us").to_numpy()
    marks = []
    for moment, version, previous in promotions.iter_rows():
        at = int((times < pl.Series([moment]).dt.epoch("us").to_numpy()[0]).sum())
        if at:
            marks.append({"at": at, "time": str(moment), "version": version, "previous": previous})
    return marks


def by_segment(
    before: tuple[pl.DataFrame, Served], after: tuple[pl.DataFrame, Served]
) -> list[dict[str, Any]]:
    """Return shares per model and accuracy of every kind of query on two sides, the largest kind first."""
    sides = {"before": before, "after": after}
    names, counts = np.unique(
        np.concatenate([served.segment for _, served in sides.values()]), return_counts=True
    )
    order = np.argsort(-counts, kind="stable")[:MOST_SEGMENTS]
    return [_one_segment(str(name), sides) for name in names[order]]


def _one_segment(name: str, sides: dict[str, tuple[pl.DataFrame, Served]]) -> dict[str, Any]:
    told: dict[str, Any] = {"name": name, "rows": {}}
    accuracy: dict[str, Figure] = {}
    for side, (frame, served) in sides.items():
        here = served.segment == name
        told["rows"][side] = int(here.sum())
        told[side] = model_shares(frame.filter(pl.Series(here))) if here.any() else {}
        accuracy[side] = share_figure(served.accuracy[here])
    change = difference_figure(accuracy["after"], accuracy["before"])
    figures = {**accuracy, "difference": change}
    return told | {"accuracy_rate": {side: figure.json() for side, figure in figures.items()}}


def examples_of(
    frame: pl.DataFrame, segment: NDArray[np.str_], told: Sequence[dict[str, Any]]
) -> dict[str, list[str]]:
    """Return some queries of each kind that the model answered whose share there grew most.

    `frame` and `segment` (n,) are what was served after, `told` what `by_segment` returned. The texts are people's
    own: this is for a report that somebody asked for, never for an artifact.
    """
    found = {}
    for one in told:
        gains = {model: share - one["before"].get(model, 0.0) for model, share in one["after"].items()}
        if not gains:
            continue
        grown = max(sorted(gains), key=gains.__getitem__)
        here = frame.filter(pl.Series(segment == one["name"]) & (pl.col("model") == grown))
        texts = (
            here.filter(has_text(here))["query"]
            .drop_nulls()
            .unique(maintain_order=True)
            .head(EXAMPLES)
            .to_list()
        )
        found[one["name"]] = [text[:LONGEST_EXAMPLE] for text in texts if text.strip()]
    return found
