"""The simulations behind docs/evidence.md run, at a size that shows only whether they do."""

from __future__ import annotations

import pytest

from benchmarks.statistics.__main__ import simulations
from benchmarks.statistics.coverage import coverage_cell
from benchmarks.statistics.ratings import regime
from benchmarks.statistics.sizes import QUICK


def test_every_table_is_written():
    lines = simulations(QUICK, jobs=1)
    assert [line for line in lines if line.startswith("## ")] == [
        "## Coverage of the 95% intervals",
        "## The table of before and after",
        "## What a promotion shows",
        "## False promotions over 100 looks",
        "## Power at the announced size",
        "## Canaries",
        "## Satisfaction when few rate",
    ]
    assert not any("nan" in line for line in lines)


@pytest.mark.parametrize("name", ["at random", "by accuracy", "by the rating, 2 times, opposite"])
def test_ratings_of_few_are_covered_or_held_by_the_band(name):
    told = regime(name, 40)
    assert told.given >= 35
    assert told.band == told.given
    assert told.interval >= 0.87 * told.given or name.endswith("opposite")


def test_intervals_cover_in_a_world_of_practice_models():
    cell = coverage_cell(1000, 0.05, 3, 60)
    assert all(held >= 0.88 * given for held, given in cell.covered.values())
    assert cell.covered["utility"][1] == 60
