"""Drawings of figures with their intervals: changes per KPI, the course over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zetaroute.report.charts import BAD, GOOD, INK, LINE, PAPER, SERIES, SOFT, UNSURE, WIDTH_IN, inline
from zetaroute.report.figure_words import KPIS, Kpi, change_word, with_interval
from zetaroute.report.terminal import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Result = Mapping[str, Any]

_STYLES = {"+": (GOOD, "^", GOOD), "!": (BAD, "v", BAD), "?": (UNSURE, "o", "none")}
_WORDS_IN = 2.4
"""Width of the words beside a forest plot."""


def forest(difference: Result, *, name: str) -> str:
    """Return the changes of all KPIs with their intervals, each on its own scale and turned so that right is
    better; empty where nothing changed."""
    rows = [(kpi, difference[kpi.name]) for kpi in KPIS if _drawable(kpi, difference.get(kpi.name))]
    if not rows:
        return ""
    height = 0.42 * len(rows) + 0.5

    def draw(figure: Figure) -> None:
        axes = _beside_words(figure, height, len(rows))
        for row, (kpi, change) in enumerate(rows):
            _forest_row(axes, row, kpi, change)
        axes.set_xlim(-1.12, 1.12)
        axes.set_xticks([-0.56, 0.0, 0.56], ["\N{LEFTWARDS ARROW} worse", "0", "better \N{RIGHTWARDS ARROW}"])

    told = "; ".join(
        f"{kpi.label} {change_word(change, kpi)} {with_interval(change, kpi.unit, signed=True)}"
        for kpi, change in rows
    )
    return inline(
        draw, name=name, title=f"Change of each KPI with its 95% interval: {told}", height_in=height
    )


def over_time(course: Result, *, name: str) -> str:
    """Return accuracy and utility of what was served, with the changes of version marked."""
    bins = [one for one in course["bins"] if one["accuracy_rate"]["value"] is not None]
    if len(bins) < 2:
        return ""

    def draw(figure: Figure) -> None:
        figure.set_layout_engine("constrained")
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
        _line(top, bins, "accuracy_rate", 100.0, marker="o", colour=SERIES[0])
        _line(bottom, bins, "utility_usd", 1000.0, marker="s", colour=SERIES[1])
        top.set_ylabel("accuracy, %")
        bottom.set_ylabel("utility, USD\nper 1,000 queries")
        bottom.set_xlabel("queries served")
        bottom.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        for axes in (top, bottom):
            axes.grid(visible=True, axis="y")
            axes.locator_params(axis="both", nbins=5)
            _mark_versions(axes, course["marks"], named=axes is top)

    first, last = bins[0], bins[-1]
    marks = "; ".join(f"{mark['version']} from query {mark['at'] + 1}" for mark in course["marks"])
    told = (
        f"accuracy from {with_interval(first['accuracy_rate'], 'share')} in the first part "
        f"to {with_interval(last['accuracy_rate'], 'share')} in the last" + (f"; {marks}" if marks else "")
    )
    return inline(draw, name=name, title=f"Accuracy and utility over time: {told}", height_in=3.9)


def _drawable(kpi: Kpi, change: Result | None) -> bool:
    if change is None or change["low"] is None or change["high"] is None or kpi.higher_is_better is None:
        return False
    return bool(max(abs(change["low"]), abs(change["high"])) > 0)


def _forest_row(axes: Axes, row: int, kpi: Kpi, change: Result) -> None:
    reach = max(abs(change["low"]), abs(change["high"])) * (1 if kpi.higher_is_better else -1)
    colour, marker, face = _STYLES[change_word(change, kpi)[0]]
    ends = sorted((change["low"] / reach, change["high"] / reach))
    axes.plot(ends, [row, row], color=colour, linewidth=1.6, solid_capstyle="butt")
    axes.plot(ends, [row, row], color=colour, marker="|", markersize=7, linestyle="none")
    axes.plot(
        [change["value"] / reach], [row], color=colour, marker=marker, markerfacecolor=face, markersize=6.5
    )
    middle = min(max(change["value"] / reach, -0.7), 0.7)
    axes.annotate(
        change_word(change, kpi),
        (middle, row),
        xytext=(0, -5),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=7.5,
        # The line of no change goes through words that stand near it.
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.5},
    )
    _words(axes, row, kpi.label, with_interval(change, kpi.unit, signed=True))


def _beside_words(figure: Figure, height_in: float, rows: int) -> Axes:
    """Return axes with one line per row, to the right of a column for words."""
    bottom = 0.45 / height_in
    axes = figure.add_axes((_WORDS_IN / WIDTH_IN, bottom, 1.0 - _WORDS_IN / WIDTH_IN - 0.01, 0.99 - bottom))
    axes.axvline(0.0, color=SOFT, linewidth=0.9)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    for row in range(1, rows):
        axes.axhline(row - 0.5, color=LINE, linewidth=0.5)
    return axes


def _words(axes: Axes, row: int, label: str, told: str) -> None:
    place: dict[str, Any] = {
        "xy": (0, row),
        "xycoords": ("axes fraction", "data"),
        "textcoords": "offset points",
    }
    left = -72 * _WORDS_IN
    axes.annotate(label, xytext=(left, 1.5), va="bottom", color=INK, fontweight="bold", **place)
    axes.annotate(told, xytext=(left, -1.5), va="top", color=INK, fontsize=8, **place)


def _line(axes: Axes, bins: Sequence[Result], key: str, times: float, *, marker: str, colour: str) -> None:
    known = [one for one in bins if one[key]["value"] is not None]
    at = [(one["first"] + one["last"]) / 2 for one in known]
    value, low, high = (
        [times * (one[key]["value"] if one[key][end] is None else one[key][end]) for one in known]
        for end in ("value", "low", "high")
    )
    axes.fill_between(at, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.plot(at, value, color=colour, marker=marker, markersize=3.5, linewidth=1.3)


def _mark_versions(axes: Axes, marks: Sequence[Result], *, named: bool) -> None:
    for number, mark in enumerate(marks):
        axes.axvline(mark["at"], color=INK, linewidth=1.0, linestyle="--")
        if named:
            axes.annotate(
                one_line(mark["version"].partition("-")[0], 12),
                (mark["at"], 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(0, 2 + 9 * (number % 3)),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=8,
            )
