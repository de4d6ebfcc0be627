"""The picture of a bench: what a score costs, for every model alone, the router, mixtures, and the oracle."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zetaroute.arrays import Array
from zetaroute.report.charts.labels import place_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Result = Mapping[str, Any]

PER = 1000.0
"""Queries that a cost is shown for."""
MOST_LABELS = 14
GREY, BLUE, GREEN, RED = "#5f6770", "#1f5fbf", "#2e7d4f", "#b3402e"
NO_PLOTS = "the picture needs matplotlib: `pip install matplotlib` brings it; the rest was written."
NO_COSTS = "the recordings hold no costs to draw a picture of; the rest was written."

_HULLS = {
    "singles": (GREY, "--", "mixtures of single models"),
    "router": (BLUE, "-", "mixtures of the router"),
    "chain": (RED, "-", "mixtures of the chain"),
    "oracle": (GREEN, ":", "oracle"),
}


def hindrance(result: Result) -> str | None:
    """Return why no picture can be drawn, in one sentence, or None."""
    if not any(row["cost_usd"] for row in result["singles"].values()):
        return NO_COSTS
    return None if importlib.util.find_spec("matplotlib") else NO_PLOTS


def bench_picture(result: Result, *, form: str = "svg") -> bytes:
    """Return the cost-accuracy picture of a bench as SVG, or another format that matplotlib writes."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # A fixed salt and no date: the same result gives the same file.
    with mpl.rc_context({"svg.hashsalt": "zetaroute", "font.size": 9.5}):
        figure = Figure(figsize=(8.2, 5.4), dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure, result)
        drawn = io.BytesIO()
        figure.savefig(drawn, format=form, metadata={"Date": None} if form == "svg" else None)
    return drawn.getvalue()


def draw(figure: Figure, result: Result) -> Axes:
    """Draw a bench into a figure and return its one pair of axes."""
    axes = figure.add_subplot()
    _draw(axes, result)
    _label_models(figure, axes, result)
    return axes


def _draw(axes: Axes, result: Result) -> None:
    axes.set_xscale("log")
    for axis in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        axis(_dollars)
    axes.tick_params(which="minor", labelsize=7.5)
    axes.set_xlabel("cost per 1,000 queries (USD, logarithmic)")
    axes.set_ylabel("score on the test queries (%)")
    axes.set_title(
        f"{result['dataset']}: {result['test_queries']} test queries, {len(result['models'])} models",
        loc="left",
    )
    axes.grid(visible=True, which="major", color="#e4e6e8", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    _draw_hulls(axes, result)
    _draw_points(axes, result)
    axes.margins(x=0.12, y=0.1)
    axes.legend(loc="lower right", frameon=True, framealpha=0.9, edgecolor="#e4e6e8")


def _draw_hulls(axes: Axes, result: Result) -> None:
    if "sweep" not in result:
        return
    for name, (colour, line, label) in _HULLS.items():
        if name in result["sweep"]["hulls"]:
            axes.plot(*_mixtures(name, result), color=colour, linestyle=line, linewidth=1.3, label=label)


def _mixtures(name: str, result: Result) -> tuple[Array, Array]:
    """Return the curve of a hull: a straight line of mixtures is bent on a logarithmic axis."""
    corners = result["sweep"]["hulls"][name]
    cost = [_shown(corner["cost_usd"], result) for corner in corners]
    at = np.geomspace(cost[0], cost[-1], 100)
    return at, np.interp(at, cost, [100 * corner["score"] for corner in corners])


def _draw_points(axes: Axes, result: Result) -> None:
    _errors(axes, list(_priced(result).values()), result, color=GREY, marker="o", label="one model alone")
    for name, colour, marker in (("router", BLUE, "s"), ("chain", RED, "D")):
        rows = _by_value(result, name)
        if rows:
            _errors(axes, rows, result, color=colour, marker=marker, label=f"{name}, by value of an answer")
    if "sweep" not in result:
        _errors(axes, [result["results"]["oracle"]], result, color=GREEN, marker="*", label="oracle")


def _by_value(result: Result, way: str) -> list[Result]:
    """Return the rows of a way: one per value of an answer; none where no cost is known."""
    points = result["sweep"]["points"] if "sweep" in result else [result]
    rows = [point["results"][way] for point in points if way in point["results"]]
    return [row for row in rows if row["cost_usd"] is not None]


def _errors(axes: Axes, rows: Sequence[Result], result: Result, **style: Any) -> None:
    axes.errorbar(
        [_shown(row["cost_usd"], result) for row in rows],
        [100 * row["score"] for row in rows],
        yerr=[100 * (row["score_se"] or 0.0) for row in rows],
        markersize=5,
        linestyle="none",
        elinewidth=0.7,
        capsize=2,
        **style,
    )


def _label_models(figure: Figure, axes: Axes, result: Result) -> None:
    labels = [
        axes.annotate(
            model if row["cost_usd"] else f"{model} (free)",
            (_shown(row["cost_usd"], result), 100 * row["score"]),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=8,
            color="#33383d",
        )
        for model, row in _labelled(result).items()
    ]
    place_labels(figure, axes, labels)


def _dollars(value: float, _position: float) -> str:
    """Return a tick's label; of the minor ticks only 2 and 5 have one."""
    return f"{value:g}" if f"{value:e}"[0] in "125" else ""


def _labelled(result: Result) -> dict[str, Result]:
    """Return the models to name: all of them, or the corners of the hull where there are too many."""
    priced = _priced(result)
    if len(priced) <= MOST_LABELS:
        return priced
    reached: dict[str, Result] = {}
    best = -1.0
    for model, row in sorted(priced.items(), key=lambda pair: (pair[1]["cost_usd"], -pair[1]["score"])):
        if row["score"] > best:
            reached[model], best = row, row["score"]
    return reached


def _priced(result: Result) -> dict[str, Result]:
    return {model: row for model, row in result["singles"].items() if row["cost_usd"] is not None}


def _shown(cost_usd: float, result: Result) -> float:
    """Return a cost as it is drawn; a free model stands left of the cheapest paid one."""
    paid = [row["cost_usd"] for row in result["singles"].values() if row["cost_usd"]]
    return PER * max(cost_usd, float(min(paid)) / 3.0)
