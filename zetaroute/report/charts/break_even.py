"""The break-even picture: which policy or model is worth most, for every value of an answer and of a second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from zetaroute.report.charts import INK, LINE, LONGEST_NAME, PAPER, POLICY_FILL, inline, legend, model_style
from zetaroute.report.terminal import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Result = Mapping[str, Any]

SMALLEST_REGION = 0.08
"""Share of the picture that has room for a name."""


def break_even(picture: Result, models: Sequence[str], *, name: str) -> str:
    """Return which policy or model is worth most for every value of an answer and of a second."""
    ways = picture["ways"]
    winners = sorted({way for row in picture["best"] for way in row})
    answers, seconds = (_edges(picture[key]) for key in ("answer_values_usd", "second_values_usd"))
    lines = -(-len(winners) // 2)

    def draw(figure: Figure) -> None:
        from matplotlib.patches import Rectangle

        figure.set_layout_engine("constrained")
        axes = figure.add_subplot()
        axes.set_xscale("log")
        axes.set_yscale("log")
        for (low, high), best, clear in zip(
            pairwise(seconds), picture["best"], picture["clear"], strict=True
        ):
            for start, end, way, sure in _runs(answers, best, clear):
                place, wide, high_up = (start, low), end - start, high - low
                # A little taller, so that no seam shows under the next row.
                under = Rectangle(place, wide, 1.04 * high_up, **_way_style(ways[way], models), linewidth=0)
                axes.add_patch(under)
                if not sure:
                    axes.add_patch(Rectangle(place, wide, high_up, facecolor=PAPER, alpha=0.65, linewidth=0))
        axes.set_xlim(answers[0], answers[-1])
        axes.set_ylim(seconds[0], seconds[-1])
        _name_regions(axes, picture)
        _mark_objective(axes, picture)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"${value:g}")
        axes.set_xlabel("value of a right answer")
        axes.set_ylabel("value of a second")
        legend(figure, {ways[way]: _way_style(ways[way], models) for way in winners})

    told = ", ".join(
        f"{ways[way]} in {sum(row.count(way) for row in picture['best'])} of "
        f"{sum(len(row) for row in picture['best'])} places"
        for way in winners
    )
    return inline(draw, name=name, title=f"Highest estimated utility: {told}", height_in=3.0 + 0.19 * lines)


def _way_style(way: str, models: Sequence[str]) -> dict[str, Any]:
    if way in models:
        return model_style(models.index(way))
    return {"facecolor": POLICY_FILL, "hatch": "" if way == "candidate" else "xx", "edgecolor": PAPER}


def _name_regions(axes: Axes, picture: Result) -> None:
    """Write each winner's name into its region where there is room, away from the mark of the user's values."""
    best = np.array(picture["best"])
    middle = len(best) // 2
    for way in np.unique(best).tolist():
        region = np.argwhere(best == way)
        mine = region[abs(region[:, 0] - middle) > 1]
        if len(region) < SMALLEST_REGION * best.size or not len(mine):
            continue
        row, column = mine[np.argmin(((mine - mine.mean(axis=0)) ** 2).sum(axis=1))]
        axes.annotate(
            one_line(picture["ways"][way], LONGEST_NAME),
            (picture["answer_values_usd"][column], picture["second_values_usd"][row]),
            ha="center",
            va="center",
            fontsize=8.5,
            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.5, "alpha": 0.9},
        )


def _edges(values: Sequence[float]) -> list[float]:
    """Return the edges between values that lie evenly on a logarithmic axis."""
    half = (values[1] / values[0]) ** 0.5
    return [values[0] / half, *(value * half for value in values)]


def _runs(
    edges: Sequence[float], best: Sequence[int], clear: Sequence[bool]
) -> list[tuple[float, float, int, bool]]:
    """Return neighbouring places that one way wins alike as one: (start, end, way, clear)."""
    runs: list[tuple[float, float, int, bool]] = []
    for (start, end), way, sure in zip(pairwise(edges), best, clear, strict=True):
        if runs and runs[-1][2:] == (way, sure):
            runs[-1] = (runs[-1][0], end, way, sure)
        else:
            runs.append((start, end, way, sure))
    return runs


def _mark_objective(axes: Axes, picture: Result) -> None:
    """Mark the user's own values; a value of nothing lies on the lower edge."""
    x = max(picture["answer_value_usd"], axes.get_xlim()[0])
    y = max(picture["second_value_usd"], axes.get_ylim()[0])
    axes.plot([x], [y], marker="*", markersize=15, color=PAPER, markeredgecolor=INK, clip_on=False)
    axes.annotate(
        "your values",
        (x, y),
        xytext=(9, 7),
        textcoords="offset points",
        fontweight="bold",
        bbox={"facecolor": PAPER, "edgecolor": LINE, "pad": 2, "alpha": 0.92},
    )
