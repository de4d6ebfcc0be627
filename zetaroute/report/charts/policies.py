"""Drawings of policies: what accuracy costs under each, and who answers what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zetaroute.evaluate.frontier import hull
from zetaroute.report.charts import LONGEST_NAME, PAPER, POLICY, SERIES, SOFT, inline, legend, model_style
from zetaroute.report.charts.labels import place_labels
from zetaroute.report.terminal import one_line
from zetaroute.report.words import amount

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Result = Mapping[str, Any]

PER = 1000.0
"""Queries that a cost is shown for."""
WIDE = 8.0
"""A range of costs from which on their axis is logarithmic."""
MOST_BARS = 11
SMALLEST_LABEL = 0.13
"""Share of a bar that has room for a number."""


def frontier(ways: Sequence[Result], models: Sequence[str], *, name: str) -> str:
    """Return what accuracy costs under both policies, every model alone, and a uniform draw."""
    shown = [way for way in ways if _known(way)]
    if len(shown) < 2:
        return ""

    def draw(figure: Figure) -> None:
        figure.set_layout_engine("constrained")
        axes = figure.add_subplot()
        costs = [PER * way["cost_per_query_usd"]["value"] for way in shown]
        least = min((cost for cost in costs if cost > 0), default=1.0)
        if min(costs) <= 0 or max(costs) / least >= WIDE:
            axes.set_xscale("log")
        floor = least / 3 if axes.get_xscale() == "log" else 0.0
        _mixtures(axes, [way for way in shown if way["kind"] == "single"], floor)
        for way in shown:
            _point(axes, way, models, floor)
        axes.set_xlabel("cost of 1,000 queries, USD")
        axes.set_ylabel("accuracy, %")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.grid(visible=True)
        axes.margins(x=0.14, y=0.12)
        _label_points(figure, axes, shown, floor)

    told = "; ".join(
        f"{way['name']} {amount(way['accuracy_rate']['value'], 'share')} "
        f"for {amount(way['cost_per_query_usd']['value'], 'usd_per_query')} per 1,000 queries"
        for way in shown
    )
    return inline(draw, name=name, title=f"Accuracy against cost: {told}", height_in=3.5)


def shares(
    segments: Sequence[Result],
    models: Sequence[str],
    *,
    name: str,
    sides: Sequence[str] = ("before", "after"),
) -> str:
    """Return the share of each model in every segment: a bar for each of the sides that a segment has."""
    shown = list(segments)[:MOST_BARS]
    lines = -(-len(models) // 2)
    height = (0.2 + 0.19 * len(sides)) * len(shown) + 0.19 * lines + 0.4
    pitch = 1.0 / (len(sides) + 1.2)
    bars = [
        (row + (number + 1.25) * pitch, side, segment[side])
        for row, segment in enumerate(shown)
        for number, side in enumerate(sides)
    ]

    def draw(figure: Figure) -> None:
        figure.set_layout_engine("constrained")
        axes = figure.add_subplot()
        for row, segment in enumerate(shown):
            axes.text(0.0, row + 0.4 * pitch, one_line(segment["name"], 44), fontweight="bold", va="center")
        for at, _, mix in bars:
            _bar(axes, at, mix, models, height=0.82 * pitch)
        axes.set_ylim(len(shown), 0)
        axes.set_xlim(0, 1)
        axes.set_yticks([at for at, _, _ in bars], [side for _, side, _ in bars], fontsize=8)
        axes.tick_params(left=False)
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
        axes.spines["left"].set_visible(False)
        legend(figure, {model: model_style(number) for number, model in enumerate(models)})

    told = "; ".join(
        f"{segment['name']}: " + ", ".join(f"{side} {_mix(segment[side])}" for side in sides)
        for segment in shown
    )
    return inline(draw, name=name, title=f"Share per model: {told}", height_in=height)


def _known(way: Result) -> bool:
    return way["accuracy_rate"]["value"] is not None and way["cost_per_query_usd"]["value"] is not None


def _place(way: Result, floor: float) -> tuple[float, float]:
    """Return where a way stands; on a logarithmic axis a free one stands left of the cheapest paid one."""
    cost = PER * float(way["cost_per_query_usd"]["value"])
    return max(cost, floor), min(100.0, 100.0 * float(way["accuracy_rate"]["value"]))


def _mixtures(axes: Axes, singles: Sequence[Result], floor: float) -> None:
    """Draw what mixing single models at random reaches; straight lines are bent on a logarithmic axis."""
    if not singles:
        return
    cost, accuracy = np.array([_place(way, floor) for way in singles]).T
    reached = hull(cost, accuracy)
    at = np.geomspace(max(reached.cost[0], 1e-12), reached.cost[-1], 60)
    axes.plot(
        at, reached.quality_at(np.clip(at, *reached.cost[[0, -1]])), color=SOFT, linestyle="--", linewidth=1.1
    )


def _point(axes: Axes, way: Result, models: Sequence[str], floor: float) -> None:
    x, y = _place(way, floor)
    cost, accuracy = way["cost_per_query_usd"], way["accuracy_rate"]
    if way["kind"] == "policy":
        marker, colour, size = "D", POLICY, 8.0
        face = PAPER if way["name"] == "incumbent" else POLICY
    elif way["name"] in models:
        marker, size = "o", 6.0
        colour = face = SERIES[models.index(way["name"]) % len(SERIES)]
    else:
        marker, colour, face, size = "X", SOFT, SOFT, 7.0
    low, high = (cost["low"], cost["high"]) if cost["low"] is not None else (cost["value"], cost["value"])
    axes.plot([max(PER * low, floor), max(PER * high, floor)], [y, y], color=colour, linewidth=0.9)
    if accuracy["low"] is not None:
        ends = [max(0.0, 100 * accuracy["low"]), min(100.0, 100 * accuracy["high"])]
        axes.plot([x, x], ends, color=colour, linewidth=0.9)
    axes.plot(
        [x],
        [y],
        marker=marker,
        color=colour,
        markerfacecolor=face,
        markersize=size,
        zorder=4 + (way["kind"] == "policy"),
    )


def _is_free(cost: Result) -> bool:
    """Return whether nothing is paid: a cost that was estimated as 0 may still be more."""
    return bool(cost["value"] <= 0 and not cost["high"])


def _label_points(figure: Figure, axes: Axes, shown: Sequence[Result], floor: float) -> None:
    labels = [
        axes.annotate(
            one_line(way["name"], LONGEST_NAME) + (" (free)" if _is_free(way["cost_per_query_usd"]) else ""),
            _place(way, floor),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=8,
            fontweight="bold" if way["kind"] == "policy" else "normal",
            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
            zorder=3,
        )
        for way in sorted(shown, key=lambda one: one["kind"] != "policy")
    ]
    place_labels(figure, axes, labels)


def _bar(axes: Axes, at: float, mix: Mapping[str, float], models: Sequence[str], *, height: float) -> None:
    left = 0.0
    for number, model in enumerate(models):
        share = mix.get(model, 0.0)
        if share <= 0:
            continue
        axes.barh(at, share, height=height, left=left, linewidth=0.6, **model_style(number))
        if share >= SMALLEST_LABEL:
            axes.text(
                left + share / 2,
                at,
                f"{100 * share:.0f}%",
                ha="center",
                va="center",
                fontsize=7.5,
                bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.8, "alpha": 0.85},
            )
        left += share
    if left <= 0:
        axes.text(0.0, at, "nothing", va="center", fontsize=8, color=SOFT)


def _mix(share: Mapping[str, float]) -> str:
    return ", ".join(f"{model} {100 * part:.0f}%" for model, part in share.items() if part > 0) or "nothing"
