"""The picture of a bench: what a score costs, for every model alone, the router, mixtures, and the oracle."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zetaroute.arrays import Array
from zetaroute.report.drawing import ROUND, SQUARE, Drawing, Plot, Point, widened
from zetaroute.report.html import TEMPLATES

Result = Mapping[str, Any]
Box = tuple[float, float, float, float]

PER = 1000.0
"""Queries that a cost is shown for."""
MOST_LABELS = 14
NO_COSTS = "the recordings hold no costs to draw a picture of; the rest was written."

_WIDTH, _TOP, _HEIGHT = 590.0, 44.0, 290.0
_STAR = "M0 -5L1.5 -1.5L5 0L1.5 1.5L0 5L-1.5 1.5L-5 0L-1.5 -1.5Z"
_POINTS = {
    "singles": ("soft", ROUND, "one model alone"),
    "router": ("series-1", SQUARE, "router, by value of an answer"),
    "chain": ("series-2", "M0 -4L4 0L0 4L-4 0Z", "chain, by value of an answer"),
    "oracle": ("series-3", _STAR, "oracle"),
}
_HULLS = {
    "singles": ("4 2", "mixtures of single models"),
    "router": ("none", "mixtures of the router"),
    "chain": ("none", "mixtures of the chain"),
    "oracle": ("1 2", "oracle"),
}
_PLACES = tuple(
    (side * reach, up)
    for reach, ups in ((7, (4, -11)), (0, (10, -17)), (15, (15, -23)), (24, (28, -36)), (34, (42, -50)))
    for up in ups
    for side in ((1, -1) if reach else (1,))
)
"""Where a label may stand, seen from its point."""
_REACH = 3.0
"""Around a drawn point that a label leaves free."""
_LETTER = 4.9
"""Width of a letter of a label, on average."""


def bench_picture(result: Result) -> str:
    """Return the cost-accuracy picture of a bench as an SVG file."""
    told = f"{result['dataset']}: {result['test_queries']} test queries, {len(result['models'])} models"
    drawing = Drawing("bench", width=_WIDTH)
    points, hulls = _points(result), _hulls(result)
    every = [(math.log10(cost), score, error) for rows in points.values() for cost, score, error in rows]
    every += [(math.log10(cost), score, 0.0) for curve in hulls.values() for cost, score in curve.T]
    plot = Plot(
        drawing=drawing,
        top=_TOP,
        height=_HEIGHT,
        x=widened(min(x for x, _, _ in every), max(x for x, _, _ in every), 0.12),
        y=widened(min(y - error for _, y, error in every), max(y + error for _, y, error in every)),
    )
    drawing.text((0, 14), told, size=11, bold=True)
    plot.scale(
        "cost per 1,000 queries (USD, logarithmic)", "score on the test queries (%)", x_ticks=_dollars(plot)
    )
    drawn = [at for name, rows in points.items() for at in _draw_points(plot, name, rows)]
    for name, curve in hulls.items():
        line = [plot.at(math.log10(cost), score) for cost, score in curve.T]
        drawing.line(*line, colour=_POINTS[name][0], width=1.3, dash=_HULLS[name][0])
    for words, (x, y) in _placed(plot, result, drawn):
        drawing.text((x, y), words, clear=True)
    return _alone(drawing.svg(_legend(drawing, points, hulls), told))


def hindrance(result: Result) -> str | None:
    """Return why no picture can be drawn, in one sentence, or None."""
    return None if any(row["cost_usd"] for row in result["singles"].values()) else NO_COSTS


def labels(plot: Plot, named: Mapping[str, Point], drawn: Sequence[Point]) -> dict[str, Box]:
    """Return for the names of points where each stands and covers least: left, top, right, bottom."""
    taken: dict[str, Box] = {}
    for words, (x, y) in named.items():
        width = _LETTER * len(words)
        boxes = []
        for across, up in _PLACES:
            left = x + across - (0.0 if across > 0 else width if across < 0 else width / 2)
            boxes.append((left, y - up - 8.0, left + width, y - up + 2.0))
        taken[words] = min(boxes, key=lambda box: _crowd(box, list(taken.values()), drawn, plot))
    return taken


def _crowd(box: Box, others: Sequence[Box], drawn: Sequence[Point], plot: Plot) -> int:
    """Return how bad a place is: leaving the frame is worse than covering a label, that worse than a point."""
    left, top, right, bottom = box
    frame = (plot.left, plot.top, plot.drawing.right, plot.top + plot.height)
    outside = left < frame[0] or top < frame[1] or right > frame[2] or bottom > frame[3]
    over = sum(left < one[2] and one[0] < right and top < one[3] and one[1] < bottom for one in others)
    near = sum(left - _REACH < x < right + _REACH and top - _REACH < y < bottom + _REACH for x, y in drawn)
    return 10_000 * outside + 1_000 * over + near


def _placed(plot: Plot, result: Result, drawn: Sequence[Point]) -> list[tuple[str, Point]]:
    named = {
        model if row["cost_usd"] else f"{model} (free)": plot.at(
            math.log10(_shown(row["cost_usd"], result)), 100 * row["score"]
        )
        for model, row in _labelled(result).items()
    }
    return [(words, (box[0], box[3] - 2.0)) for words, box in labels(plot, named, drawn).items()]


def _draw_points(plot: Plot, name: str, rows: Sequence[tuple[float, float, float]]) -> list[Point]:
    colour, shape, _ = _POINTS[name]
    drawn = []
    for cost, score, error in rows:
        x = math.log10(cost)
        plot.drawing.line(plot.at(x, score - error), plot.at(x, score + error), colour=colour)
        plot.drawing.marker(plot.at(x, score), shape, colour=colour)
        drawn.append(plot.at(x, score))
    return drawn


def _legend(drawing: Drawing, points: Mapping[str, Any], hulls: Mapping[str, Any]) -> float:
    """Write under the frame what each mark and line stands for, and return where that ends."""
    marks = [(_POINTS[name], None) for name in points]
    lines = [((_POINTS[name][0], None, _HULLS[name][1]), _HULLS[name][0]) for name in hulls]
    y = _TOP + _HEIGHT + 42
    for number, ((colour, shape, words), dash) in enumerate([*marks, *lines]):
        x, y = 36.0 + 185.0 * (number % 3), _TOP + _HEIGHT + 42 + 14 * (number // 3)
        if shape is not None:
            drawing.marker((x + 8, y - 3), shape, colour=colour)
        else:
            drawing.line((x, y - 3), (x + 16, y - 3), colour=colour, width=1.3, dash=dash or "none")
        drawing.text((x + 21, y), words)
    return y + 8


def _alone(svg: str) -> str:
    """Return a drawing as a file of its own, in the colours of light paper."""
    root = (TEMPLATES / "style.css").read_text("utf-8").partition("}")[0]
    colours = dict(re.findall(r"--([\w-]+): ([^;]+);", root)) | {"font": "sans-serif"}
    drawn = re.sub(r"var\(--([\w-]+)\)", lambda name: colours[name[1]], svg)
    back = f'<rect width="100%" height="100%" style="fill: {colours["paper"]}"/>'
    return '<?xml version="1.0" encoding="utf-8"?>\n' + drawn.replace("</title>", f"</title>{back}", 1) + "\n"


def _points(result: Result) -> dict[str, list[tuple[float, float, float]]]:
    """Return cost, score and its standard error of what has costs, by what it is."""
    rows = {"singles": list(_priced(result).values())}
    rows |= {name: _by_value(result, name) for name in ("router", "chain")}
    if "sweep" not in result:
        rows["oracle"] = [result["results"]["oracle"]]
    return {
        name: [
            (_shown(row["cost_usd"], result), 100 * row["score"], 100 * (row["score_se"] or 0.0))
            for row in some
        ]
        for name, some in rows.items()
        if some
    }


def _by_value(result: Result, way: str) -> list[Result]:
    """Return the rows of a way: one per value of an answer; none where no cost is known."""
    points = result["sweep"]["points"] if "sweep" in result else [result]
    rows = [point["results"][way] for point in points if way in point["results"]]
    return [row for row in rows if row["cost_usd"] is not None]


def _hulls(result: Result) -> dict[str, Array]:
    """Return the curves (2, n) of the hulls: a straight line of mixtures is bent on a logarithmic axis."""
    found = {}
    for name in _HULLS if "sweep" in result else ():
        if corners := result["sweep"]["hulls"].get(name):
            cost = [_shown(corner["cost_usd"], result) for corner in corners]
            at = np.geomspace(cost[0], cost[-1], 100)
            found[name] = np.array([at, np.interp(at, cost, [100 * one["score"] for one in corners])])
    return found


def _dollars(plot: Plot) -> dict[float, str]:
    """Return the ticks of the costs: 1, 2 and 5 of each power of ten."""
    low, high = plot.x
    values = [times * 10.0**power for power in range(math.floor(low), math.ceil(high)) for times in (1, 2, 5)]
    return {math.log10(value): f"{value:g}" for value in values if low <= math.log10(value) <= high}


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
