"""Drawings of policies: who answers what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zetaroute.report.charts import PAPER, SOFT, inline, legend, model_style
from zetaroute.report.terminal import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Result = Mapping[str, Any]

MOST_BARS = 11
SMALLEST_LABEL = 0.13
"""Share of a bar that has room for a number."""


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
