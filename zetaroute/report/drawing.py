"""Shapes put together to one picture as SVG, and a frame with scales to draw into.

Every colour is a variable of the style sheet of the reports, so that one picture serves light, dark and paper.
Untrusted text is escaped where it is written. All lengths are points, from the top left.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

from zetaroute.report.terminal import plain

Point = tuple[float, float]
Span = tuple[float, float]

WIDTH = 310.0
"""A drawing of a page is as wide as a phone held upright can show without making its words too small to read."""
UP, DOWN, ROUND = "M-3.5 3L3.5 3L0 -4Z", "M-3.5 -3L3.5 -3L0 4Z", "M-3 0A3 3 0 1 0 3 0A3 3 0 1 0 -3 0Z"
SQUARE = "M-1.7 -1.7H1.7V1.7H-1.7Z"

_MARGIN = 11.0
"""What is left free at the right of a scale, for half of a number."""
_COLOURS = 8
_HATCHES = ((45, 5.0), (-45, 5.0), (0, 4.0), (90, 4.0), (20, 6.0), (45, 2.5), (-45, 2.5), (0, 2.2), (70, 3.0))
"""Angle and distance of a model's lines; one more than there are colours, so that few pairs of both repeat."""


class Drawing:
    """Shapes that are put together to one picture of a page; `name` is unique in it."""

    def __init__(self, name: str, *, width: float = WIDTH) -> None:
        self._name = name
        self.right = width - _MARGIN
        """Where scales end."""
        self.width = width
        self._shapes: list[str] = []

    def line(self, *points: Point, colour: str, width: float = 0.7, dash: str = "none") -> None:
        style = f"fill: none; stroke: var(--{colour}); stroke-width: {width}; stroke-dasharray: {dash}"
        self._shapes.append(f'<polyline points="{_points(points)}" style="{style}"/>')

    def area(self, points: Iterable[Point], *, colour: str) -> None:
        style = f"fill: var(--{colour}); fill-opacity: 0.18"
        self._shapes.append(f'<polygon points="{_points(points)}" style="{style}"/>')

    def marker(self, at: Point, shape: str, *, colour: str, filled: bool = True) -> None:
        """Draw a path around a point."""
        style = f"fill: {f'var(--{colour})' if filled else 'none'}; stroke: var(--{colour})"
        self._shapes.append(
            f'<path d="{shape}" transform="translate({at[0]:.1f} {at[1]:.1f})" style="{style}"/>'
        )

    def text(
        self,
        at: Point,
        words: str,
        *,
        size: float = 8.0,
        anchor: str = "start",
        bold: bool = False,
        colour: str = "ink",
        clear: bool = False,
    ) -> None:
        """Write words on a line through `at`; `clear` ones keep what is behind them at a distance."""
        style = f"fill: var(--{colour}); font: {'bold ' if bold else ''}{size}px var(--font)"
        if clear:
            style += "; stroke: var(--paper); stroke-width: 3px; paint-order: stroke"
        place = f'x="{at[0]:.1f}" y="{at[1]:.1f}" text-anchor="{anchor}"'
        self._shapes.append(f'<text {place} style="{style}">{escape(plain(words))}</text>')

    def hatches(self, models: int) -> None:
        """Define colour and hatch of so many models, the same in every drawing of a page."""
        for number in range(models):
            angle, pitch = _HATCHES[number % len(_HATCHES)]
            self._shapes.append(
                f'<pattern id="{self._name}-model-{number}" width="{pitch}" height="{pitch}" '
                f'patternUnits="userSpaceOnUse" patternTransform="rotate({angle})">'
                f'<rect width="{pitch}" height="{pitch}" style="fill: var(--series-{number % _COLOURS + 1})"/>'
                f'<path d="M0 0H{pitch}" style="stroke: var(--paper); stroke-width: 0.9"/></pattern>'
            )

    def bar(self, at: Point, size: Point, *, model: int) -> None:
        """Draw a rectangle from its top left in the colour and hatch of a model."""
        style = f"fill: url(#{self._name}-model-{model}); stroke: var(--paper); stroke-width: 0.6"
        self._shapes.append(
            f'<rect x="{at[0]:.1f}" y="{at[1]:.1f}" width="{size[0]:.1f}" height="{size[1]:.1f}" style="{style}"/>'
        )

    def svg(self, height: float, title: str) -> str:
        """Return the picture; `title` says what is to be seen."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:.0f} {height:.0f}" role="img" '
            f'aria-labelledby="{self._name}-title"><title id="{self._name}-title">{escape(plain(title))}</title>'
            + "".join(self._shapes)
            + "</svg>"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A frame in a drawing with a scale on both of its sides."""

    drawing: Drawing
    left: float = 36.0
    top: float
    height: float
    x: Span
    y: Span

    def at(self, x: float, y: float) -> Point:
        """Return the point of a pair of values."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return self.left + across * (self.drawing.right - self.left), self.top + (1 - up) * self.height

    def scale(
        self,
        x_label: str | None,
        y_label: str,
        *,
        x_ticks: Mapping[float, str] | None = None,
        lines: bool = False,
    ) -> None:
        """Draw the sides with their ticks; `lines` of both scales go through the frame, else of the upright one."""
        bottom = self.top + self.height
        self.drawing.text((0, self.top - 7), y_label)
        for value in ticks(*self.y):
            left, right = self.at(self.x[0], value), self.at(self.x[1], value)
            self.drawing.line(left, right, colour="line")
            self.drawing.text((self.left - 4, left[1] + 3), f"{value:,g}", anchor="end")
        if x_ticks is None:
            x_ticks = {value: f"{value:,.0f}" for value in ticks(*self.x)}
        for value, words in x_ticks.items() if x_label else ():
            x, _ = self.at(value, 0)
            self.drawing.line((x, self.top if lines else bottom - 3), (x, bottom), colour="line")
            self.drawing.text((x, bottom + 11), words, anchor="middle")
        corner = (self.left, bottom)
        self.drawing.line((self.left, self.top), corner, (self.drawing.right, bottom), colour="soft")
        if x_label:
            self.drawing.text(((self.left + self.drawing.right) / 2, bottom + 23), x_label, anchor="middle")


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers of a scale, about five."""
    rough = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough)
    return [round(step * place, 12) for place in range(math.ceil(low / step), math.floor(high / step) + 1)]


def widened(low: float, high: float, share: float = 0.06) -> Span:
    """Return a span with some room at both ends."""
    room = share * (high - low) or 0.5 * abs(high) or 0.5
    return low - room, high + room


def _points(points: Iterable[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
