"""How what was served went: parts of equal size, marks where the version changed, kinds of queries, examples."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from zetaroute.config import Objective, Settings
from zetaroute.evaluate.kpi import Served
from zetaroute.flows.course import EXAMPLES, LONGEST_EXAMPLE, by_segment, examples_of, over_time
from zetaroute.flows.served import as_served, with_opinion

START = datetime(2026, 1, 1)
NO_PROMOTION = {"time": pl.Datetime, "version": pl.String, "previous": pl.String}
FIGURES = (
    "response_s",
    "ttft_s",
    "cost_usd",
    "router_s",
    "router_cost_usd",
    "judge_cost_usd",
    "satisfaction",
)
OBJECTIVE = Objective(answer_value_usd=0.01, satisfaction_value_usd=0.0, second_value_usd=0.0)


def served(
    accuracy: list[float | None], *, models: list[str] | None = None, kinds: list[str] | None = None
) -> tuple[pl.DataFrame, Served]:
    """Return what was served, a query per minute."""
    n = len(accuracy)
    frame = pl.DataFrame(
        {
            "time": [START + timedelta(minutes=number) for number in range(n)],
            "model": models or ["m0"] * n,
            "query": [f"query {number}" for number in range(n)],
            "status": ["ok"] * n,
            "fell_back": [False] * n,
            "escalated": [False] * n,
            "accuracy": accuracy,
            "store": None,
            "forgotten": None,
            "task": [None] * n,
            "ask_probability": [None] * n,
            "asked": [None] * n,
            "prompted": [False] * n,
            **{name: [0.0] * n for name in FIGURES},
        },
        schema_overrides={"accuracy": pl.Float64, "time": pl.Datetime}
        | dict.fromkeys(("model", "query", "status", "task"), pl.String)
        | {"ask_probability": pl.Float64, "asked": pl.Boolean, "prompted": pl.Boolean},
    )
    frame = with_opinion(frame)
    return frame, as_served(frame, Settings(arms=()), kinds)


def promotions(*changes: tuple[int, str]) -> pl.DataFrame:
    rows = [
        {"time": START + timedelta(minutes=minute, seconds=-30), "version": version, "previous": "v0000"}
        for minute, version in changes
    ]
    return pl.DataFrame(rows, schema=NO_PROMOTION)


def test_parts_are_of_equal_size_and_marks_stand_where_the_version_changed() -> None:
    frame, arrays = served([0.0] * 100 + [1.0] * 100)
    told = over_time(frame, arrays, OBJECTIVE, promotions((0, "v0001"), (100, "v0002"), (200, "v0003")))
    bins = told["bins"]
    assert [(one["first"], one["last"]) for one in bins] == [(40 * k + 1, 40 * k + 40) for k in range(5)]
    assert [one["accuracy_rate"]["value"] for one in bins] == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert [one["utility_usd"]["value"] for one in bins] == pytest.approx([0.0, 0.0, 0.005, 0.01, 0.01])
    assert bins[2]["accuracy_rate"]["low"] < 0.5 < bins[2]["accuracy_rate"]["high"]
    assert [(mark["version"], mark["at"]) for mark in told["marks"]] == [("v0002", 100), ("v0003", 200)]


@pytest.mark.parametrize(("rows", "parts"), [(0, 0), (1, 1), (79, 1), (80, 2), (40 * 100, 24)])
def test_number_of_parts(rows: int, parts: int) -> None:
    frame, arrays = served([1.0] * rows)
    bins = over_time(frame, arrays, OBJECTIVE, promotions())["bins"]
    assert len(bins) == parts
    assert sum(one["last"] - one["first"] + 1 for one in bins) == rows


def test_a_part_that_nobody_judged_has_no_figure() -> None:
    frame, arrays = served([None] * 40 + [1.0] * 40)
    first, second = over_time(frame, arrays, OBJECTIVE, promotions())["bins"]
    assert first["accuracy_rate"]["value"] is first["utility_usd"]["value"] is None
    assert second["accuracy_rate"]["n"] == 40


def test_kinds_of_queries_on_two_sides() -> None:
    before = served([1.0, 0.0, 1.0], models=["m0", "m0", "m1"], kinds=["a", "a", "b"])
    after = served([1.0, 1.0, 1.0], models=["m1", "m1", "m0"], kinds=["a", "a", "c"])
    told = {one["name"]: one for one in by_segment(before, after)}
    assert next(iter(told)) == "a"
    assert told["a"]["rows"] == {"before": 2, "after": 2}
    assert (told["a"]["before"], told["a"]["after"]) == ({"m0": 1.0}, {"m1": 1.0})
    assert told["a"]["accuracy_rate"]["difference"]["value"] == 0.5
    assert (told["b"]["after"], told["c"]["before"]) == ({}, {})
    assert told["b"]["accuracy_rate"]["difference"]["value"] is None


def test_examples_are_of_the_model_that_grew_short_and_few() -> None:
    before = served([1.0] * 4, models=["m0"] * 4, kinds=["a"] * 4)
    frame, arrays = served([1.0] * 8, models=["m0"] * 2 + ["m1"] * 6, kinds=["a"] * 8)
    texts = ["old 1", "old 2", "", "long " * 200, "twice", "twice", "one", "two"]
    frame = frame.with_columns(query=pl.Series(texts))
    told = by_segment(before, (frame, arrays))
    found = examples_of(frame, arrays.segment, told)
    assert list(found) == ["a"]
    assert 0 < len(found["a"]) <= EXAMPLES
    assert not {"old 1", "old 2", ""} & set(found["a"])
    assert max(map(len, found["a"])) <= LONGEST_EXAMPLE
    assert "twice" in found["a"]
    assert np.unique(found["a"]).size == len(found["a"])
