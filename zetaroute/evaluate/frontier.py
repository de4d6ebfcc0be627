"""The field's measures of a router: where it lies between cost and quality."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from zetaroute.arrays import Array

ARENA_WEIGHT = 0.1
ARENA_HIGHEST, ARENA_LOWEST = 200.0, 0.0044
"""USD per 1,000 queries between which RouterArena scales a cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hull:
    """What mixing policies at random reaches: the non-decreasing concave hull of their points."""

    cost: Array
    """(m,) rising."""
    quality: Array
    """(m,) rising."""

    def quality_at(self, cost: Array) -> Array:
        """Return the best quality at each cost; below the cheapest point NaN, past the last one its quality."""
        return np.asarray(np.interp(cost, self.cost, self.quality, left=np.nan))

    def cost_at(self, quality: float) -> float | None:
        """Return the least cost that reaches a quality; None when no mixture does."""
        if quality > self.quality[-1]:
            return None
        return float(np.interp(quality, self.quality, self.cost))


def hull(cost: Array, quality: Array) -> Hull:
    """Return the hull of n points (n,), from the best of the cheapest to the cheapest of the best.

    The non-decreasing convex hull of Hu et al. 2024 (RouterBench): between two policies, a coin that
    picks one of them reaches every point of the line. Raises ValueError without a finite point.
    """
    keep = np.isfinite(cost) & np.isfinite(quality)
    if not keep.any():
        raise ValueError("a hull needs at least one point with a cost and a quality")
    order = np.lexsort((-quality[keep], cost[keep]))
    corners: list[tuple[float, float]] = []
    for point in zip(cost[keep][order].tolist(), quality[keep][order].tolist(), strict=True):
        if corners and point[1] <= corners[-1][1]:
            continue
        while len(corners) > 1 and _turns_left(corners[-2], corners[-1], point):
            corners.pop()
        corners.append(point)
    found = np.array(corners)
    return Hull(cost=found[:, 0], quality=found[:, 1])


def aiq(frontier: Hull, *, low: float, high: float) -> float:
    """Return the mean quality of a hull over the costs from `low` to `high` (AIQ of Hu et al. 2024).

    The area under the hull over its width. Below its cheapest point a hull reaches nothing, which counts 0: let
    both sides of a comparison hold the cheapest model. Raises ValueError unless low < high.
    """
    if not low < high:
        raise ValueError("AIQ needs two different costs to lie between")
    inner = (frontier.cost > low) & (frontier.cost < high)
    start = max(low, float(frontier.cost[0]))
    if start >= high:
        return 0.0
    at = np.concatenate([[start], frontier.cost[inner & (frontier.cost > start)], [high]])
    return float(np.trapezoid(frontier.quality_at(at), at) / (high - low))


def regret_fraction(value: float, *, oracle: float, single: float) -> float | None:
    """Return (oracle - value) / (oracle - best single): 0 is perfect, 1 no better than one model, above 1 worse.

    None where the oracle is no better than the best single model.
    """
    room = oracle - single
    return (oracle - value) / room if room > 0 else None


def routerarena(score: float, cost_usd: float) -> float:
    """Return RouterArena's score, 0..1, of an accuracy 0..1 at a mean cost in USD per query.

    S = 1.1 A C / (0.1 A + C) with C = (log2 200 - log2 c) / (log2 200 - log2 0.0044), c in USD per 1,000 queries,
    held within 0..1 (Lu et al. 2025, RouterArena).
    """
    per_thousand = min(max(1000.0 * cost_usd, ARENA_LOWEST), ARENA_HIGHEST)
    width = math.log2(ARENA_HIGHEST) - math.log2(ARENA_LOWEST)
    cheapness = (math.log2(ARENA_HIGHEST) - math.log2(per_thousand)) / width
    below = ARENA_WEIGHT * score + cheapness
    return (1.0 + ARENA_WEIGHT) * score * cheapness / below if below > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCurve:
    """What a router between two models recovers of their difference, by the share of calls to the strong one."""

    share: Array
    """(m,) from 0 to 1."""
    recovered: Array
    """(m,) performance gap recovered (PGR): 0 the weak model alone, 1 the strong one alone."""

    def apgr(self) -> float:
        """Return the mean of PGR over the shares (APGR of Ong et al. 2024): .5 is random, 1 at once."""
        return float(np.trapezoid(self.recovered, self.share))

    def cpt(self, recovered: float) -> float | None:
        """Return the least share of strong calls that recovers as much (CPT(x), Ong et al. 2024); None: none does."""
        reached = np.flatnonzero(self.recovered >= recovered)
        if not len(reached):
            return None
        end = int(reached[0])
        if end == 0:
            return float(self.share[0])
        between = [self.recovered[end - 1], self.recovered[end]]
        return float(np.interp(recovered, between, [self.share[end - 1], self.share[end]]))


def call_curve(weak: Array, strong: Array, preference: Array) -> CallCurve | None:
    """Return what sending the queries to the strong model in the order of `preference` recovers (RouteLLM).

    All arrays (n,): the two models' scores, and how much the router prefers the strong one. Queries that it
    prefers equally are drawn at random. None where the strong model is not the better one.
    """
    gap = float(strong.mean() - weak.mean())
    if gap <= 0:
        return None
    order = np.argsort(-preference, kind="stable")
    gained = np.cumsum((strong - weak)[order]) / len(weak)
    last_of_its_kind = np.append(np.diff(preference[order]) != 0, True)
    ends = np.flatnonzero(last_of_its_kind)
    return CallCurve(
        share=np.concatenate([[0.0], (ends + 1) / len(weak)]),
        recovered=np.concatenate([[0.0], gained[ends] / gap]),
    )


def call_measures(weak: Array, strong: Array, preference: Array) -> dict[str, float | None]:
    """Return APGR, CPT(50%) and CPT(80%) of a preference (n,); None where they do not exist (see `call_curve`)."""
    curve = call_curve(weak, strong, preference)
    return {
        "apgr": curve.apgr() if curve else None,
        "cpt50": curve.cpt(0.5) if curve else None,
        "cpt80": curve.cpt(0.8) if curve else None,
    }


def _turns_left(first: tuple[float, float], middle: tuple[float, float], last: tuple[float, float]) -> bool:
    """Return whether the middle point lies on or below the line from first to last."""
    rise = (middle[0] - first[0]) * (last[1] - first[1]) - (middle[1] - first[1]) * (last[0] - first[0])
    return rise >= 0
