"""The drawings of reports: who answers what, figures with their intervals, a course over time, a judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zetaroute.report.drawing import DOWN, ROUND, SQUARE, UP, WIDTH, Drawing, Plot, widened
from zetaroute.report.figure_words import KPIS, Kpi, amount, change_word, with_interval
from zetaroute.report.terminal import one_line

Result = Mapping[str, Any]

LONGEST_NAME = 26
"""Characters of a model's name that a drawing has room for."""
MOST_BARS = 11
SMALLEST_LABEL = 0.13
"""Share of a bar that has room for a number."""

_TONES = {"+": ("good", UP), "!": ("bad", DOWN)}


def shares(
    segments: Sequence[Result],
    models: Sequence[str],
    *,
    name: str,
    sides: Sequence[str] = ("before", "after"),
) -> str:
    """Return the share of each model in every segment: a bar for each of the sides that a segment has."""
    drawing, left, bar = Drawing(name), 38.0, 13.0
    reach = drawing.right - left
    drawing.hatches(len(models))
    for number, model in enumerate(models):
        x, y = 155.0 * (number % 2), 14.0 * (number // 2) + 2
        drawing.bar((x, y), (16, 8), model=number)
        drawing.text((x + 20, y + 7.5), one_line(model, LONGEST_NAME))
    y = 14.0 * -(-len(models) // 2) + 14
    shown = segments[:MOST_BARS]
    for segment in shown:
        drawing.text((left, y), one_line(segment["name"], 44), size=9, bold=True)
        for number, side in enumerate(sides):
            middle = y + 4 + bar * (number + 0.5)
            drawing.text((left - 4, middle + 3), side, anchor="end")
            _stacked(
                drawing, left, middle, reach, [segment[side].get(model, 0.0) for model in models], bar - 2
            )
        y += 18 + bar * len(sides)
    y -= 11
    drawing.line((left, y), (left + reach, y), colour="soft")
    for part in range(6):
        x = left + reach * part / 5
        drawing.line((x, y), (x, y + 3), colour="soft")
        drawing.text((x, y + 12), f"{20 * part}%", anchor="middle")
    told = "; ".join(
        f"{segment['name']}: " + ", ".join(f"{side} {_mix(segment[side])}" for side in sides)
        for segment in shown
    )
    return drawing.svg(y + 15, f"Share per model: {told}")


def forest(difference: Result, *, name: str) -> str:
    """Return the changes of all KPIs with their intervals, each on its own scale and turned so that right is
    better; empty where nothing changed."""
    rows = [(kpi, difference[kpi.name]) for kpi in KPIS if _drawable(kpi, difference.get(kpi.name))]
    if not rows:
        return ""
    drawing, pitch = Drawing(name), 30.0
    middle, reach = 242.0, 59.0
    height = pitch * len(rows)
    drawing.line((middle, 0), (middle, height + 3), colour="soft")
    for row, (kpi, change) in enumerate(rows):
        y = pitch * (row + 0.5) - 2
        if row:
            drawing.line((0, pitch * row), (WIDTH, pitch * row), colour="line", width=0.5)
        drawing.text((0, y - 2), kpi.label, size=9, bold=True)
        drawing.text((0, y + 9), with_interval(change, kpi.unit, signed=True))
        word = change_word(change, kpi)
        colour, shape = _TONES.get(word[0], ("unsure", ROUND))
        whole = max(abs(change["low"]), abs(change["high"])) * (1 if kpi.higher_is_better else -1)
        low, high, value = (middle + reach * change[end] / whole for end in ("low", "high", "value"))
        drawing.line((low, y), (high, y), colour=colour, width=1.6)
        for end in (low, high):
            drawing.line((end, y - 3.5), (end, y + 3.5), colour=colour, width=1.2)
        drawing.marker((value, y), shape, colour=colour, filled=colour != "unsure")
        at = min(max(value, middle - 0.6 * reach), middle + 0.6 * reach)
        drawing.text((at, y + 13), word, size=7.5, anchor="middle", clear=True)
    drawing.line((middle - reach - 8, height + 3), (WIDTH, height + 3), colour="soft")
    for place, words in ((-0.6, "\N{LEFTWARDS ARROW} worse"), (0, "0"), (0.6, "better \N{RIGHTWARDS ARROW}")):
        drawing.text((middle + place * reach, height + 14), words, anchor="middle")
    told = "; ".join(
        f"{kpi.label} {change_word(change, kpi)} {with_interval(change, kpi.unit, signed=True)}"
        for kpi, change in rows
    )
    return drawing.svg(height + 18, f"Change of each KPI with its 95% interval: {told}")


def over_time(course: Result, *, name: str) -> str:
    """Return accuracy and utility of what was served, with the changes of version marked."""
    bins = [one for one in course["bins"] if one["accuracy_rate"]["value"] is not None]
    if len(bins) < 2:
        return ""
    drawing, marks = Drawing(name), course["marks"]
    named = 9.0 * min(3, len(marks))
    under = named + 164
    panels = (
        ("accuracy_rate", 100.0, "accuracy, %", named + 19, 120.0, "series-1", None),
        ("utility_usd", 1000.0, "utility, USD per 1,000 queries", under, 80.0, "series-2", "queries served"),
    )
    ends = (_middle(bins[0]), _middle(bins[-1]))
    for key, times, label, top, height, colour, x_label in panels:
        known = [one for one in bins if one[key]["value"] is not None]
        value, low, high = (
            [times * (one[key]["value"] if one[key][end] is None else one[key][end]) for one in known]
            for end in ("value", "low", "high")
        )
        spread = widened(min(low, default=0.0), max(high, default=1.0))
        plot = Plot(drawing=drawing, top=top, height=height, x=widened(*ends), y=spread)
        plot.scale(x_label, label)
        points = {
            end: [plot.at(_middle(one), y) for one, y in zip(known, values, strict=True)]
            for end, values in (("value", value), ("low", low), ("high", high))
        }
        drawing.area([*points["low"], *reversed(points["high"])], colour=colour)
        drawing.line(*points["value"], colour=colour, width=1.3)
        for at in points["value"]:
            drawing.marker(at, SQUARE, colour=colour)
        for number, mark in enumerate(marks):
            x, _ = plot.at(mark["at"], 0)
            drawing.line((x, top), (x, top + height), colour="ink", dash="4 2")
            if x_label is None:
                version = one_line(mark["version"].partition("-")[0], 12)
                drawing.text((x, named - 9 * (number % 3)), version, anchor="middle")
    told = (
        f"accuracy from {with_interval(bins[0]['accuracy_rate'], 'share')} in the first part "
        f"to {with_interval(bins[-1]['accuracy_rate'], 'share')} in the last"
    ) + "".join(f"; {mark['version']} from query {mark['at'] + 1}" for mark in marks)
    return drawing.svg(under + 108, f"Accuracy and utility over time: {told}")


def calibration(found: Result, author: str, *, name: str) -> str:
    """Return the calibration of a judge by the truth; nothing where no answer has both."""
    bins = found["bins"]
    if not bins:
        return ""
    plot = Plot(drawing=Drawing(name), top=18, height=180, x=(-4, 104), y=(-4, 104))
    plot.scale("score that the judge gave, %", "answers that were right, %", lines=True)
    plot.drawing.line(plot.at(0, 0), plot.at(100, 100), colour="soft", dash="4 2")
    for one in bins:
        said, right, low, high = (100.0 * one[key] for key in ("judged", "value", "low", "high"))
        x, y = plot.at(said, right)
        plot.drawing.line(plot.at(said, low), plot.at(said, high), colour="series-1", width=1.6)
        plot.drawing.marker((x, y), ROUND, colour="series-1")
        side = 1 if said < 80 else -1
        plot.drawing.text((x + 7 * side, y + 3), str(one["n"]), anchor="start" if side > 0 else "end")
    told = "; ".join(
        f"said {amount(one['judged'], 'share')}, right {with_interval(one, 'share')} of {one['n']}"
        for one in bins
    )
    return plot.drawing.svg(226, f"Calibration of {author}: {told}")


def _stacked(
    drawing: Drawing, left: float, middle: float, reach: float, parts: Sequence[float], height: float
) -> None:
    begin = left
    for model, share in enumerate(parts):
        if share <= 0:
            continue
        drawing.bar((begin, middle - height / 2), (reach * share, height), model=model)
        if share >= SMALLEST_LABEL:
            at = (begin + reach * share / 2, middle + 2.7)
            drawing.text(at, f"{100 * share:.0f}%", size=7.5, anchor="middle", clear=True)
        begin += reach * share
    if begin == left:
        drawing.text((left, middle + 3), "nothing", colour="soft")


def _drawable(kpi: Kpi, change: Result | None) -> bool:
    if change is None or change["low"] is None or change["high"] is None or kpi.higher_is_better is None:
        return False
    return bool(max(abs(change["low"]), abs(change["high"])) > 0)


def _middle(one: Result) -> float:
    return float(one["first"] + one["last"]) / 2


def _mix(share: Mapping[str, float]) -> str:
    return ", ".join(f"{model} {100 * part:.0f}%" for model, part in share.items() if part > 0) or "nothing"
