"""HTML pages from the templates; every text is escaped, and stripped of what steers a terminal or a direction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zetaroute.errors import ZetarouteError
from zetaroute.report.terminal import plain

TEMPLATES = Path(__file__).parent / "templates"


def page(template: str, **values: Any) -> str:
    """Return a template filled in; raise ZetarouteError where a library that it needs is missing."""
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
