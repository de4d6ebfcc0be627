"""Names beside the points of a drawing, each in the first place that is free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

_PLACES = tuple(
    (side * reach, up)
    for reach, ups in ((7, (4, -11)), (0, (10, -17)), (15, (15, -23)), (24, (28, -36)), (34, (42, -50)))
    for up in ups
    for side in ((1, -1) if reach else (1,))
)
"""Where a label may stand, seen from its point, in points."""
_REACH = 3
"""Pixels around a drawn point that a label leaves free."""


def place_labels(figure: Figure, axes: Axes, labels: Sequence[Annotation]) -> None:
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
