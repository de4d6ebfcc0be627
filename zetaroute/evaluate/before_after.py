"""Every KPI before and after, of two policies that answered the same queries side by side: one table that adds up.

A column is one weighted mean of the answers that were seen. Its calibration weights (Deville & Sarndal 1992) stay as
near to the inverse probabilities of seeing them as they can while agreeing with what was forecast for all queries.
All KPIs share them, so values stay in their ranges and the utility equals its parts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Index, Mask
from zetaroute.domain import Figure, Objective
from zetaroute.evaluate.calibration_weights import CalibratedMean, Weighting, combined
from zetaroute.evaluate.intervals import NOTHING

FEWEST_HITS = 20
"""Queries on which the policies differ and a column's own answer was seen; a column with fewer is refused."""
SMALLEST_PROBABILITY = 1e-9
BURDENS = ("cost_per_query_usd", "mean_response_s")
"""Amounts that the utility counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SideRows:
    """What one policy's choices brought over n scored units, arrays (n,); what was not seen may hold anything."""

    seen: Mask
    """Whether the answer of its choice was seen."""
    probability: Array
    """Of seeing it, known before the answer: a + (1 - a) p for a model that an audit of probability a asks and that
    is drawn with p otherwise (or see `chance_of_seeing`)."""
    forecast: Array
    """(n,) or (n, k) what was expected of its choice by what was fitted before the unit, such as its accuracy and its
    utility: the more it tells of a KPI, the narrower that KPI's interval."""
    shares: Mapping[str, Array]
    """KPIs between 0 and 1 by name; NaN where unknown."""
    amounts: Mapping[str, Array]
    """Money and seconds by name, never negative; NaN where unknown."""
    computed: frozenset[str] = frozenset()
    """Amounts that are known of every unit, seen or not, because prices say what its answer costs."""

    def take(self, chosen: Mask | Index) -> SideRows:
        """Return some of the units."""
        return SideRows(
            seen=self.seen[chosen],
            probability=self.probability[chosen],
            forecast=self.forecast[chosen],
            shares={name: values[chosen] for name, values in self.shares.items()},
            amounts={name: values[chosen] for name, values in self.amounts.items()},
            computed=self.computed,
        )


def chance_of_seeing(*, heads: Mask, audits: Array, p: Array, alike: NDArray[Any]) -> Array:
    """Return what a seen answer of every unit is weighed by the inverse of, (n,), when p is known on tails alone.

    The coin of probability `audits` (n,) showed `heads`; on tails the model was drawn with `p` (n,). Units with the
    same value of `alike` (n,), which the coin does not change, have about the same p: where it is u in the mean, a
    unit counts as if it were seen with a + (1 - a) u, of which heads stand for a part and tails for the rest; so the
    weights are 1 in the mean whatever p is.
    """
    _, place = np.unique(alike, return_inverse=True)
    tails = np.bincount(place, weights=~heads)
    usual = (np.bincount(place, weights=np.where(heads, 0.0, p)) / np.maximum(tails, 1.0))[place]
    usual = np.maximum(usual, SMALLEST_PROBABILITY)
    seen = audits + (1.0 - audits) * usual
    return np.asarray(np.where(heads, seen, seen * np.maximum(p, SMALLEST_PROBABILITY) / usual))


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeAfter:
    """Figures by the names of the KPIs; those of which too few rows speak have no value."""

    before: Mapping[str, Figure]
    after: Mapping[str, Figure]
    difference: Mapping[str, Figure]
    """after - before, to the last digit."""
    hits_before: int
    """Units on which the policies differ and the answer of this one was seen, counted as equally weighted ones."""
    hits_after: int
    units_missing: int | None
    """How many more units would do for both columns, at the probabilities so far; None: no number would, as where the
    policies never differ."""
    left_out: tuple[str, ...]
    """Amounts that the utility does not count, since too few rows tell them."""


def before_after(before: SideRows, after: SideRows, differ: Mask, objective: Objective) -> BeforeAfter:
    """Estimate every KPI under both policies, and its change, with 95% intervals; `differ` (n,): where they do.

    The utility counts `accuracy_rate`, `cost_per_query_usd` and `mean_response_s`, never satisfaction. No interval
    leaves the range of its KPI.
    """
    forecasts = np.column_stack([before.forecast, after.forecast, differ])
    hits = [_hits(side, differ) for side in (before, after)]
    largest = {name: max(_largest(side, name) for side in (before, after)) for name in before.amounts}
    columns = [
        _means(side, differ, forecasts, largest) if found >= FEWEST_HITS else {}
        for side, found in zip((before, after), hits, strict=True)
    ]
    shown = [column for column in columns if column]
    left_out = tuple(name for name in BURDENS if any(name not in column for column in shown))
    for column in shown:
        if "accuracy_rate" in column:
            column["utility_usd"] = _utility(column, objective, left_out)
    change = {
        name: combined([(1.0, mean), (-1.0, columns[0][name])])
        for name, mean in columns[1].items()
        if name in columns[0]
    }
    names = (*before.shares, *before.amounts, "utility_usd")
    figures = [
        {name: column[name].figure() if name in column else NOTHING for name in names}
        for column in (*columns, change)
    ]
    return BeforeAfter(
        before=figures[0],
        after=figures[1],
        difference=figures[2],
        hits_before=int(hits[0]),
        hits_after=int(hits[1]),
        units_missing=_units_missing((before, after), differ, hits),
        left_out=left_out,
    )


def _means(
    side: SideRows, differ: Mask, forecasts: Array, largest: Mapping[str, float]
) -> dict[str, CalibratedMean]:
    """Return the KPIs of a column of which enough hits are known."""
    weighting = Weighting.of(side.seen, side.probability, forecasts)
    every = Weighting.of(np.ones(len(differ), dtype=bool), np.ones(len(differ)), forecasts)
    means = {}
    for name, values in (*side.shares.items(), *side.amounts.items()):
        computed = name in side.computed
        known = side.seen & ~np.isnan(values)
        if not computed and _effective(1.0 / side.probability[known & differ]) < FEWEST_HITS:
            continue
        mean = (every if computed else weighting).mean(values)
        means[name] = mean.share() if name in side.shares else mean.amount(largest[name])
    return means


def _utility(
    column: Mapping[str, CalibratedMean], objective: Objective, left_out: Sequence[str]
) -> CalibratedMean:
    prices = {"cost_per_query_usd": 1.0, "mean_response_s": objective.second_value_usd}
    burdens = [(-price, column[name]) for name, price in prices.items() if name not in left_out]
    return combined([(objective.answer_value_usd, column["accuracy_rate"]), *burdens])


def _largest(side: SideRows, name: str) -> float:
    values = side.amounts[name] if name in side.computed else side.amounts[name][side.seen]
    return float(np.nanmax(values, initial=0.0))


def _hits(side: SideRows, differ: Mask) -> float:
    return _effective(1.0 / side.probability[side.seen & differ])


def _units_missing(sides: Sequence[SideRows], differ: Mask, found: Sequence[float]) -> int | None:
    missing = 0
    for side, hits in zip(sides, found, strict=True):
        if hits >= FEWEST_HITS:
            continue
        p = side.probability[differ]
        if not p.size or p.min() <= 0.0:
            return None
        # Expected hits of a unit, counted as equally weighted ones.
        rate = len(p) ** 2 / float((1.0 / p).sum()) / len(differ)
        wanted = FEWEST_HITS - hits
        # A standard deviation more: five times in six it is enough.
        missing = max(missing, math.ceil((wanted + math.sqrt(wanted)) / rate))
    return missing


def _effective(weights: Array) -> float:
    """Return how many equal weights say as much (Kish 1965)."""
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares > 0.0 else 0.0
