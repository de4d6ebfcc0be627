"""The families of practice questions, and which of them a text belongs to."""

from __future__ import annotations

import re
from typing import Any

from zetaroute.practice.families.arithmetic import ARITHMETIC
from zetaroute.practice.families.counting import COUNTING
from zetaroute.practice.families.dates import DATES
from zetaroute.practice.families.extraction import EXTRACTION
from zetaroute.practice.families.ordering import ORDERING
from zetaroute.practice.families.percentages import PERCENTAGES
from zetaroute.practice.families.sorting import SORTING
from zetaroute.practice.families.stories import STORIES
from zetaroute.practice.family import Family

# Where two readers could claim the same text, the more particular one comes first.
_ALL: tuple[Family[Any], ...] = (
    EXTRACTION,
    ORDERING,
    COUNTING,
    SORTING,
    PERCENTAGES,
    DATES,
    STORIES,
    ARITHMETIC,
)
FAMILIES: dict[str, Family[Any]] = {family.name: family for family in _ALL}

# A question about programming may look like any of the families, but wants code and not a result.
_PROGRAMMING = re.compile(
    r"\b(?:python|java|javascript|typescript|rust|sql|bash|regex|code|function|algorithm|script|api)\b"
    r"|```|\bc\+\+",
    re.IGNORECASE,
)


def family_of(text: str) -> str | None:
    """Return the name of the family that a question's text belongs to, None when it is out of reach."""
    if _PROGRAMMING.search(text):
        return None
    return next((name for name, family in FAMILIES.items() if family.read(text) is not None), None)
