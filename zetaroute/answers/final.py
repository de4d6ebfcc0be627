"""The final answer of a text, found without knowing the task."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from zetaroute.answers.choice import settled_letters
from zetaroute.answers.names import Kind
from zetaroute.answers.number import final_number
from zetaroute.answers.structure import Structure, structure_of
from zetaroute.answers.words import tokens

TAIL = 1_200
"""Characters of the end of an answer that its letter, number or word is looked for in."""
SHORT = 60
"""Characters of an answer that is nothing but its final answer."""
_OPTIONS = re.compile(r"(?m)^[ \t]{0,4}\(?([A-J])[.):][ \t]")
_TAG = re.compile(r"<(answer|final|final_answer|result)>([^<]{1,200})</\1>", re.IGNORECASE)
_MARKED = re.compile(r"\\boxed|####|(?i:\banswer\b)")
_WORD = re.compile(
    r"(?:\A|(?i:\banswer(?: is)?)[:\s]{1,3})[\s*_\"'(]{0,4}(yes|no|true|false)\b", re.IGNORECASE
)
_NOTHING = frozenset({"none", "null", "nothing", "na", "nan", "undefined"})
REFUSAL = re.compile(
    r"\b(?:cannot|can't|can not|unable|sorry|apolog\w+|not possible|none of the|as an ai|(?:do not|don't) have"
    r"|not (?:suitable|designed|applicable|able|relevant|available|provided|supported|specific enough)"
    r"|no (?:direct|relevant|function|suitable|available|information)|lacks?|missing|please provide|insufficient)\b"
)
"""In a case-folded text."""
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})[a-z]{{0,6}}\.?"
_YEAR = re.compile(r"\d{4}")
_DATES = tuple(
    re.compile(shape, re.IGNORECASE)
    for shape in (
        r"(?<![\d-])(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})(?![\d-])",
        rf"\b{_MONTH} (?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year>\d{{4}})\b",
        rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?{_MONTH},? (?P<year>\d{{4}})\b",
    )
)
_TRUE = {"yes": True, "true": True, "no": False, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """What an answer settles on."""

    kind: Kind
    value: Any
    """Nothing where it declines, a letter, (year, month, day), a `Numeral`, a bool, calls, a structure, or words."""
    cued: bool = False
    """Whether the text marks it as its answer: by a box, a tag, or words; or holds nothing else."""


def final_of(text: str, query: str) -> Final:
    """Return what a text, from which thinking was taken off, settles on."""
    text = text.strip()
    if not text:
        return Final(kind="empty", value="")
    if text[0] in "[{`" or "```" in text[:200] or re.match(r"[A-Za-z_][\w.]*\(", text):
        found = structure_of(text)
        if found is not None:
            return _structured(found)
    tail, tagged = text[-TAIL:], _TAG.search(text[-TAIL:])
    if tagged:
        tail = tagged[2].strip()
    short = len(tail) <= SHORT
    cued = short or _MARKED.search(tail) is not None
    return (
        _choice(tail, query, cued=cued)
        or _date(tail, cued=cued)
        or _boolean(tail, cued=cued)
        or _number(tail, query, cued=cued)
        or _words(text)
    )


def _structured(found: Structure) -> Final:
    value, calls = found.value, found.calls
    if calls:
        return Final(kind="calls", value=calls, cued=found.whole)
    if value is None or value == ():
        return Final(kind="declined", value="", cued=True)
    if isinstance(value, tuple) and len(value) == 1 and isinstance(value[0], str):
        return _words(value[0])
    return Final(kind="json", value=value, cued=found.whole)


def _words(text: str) -> Final:
    words = tuple(tokens(text[:2000]))
    if not set(words) - _NOTHING or REFUSAL.search(text[:400].casefold()):
        return Final(kind="declined", value="", cued=len(text) <= SHORT)
    return Final(kind="text", value=words, cued=len(text) <= SHORT)


def _choice(tail: str, query: str, *, cued: bool) -> Final | None:
    offered = set(_OPTIONS.findall(query[-4000:]))
    if len(offered) < 2:
        return None
    letters = settled_letters(tail)
    if len(letters) != 1 or not letters <= offered:
        return None
    return Final(kind="choice", value=next(iter(letters)), cued=cued)


def _date(tail: str, *, cued: bool) -> Final | None:
    """Return the last date, where nothing but a few words follows it."""
    if _YEAR.search(tail) is None:
        return None
    found = max(
        (one for shape in _DATES for one in shape.finditer(tail)), key=lambda one: one.end(), default=None
    )
    if found is None or len(tail) - found.end() > SHORT:
        return None
    month = found["month"].lower()
    number = int(month) if month.isdigit() else 1 + _MONTHS.index(month[:3])
    return Final(kind="date", value=(int(found["year"]), number, int(found["day"])), cued=cued)


def _boolean(tail: str, *, cued: bool) -> Final | None:
    words = _WORD.findall(tail)
    return Final(kind="boolean", value=_TRUE[words[-1].lower()], cued=cued) if words else None


def _number(tail: str, query: str, *, cued: bool) -> Final | None:
    if not cued and not any(character.isdigit() for character in query[-2000:]):
        return None
    found = final_number(tail)
    return None if found is None else Final(kind="number", value=found, cued=cued)
