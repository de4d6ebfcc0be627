"""The picture of a bench: what a score costs, for every model alone, the router, mixtures, and the oracle."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zetaroute.arrays import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

Result = Mapping[str, Any]

PER = 1000.0
"""Queries that a cost is shown for."""
MOST_LABELS = 14
GREY, BLUE, GREEN, RED = "#5f6770", "#1f5fbf", "#2e7d4f", "#b3402e"
NO_PLOTS = "the picture needs matplotlib: `pip install 'zetaroute[plots]'` brings it; the rest was written."
NO_COSTS = "the recordings hold no costs to draw a picture of; the rest was written."

_PLACES = tuple(
    (side * reach, up)
    for reach, ups in ((7, (4, -11)), (0, (10, -17)), (15, (15, -23)), (24, (28, -36)), (34, (42, -50)))
    for up in ups
    for side in ((1, -1) if reach else (1,))
)
"""Where a label may stand, seen from its point, in points."""
_REACH = 3
"""Pixels around a drawn point that a label leaves free."""
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
    _place_labels(figure, axes, labels)


def _place_labels(figure: Figure, axes: Axes, labels: Sequence[Annotation]) -> None:
    """Move labels, which are offset from their points in points, to where they cover least."""
    from matplotlib.transforms import Bbox

    figure.draw_without_rendering()
    frame, legend = axes.get_window_extent(), axes.get_legend()
    taken = [legend.get_window_extent()] if legend else []
    drawn = [
        Bbox.from_extents(x - _REACH, y - _REACH, x + _REACH, y + _REACH)
        for line in axes.lines
        for x, y in axes.transData.transform(line.get_xydata())
    ]
    for label in labels:
        label.set(position=(0, 0), horizontalalignment="left")
        # Measured once: to measure the words at every place takes longer than to draw them.
        here = label.get_window_extent()
        boxes = [_moved(here, place, figure.dpi) for place in _PLACES]
        crowds = [_crowd(box, taken, drawn, frame) for box in boxes]
        best = crowds.index(min(crowds))
        taken.append(boxes[best])
        x, _ = _PLACES[best]
        side = "left" if x > 0 else "right" if x < 0 else "center"
        label.set(position=_PLACES[best], horizontalalignment=side)


def _moved(box: Bbox, place: tuple[int, int], dpi: float) -> Bbox:
    """Return what a label covers at a place that covers `box`, right of its point, without an offset."""
    x, y = place
    aside = 0.0 if x > 0 else box.width if x < 0 else box.width / 2
    return box.translated(x * dpi / 72 - aside, y * dpi / 72)


def _crowd(box: Bbox, labels: Sequence[Bbox], drawn: Sequence[Bbox], frame: Bbox) -> int:
    """Return how bad a place is: leaving the frame is worse than covering a label, that worse than a line."""
    outside = box.x0 < frame.x0 or box.x1 > frame.x1 or box.y0 < frame.y0 or box.y1 > frame.y1
    over = sum(box.overlaps(other) for other in labels)
    return 10_000 * int(outside) + 1_000 * over + sum(box.overlaps(other) for other in drawn)


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
