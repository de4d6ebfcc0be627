"""Sums of parts are those of the whole, and what a file holds of them is all that they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.support.worlds import World
from zetaroute.learn.incremental.sufficient_statistics import (
    SufficientStatistics,
    gather_rows,
    packed,
    unpacked,
)
from zetaroute.learn.samples import Sample, take
from zetaroute.registry import pack, unpack

SIZE = 7
WORLD = World(right={"dates": (0.9, 0.4), "sorting": (0.5, 0.9)}, cost_usd=(0.0001, 0.002))


def logged(seed: int) -> Sample:
    """Rows of which some have no label, some a rating, some no answer, and some a label of little trust."""
    rng = np.random.default_rng(seed)
    rows = WORLD.log(120, seed=seed)
    return replace(
        rows,
        accuracy=np.where(rng.random(120) < 0.3, np.nan, rows.accuracy),
        satisfaction=np.where(rng.random(120) < 0.2, rng.random(120), np.nan),
        answered=rng.random(120) < 0.9,
        weight=np.where(rng.random(120) < 0.1, 0.25, 1.0),
        trust=rng.integers(1, 9, 120) / 8,
    )


def sums_of(rows: Sample) -> SufficientStatistics:
    x = np.array([np.random.default_rng(int(key) % 2**32).normal(size=SIZE) for key in rows.key])
    index = np.arange(len(rows.arm))
    return gather_rows(rows, index, lambda some: x.reshape(-1, SIZE)[some], arms=WORLD.count, size=SIZE)


def assert_same(one: SufficientStatistics, other: SufficientStatistics) -> None:
    for name in ("gram", "moment", "square", "total", "rows"):
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=1e-12, atol=1e-12, err_msg=name
        )


@given(seed=st.integers(0, 10_000), parts=st.integers(1, 5))
def test_parts_add_up_to_the_whole_through_their_files(seed, parts):
    rows = logged(seed)
    place = np.random.default_rng(seed).integers(parts, size=120)
    found = [unpacked(unpack(pack(packed(sums_of(take(rows, place == part)))))) for part in range(parts)]
    total = found[0]
    for one in found[1:]:
        total = total + one
    assert_same(total, sums_of(rows))


def test_targets_over_the_same_rows_keep_one_matrix_through_the_file():
    rows = logged(2)
    rows = replace(
        rows,
        accuracy=np.ones(120),
        satisfaction=np.full(120, np.nan),
        answered=np.ones(120, dtype=bool),
        trust=np.ones(120),
    )
    arrays = packed(sums_of(rows))
    assert len(arrays["gram"]) == 2
    accuracy, satisfaction, response, cost = unpacked(arrays).gram
    assert accuracy is response is cost
    assert not satisfaction.any()


@pytest.mark.parametrize("gone", ["gram", "gram_of", "moment", "rows"])
def test_what_is_not_whole_is_refused(gone):
    arrays = packed(sums_of(logged(3)))
    del arrays[gone]
    with pytest.raises(KeyError):
        unpacked(arrays)
