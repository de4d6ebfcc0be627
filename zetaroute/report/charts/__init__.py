"""One drawing of matplotlib as an SVG inside a page, which gives it its colours and its font.

A drawing is coloured with marks that stand for variables of the page's style sheet, so that one picture serves
light, dark and paper. Untrusted text is escaped where it is written and never read as mathematics.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from zetaroute.errors import ZetarouteError
from zetaroute.report.terminal import one_line, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, SOFT, LINE, PAPER = "#010101", "#020202", "#030303", "#040404"
GOOD, BAD, UNSURE = "#050505", "#060606", "#070707"
SERIES = tuple(f"#0a00{number:02x}" for number in range(1, 9))
"""One colour per model; with more models they repeat, with another hatch."""
HATCHES = ("//", "\\\\", "--", "||", "xx", "++", "////", "\\\\\\\\", "----")
"""Lines only: dots would take a quarter of a megabyte each."""
WIDTH_IN = 4.3
"""Every drawing is as wide as a phone held upright can show without making its words too small to read."""
LONGEST_NAME = 26
"""Characters of a model's name that a drawing has room for."""

_VARIABLES = {
    INK: "ink",
    SOFT: "soft",
    LINE: "line",
    PAPER: "paper",
    GOOD: "good",
    BAD: "bad",
    UNSURE: "unsure",
    **{colour: f"series-{number}" for number, colour in enumerate(SERIES, start=1)},
}
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "zetaroute",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "sans-serif"],
    "font.size": 9.0,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "hatch.color": PAPER,
    "hatch.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}


def model_style(number: int) -> dict[str, Any]:
    """Return colour and hatch of the `number`-th model, the same in every drawing of a page."""
    return {
        "facecolor": SERIES[number % len(SERIES)],
        "hatch": HATCHES[number % len(HATCHES)],
        "edgecolor": PAPER,
    }


def legend(figure: Figure, styles: Mapping[str, Mapping[str, Any]]) -> None:
    """Write above the axes what each colour with its hatch stands for."""
    from matplotlib.patches import Patch

    patches = [
        Patch(linewidth=0, label=one_line(name, LONGEST_NAME), **style) for name, style in styles.items()
    ]
    figure.legend(handles=patches, loc="outside upper left", ncols=2, handlelength=1.8, borderaxespad=0.2)


def inline(draw: Callable[[Figure], None], *, name: str, title: str, height_in: float) -> str:
    """Return what `draw` draws as the SVG of a page; `name` is unique in it, `title` says what is to be seen.

    Raises ZetarouteError where matplotlib is missing.
    """
    with _matplotlib():
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        figure = Figure(figsize=(WIDTH_IN, height_in), dpi=72)
        FigureCanvasSVG(figure)
        figure.patch.set_visible(False)
        draw(figure)
        for axes in figure.axes:
            axes.patch.set_visible(False)
        if (layout := figure.get_layout_engine()) is not None:
            # Laid out while it is saved, everything would be drawn twice.
            layout.execute(figure)
            figure.set_layout_engine("none")
        drawn = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(drawn, format="svg", metadata=nothing)
    return _for_page(drawn.getvalue(), name=name, title=title)


@contextmanager
def _matplotlib() -> Iterator[None]:
    """Set matplotlib's style for one drawing, whatever the user's own is."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise ZetarouteError(
            "the HTML report needs matplotlib, which is not installed: `pip install matplotlib` brings it."
        ) from error
    with mpl.rc_context(), warnings.catch_warnings():
        # The browser has fonts that matplotlib has not; it draws the characters.
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)  # type: ignore[arg-type]  # the stub wants every name as a literal
        yield


def _for_page(drawn: str, *, name: str, title: str) -> str:
    """Turn a file of matplotlib's into an element: no preamble, ids of its own, colours and font of the page.

    Only tags are changed, never the words between them.
    """
    body = drawn[drawn.index("<svg") :]
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, count=1, flags=re.DOTALL)
    box = re.search(r'viewBox="[^"]*"', body)
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {box[0] if box else ""} role="img" '
        f'aria-labelledby="{name}-title"><title id="{name}-title">{escape(plain(title))}</title>'
    )
    inner = re.sub(r"<[^>]*>", lambda tag: _tag(tag[0], name), body[body.index(">") + 1 :])
    return opening + inner


def _tag(tag: str, name: str) -> str:
    tag = tag.replace(' id="', f' id="{name}-').replace("url(#", f"url(#{name}-")
    tag = tag.replace('xlink:href="#', f'href="#{name}-')
    tag = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--font)", tag)
    # Variables belong into styles: as the value of an attribute not every browser knows them.
    tag = re.sub(r'\b(fill|stroke)="(#[0-9a-f]{6})"', r'style="\1: \2"', tag)
    return re.sub(r"#[0-9a-f]{6}\b", _variable, tag)


def _variable(colour: re.Match[str]) -> str:
    name = _VARIABLES.get(colour[0])
    return f"var(--{name})" if name else colour[0]
