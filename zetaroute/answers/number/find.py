"""Reading numbers in plain text (see `notation`): where they stand, their sign, and how much they matter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction

from zetaroute.answers.number.parse import (
    NUMBER_WORDS,
    ROW_OF_DIGITS,
    Amount,
    amount_at,
    value_of,
    with_percent,
)

_CODES = r"(?:USD|EUR|GBP|CHF|INR|JPY|CAD|AUD|Rs\.?)"
_SIGNS = "$€£¥₹₽₩"
_CURRENCY_BEFORE = re.compile(rf"(?:[{_SIGNS}]|(?<![A-Za-z]){_CODES})[ ]?-?\Z")
_GLUED = re.compile(r"(?:[A-Za-z_À-ʯͰ-ԯ]-?|\\|\^[+-]?|√[ ]?[*/]?[ ]?)\Z")
_CODE_GLUED = re.compile(rf"(?<![A-Za-z]){_CODES}\Z")
_MINUS = re.compile(
    rf"(?:(?:^|[^\w)\].%'\"-])(?:[{_SIGNS}]?-|-[{_SIGNS}])|[=(*/][ ]?-[ ]|(?<!\d )\b(?:minus|negative)[ ])\Z",
    re.IGNORECASE,
)
# What, right after the digits, makes them something else than a number; km2 is a unit, though.
_SPOILED = re.compile(r"[ ]?\*?[ ]?√|_|(?!(?!x)[A-Za-z]{1,3}[23](?!\w))[A-Za-z]+\d", re.IGNORECASE)
_THOUSANDS = re.compile(r"(?:k|(?<=\d)(?:m|bn?))(?![\w/°])", re.IGNORECASE)
_UNIT = re.compile(
    rf"[ -]?[{_SIGNS}°µμΩ]|[A-Za-z]"
    r"|[ -](?!(?:and|as|because|but|for|if|in|is|not|or|since|so|that|the|to|was|when|which|with)\b)[a-z]",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    rf"(?:\b(?:not|never|nor|rather than|instead of)|n't)[ ](?:just |only |exactly |be )?[{_SIGNS}-]{{0,2}}\Z",
    re.IGNORECASE,
)
_LABELLED = re.compile(
    r"\b(?:step|question|problem|figure|fig\.|table|equation|eq\.|section|chapter|part|option|page|line"
    r"|example|note|case|no\.|exercise)[ ]\(?\Z",
    re.IGNORECASE,
)
_LINE_START = re.compile(r"(?:^|\n)[ \t#]*\(?\Z")
_LIST_MARK = re.compile(r"[.)][ \t]+\S")
_ORDINAL = re.compile(r"(?:st|nd|rd|th)(?![a-z])", re.IGNORECASE)
_AFTER_PRONOUN = re.compile(
    r"[ ](?:of|that|which|who|another|thing|way|by|more|such|can|could|has|must|is)\b", re.IGNORECASE
)
_BEFORE_PRONOUN = re.compile(
    r"\b(?:no|any|every|some|each|the|this|that|only|last|next|other|which|another|correct|right)[ ]\Z",
    re.IGNORECASE,
)
_REACH = 24
"""Characters before a number that can say something about it."""


class Prominence(IntEnum):
    """How likely a number in a text is meant as a result."""

    DOUBTFUL = 0
    """A list mark, a reference such as "step 3", the pronoun one."""
    WEAK = 1
    """An ordinal, a citation, or a small number in words: prose is full of them."""
    PLAIN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeral:
    """One number as it stands in a text, its sign included."""

    value: Fraction
    place: Fraction | None
    start: int
    end: int
    percent: bool
    bare: bool
    """Neither a currency, a unit nor a percent sign stands with it."""
    negated: bool
    """Follows "not": named only to be refused."""
    standing: Prominence


def numerals(text: str) -> list[Numeral]:
    """Return the numbers in a plain text in order; dates, versions, ranges, times and codes are none."""
    digits = list(_in_digits(text))
    ends = {numeral.end for numeral in digits}
    words = [numeral for numeral in _in_words(text) if numeral.end not in ends]
    return sorted([*digits, *words], key=lambda numeral: numeral.start)


def whole_number(digits: str) -> Numeral:
    """Return the number that a text of digits alone is."""
    return Numeral(
        value=Fraction(int(digits)),
        place=None,
        start=0,
        end=len(digits),
        percent=False,
        bare=True,
        negated=False,
        standing=Prominence.PLAIN,
    )


def _in_digits(text: str) -> Iterator[Numeral]:
    position = 0
    while row := ROW_OF_DIGITS.search(text, position):
        spelling = row[0].rstrip(".,:/'_-")
        position = row.start() + len(spelling)
        before = text[max(0, row.start() - _REACH) : row.start()]
        if _GLUED.search(before) and not _CODE_GLUED.search(before):
            continue
        if _is_pair(text, row.start(), spelling):
            continue
        if amount := amount_at(text, row.start(), spelling):
            amount = _with_letter(text, amount, bool(_CURRENCY_BEFORE.search(before)))
            position = amount.end
            if not _SPOILED.match(text, position):
                yield _numeral(
                    text, row.start(), before, amount, _digit_standing(text, row.start(), amount, before)
                )


def _in_words(text: str) -> Iterator[Numeral]:
    for words in NUMBER_WORDS.finditer(text):
        value = value_of(words)
        if value is None:
            continue
        before = text[max(0, words.start() - _REACH) : words.start()]
        amount = with_percent(text, Amount(value=value, place=None, end=words.end()))
        standing = Prominence.PLAIN if value > 12 or value.denominator > 1 else Prominence.WEAK
        if value == 1 and (_AFTER_PRONOUN.match(text, amount.end) or _BEFORE_PRONOUN.search(before)):
            standing = Prominence.DOUBTFUL
        yield _numeral(text, words.start(), before, amount, standing)


def _numeral(text: str, start: int, before: str, amount: Amount, standing: Prominence) -> Numeral:
    currency = _CURRENCY_BEFORE.search(before) is not None and text[amount.end : amount.end + 1] != "$"
    return Numeral(
        value=-amount.value if _MINUS.search(before) else amount.value,
        place=amount.place,
        start=start,
        end=amount.end,
        percent=amount.percent,
        bare=not (amount.percent or currency or _UNIT.match(text, amount.end)),
        negated=_NEGATED.search(before) is not None,
        standing=standing,
    )


def _is_pair(text: str, start: int, spelling: str) -> bool:
    """Tell coordinates like (3,4) from a decimal comma."""
    end = start + len(spelling)
    inside = text[max(0, start - 1) : start] in ("(", "[") and text[end : end + 1] in (")", "]")
    return (
        inside and re.fullmatch(r"\d+,\d+", spelling) is not None and not re.fullmatch(r"\d+,\d{3}", spelling)
    )


def _with_letter(text: str, amount: Amount, currency: bool) -> Amount:
    """Apply the k, M or bn of "$5M" and "5k"; without a currency M may be metres and K kelvins."""
    letter = _THOUSANDS.match(text, amount.end)
    if letter is None or not (currency or letter[0] == "k"):
        return amount
    return amount.times({"k": 10**3, "m": 10**6}.get(letter[0].lower(), 10**9), end=letter.end())


def _digit_standing(text: str, start: int, amount: Amount, before: str) -> Prominence:
    listed = _LINE_START.search(before) and amount.value < 100 and _LIST_MARK.match(text, amount.end)
    cited = before.endswith("[") and text[amount.end : amount.end + 1] == "]"
    if listed or _LABELLED.search(before):
        return Prominence.DOUBTFUL
    return Prominence.WEAK if cited or _ORDINAL.match(text, amount.end) else Prominence.PLAIN
