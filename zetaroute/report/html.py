"""Reports as pages: one file each, without a script and without anything from elsewhere.

The texts of a report are untrusted: every one passes `plain` and is escaped by the template.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from zetaroute.errors import ZetarouteError
from zetaroute.report.tables import Report, Section
from zetaroute.report.terminal import plain

TEMPLATES = Path(__file__).parent / "templates"


def page(report: Report) -> str:
    """Return a report as one HTML page.

    Raises ZetarouteError where a library that it needs is missing.
    """
    drawn = [(section, section.chart.draw() if section.chart else "") for section in report.sections]
    return render("report.html", report=report, groups=list(_groups(drawn)))


def render(template: str, **values: Any) -> str:
    """Return a filled template.

    Raises ZetarouteError where jinja2 is missing.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError as error:
        raise ZetarouteError(
            "the HTML report needs jinja2, which is not installed: `pip install jinja2` brings it."
        ) from error

    def shown(value: Any) -> Any:
        return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    pages = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return pages.get_template(template).render(values)


def _groups(drawn: list[tuple[Section, str]]) -> Iterator[tuple[bool, list[tuple[Section, str]]]]:
    """Return neighbouring sections together: those that are little more than a drawing stand in columns."""
    said = [(part, svg) for part, svg in drawn if svg or part.lead or part.table or part.cards or part.notes]
    for side_by_side, sections in groupby(said, key=lambda one: bool(one[1]) and not one[0].notes):
        yield side_by_side, list(sections)
