"""Surveys of the parts of a log add up to the survey of the whole, however it is divided."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, strategies as st

from zetaroute.domain import Arm
from zetaroute.learn.incremental.survey import MOST_OF_ARM, Newest, Survey, survey, total

ARMS = tuple(Arm(id=name, provider="practice", model="small") for name in ("a", "b", "practice/c"))
START = datetime(2026, 1, 1)


def made(rows: int, seed: int) -> pl.DataFrame:
    """A log with ties in time, repeated texts whose labels change, and models that are no arms any more."""
    rng = np.random.default_rng(seed)
    models = ["a", "b", "practice/c", "gone"]

    def sometimes(share: float, values):
        return [value if rng.random() < share else None for value in values]

    return pl.DataFrame(
        {
            "id": [f"{n:06d}" for n in rng.permutation(rows)],
            "time": [
                START + timedelta(seconds=int(s)) for s in np.sort(rng.integers(0, rows // 3 + 1, rows))
            ],
            "query": [f"text {n}" for n in rng.integers(0, rows // 2 + 1, rows)],
            "task": sometimes(0.5, rng.choice(["sums", "dates"], rows).tolist()),
            "model": rng.choice(models, rows).tolist(),
            "models": [models[:3] if rng.random() < 0.9 else models for _ in range(rows)],
            "policy_version": sometimes(0.9, ["v1"] * rows),
            "propensity": sometimes(0.8, [0.5] * rows),
            "fallback_of": sometimes(0.1, ["x"] * rows),
            "accuracy": sometimes(0.7, rng.random(rows).tolist()),
            "truth": sometimes(0.5, rng.random(rows).tolist()),
            "judge": sometimes(0.5, rng.random(rows).tolist()),
            "user_says": sometimes(0.2, rng.random(rows).tolist()),
            "satisfaction": sometimes(0.3, rng.random(rows).tolist()),
            "rating_simulated": (rng.random(rows) < 0.2).tolist(),
            "recorded": sometimes(0.9, (rng.random(rows) < 0.5).tolist()),
            "role": rng.choice(["served", "attempt", "audit"], rows).tolist(),
        },
        schema_overrides={"accuracy": pl.Float64, "fallback_of": pl.String, "models": pl.List(pl.String)},
    )


def assert_same(one: Survey, other: Survey) -> None:
    assert one.rows == other.rows
    for name in ("graded", "since", "until", "hash"):
        assert getattr(one, name) == getattr(other, name), name
    np.testing.assert_array_equal(one.arm_rows, other.arm_rows)
    for source, sums in one.pairs.items():
        np.testing.assert_allclose(sums, other.pairs[source], rtol=1e-12)
    for name in ("latest", "texts"):
        assert getattr(one, name).equals(getattr(other, name)), name
    assert one.newest() == other.newest()
    assert one.text_labels() == other.text_labels()


@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(0, 120), max_size=5), shuffled=st.booleans())
def test_parts_add_up_to_the_whole(seed, cuts, shuffled):
    log = made(120, seed)
    edges = [0, *sorted(cuts), 120]
    parts = [log[start:end] for start, end in pairwise(edges)]
    if shuffled:
        parts.reverse()
    assert_same(total([survey(part, ARMS, 3) for part in parts]), survey(log, ARMS, 3))


def test_counts_are_those_of_the_rows():
    log = made(300, 1)
    found = survey(log, ARMS, 0)
    training = log.filter(pl.col("model") != "gone")
    assert found.rows["all"] == 300
    assert found.rows["train"] == training.height == found.arm_rows.sum()
    assert found.graded == training["accuracy"].is_not_null().sum()
    unknown = log.filter(pl.col("propensity").is_null(), pl.col("role") != "audit")
    assert found.rows["without_propensity"] == unknown.height
    last = training.sort("time", "id").unique("query", keep="last")
    assert found.text_labels() == dict(last.select("query", "task").iter_rows())


def test_newest_rows_hold_those_of_rare_models():
    """The oldest rows of a model that hardly answers any more are among the newest of it."""
    rows = 60_000
    log = pl.DataFrame(
        {
            "id": [f"{n:06d}" for n in range(rows)],
            "time": [START + timedelta(seconds=n) for n in range(rows)],
            "model": ["b"] * 3000 + ["a"] * (rows - 3000),
        }
    )
    whole = made(4, 0).clear()
    columns = {
        name: pl.lit(None, dtype=kind).alias(name)
        for name, kind in whole.schema.items()
        if name not in log.columns
    }
    log = log.with_columns(
        **columns
        | {
            "query": pl.col("id"),
            "models": pl.lit(["a", "b"]),
            "rating_simulated": pl.lit(value=False),
        }
    )
    parts = [survey(log[start : start + 7000], ARMS, 0) for start in range(0, rows, 7000)]
    newest = total(parts).newest()
    kept = newest.select(log)
    assert kept["model"].value_counts(sort=True).rows() == [("a", 50_000), ("b", MOST_OF_ARM)]
    assert kept["id"].min() == "002000"


def test_nothing_is_among_the_newest_of_nothing():
    log = made(10, 0)
    assert Newest(start=None, of_model={}).select(log).height == 0
    assert total([survey(log.clear(), ARMS, 0)]).newest() == Newest(start=None, of_model={})


@pytest.mark.parametrize("seed", [0, 1])
def test_which_of_many_texts_are_kept_depends_on_the_seed_alone(seed):
    log = made(200, 5)
    ranks = survey(log, ARMS, seed).texts["rank"]
    assert ranks.is_sorted()
    assert survey(log.sample(fraction=1.0, shuffle=True, seed=9), ARMS, seed).texts["rank"].equals(ranks)
    assert not survey(log, ARMS, seed + 1).texts["rank"].equals(ranks)
