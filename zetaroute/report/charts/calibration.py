"""Drawing of a judge: what it says against how often the answers were right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zetaroute.report.charts import SERIES, SOFT, inline
from zetaroute.report.figure_words import amount, with_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Result = Mapping[str, Any]


def calibration(found: Result, author: str, *, name: str) -> str:
    """Return the calibration of a judge by the truth; nothing where no answer has both."""
    bins = found["bins"]
    if not bins:
        return ""
    said, right, low, high = (
        [100.0 * one[key] for one in bins] for key in ("judged", "value", "low", "high")
    )

    def draw(figure: Figure) -> None:
        figure.set_layout_engine("constrained")
        axes = figure.add_subplot()
        axes.plot([0, 100], [0, 100], color=SOFT, linewidth=0.9, linestyle="--")
        axes.vlines(said, low, high, color=SERIES[0], linewidth=1.6)
        axes.plot(said, right, color=SERIES[0], marker="o", markersize=5.5, linestyle="none")
        for one, x, y in zip(bins, said, right, strict=True):
            side = 1 if x < 80 else -1
            axes.annotate(
                str(one["n"]),
                (x, y),
                xytext=(7 * side, 0),
                textcoords="offset points",
                ha="left" if side > 0 else "right",
                va="center",
                fontsize=8,
            )
        axes.set_xlim(-4, 104)
        axes.set_ylim(-4, 104)
        axes.set_xlabel("score that the judge gave, %")
        axes.set_ylabel("answers that were right, %")
        axes.grid(visible=True)

    told = "; ".join(
        f"said {amount(one['judged'], 'share')}, right {with_interval(one, 'share')} of {one['n']}"
        for one in bins
    )
    return inline(draw, name=name, title=f"Calibration of {author}: {told}", height_in=3.2)
