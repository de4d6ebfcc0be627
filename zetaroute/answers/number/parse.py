"""The value of a number, written in digits with all that belongs to it (1,234.50, 1 1/2, 1.2e-3, 25%) or in words."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction

SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}

_DIGITS_LIMIT = 400
"""No float has more digits, nor a larger exponent: beyond it a row of digits is not read as a number."""

_BASE_LIMIT, _EXPONENT_LIMIT = 10**6, 64
"""Of a power that is worked out: larger ones stay expressions."""

ROW_OF_DIGITS = re.compile(
    r"""
    (?<![\d.,/:]) (?<!\d-) [1-9]\d{0,2} (?:[ ]\d{3})+ (?:[.,]\d+)? (?![\d/:']|[.,-]\d|[ ]?/[ ]?\d)
    | (?: (?<![\w.,]) \. )? \d [\d.,:/'_-]*
    """,
    re.VERBOSE,
)
"""Digits with all signs that can join them, so that a date or a version stays one piece, and no number."""

# The shapes of one amount: the whole spelling, what groups its thousands, what its decimal sign is.
_SHAPES = tuple(
    (re.compile(shape), grouping, decimal)
    for shape, grouping, decimal in (
        (r"[1-9]\d{0,2}(?:,\d{2,3})*,\d{3}(?:\.\d+)?", ",", "."),
        (r"[1-9]\d{0,2}(?:\.\d{3})+,\d+|[1-9]\d{0,2}(?:\.\d{3}){2,}", ".", ","),
        (r"[1-9]\d{0,2}(?:['_ ]\d{3})+(?:\.\d+)?", "'_ ", "."),
        (r"[1-9]\d{0,2}(?:[' ]\d{3})+,\d+", "' ", ","),
        (r"\d+,\d+", "", ","),
        (r"\d*\.?\d+", "", "."),
    )
)
_MIXED = re.compile(r"[ ](\d{1,9})/(\d{1,9})(?![\d/]|[.,]\d)")
_AND_A_HALF = re.compile(r"[ ]and[ ]a[ ]half(?![\w-])", re.IGNORECASE)
_OVER = re.compile(r"[ ]/[ ](\d{1,30}(?:\.\d{1,30})?)(?![\d/:]|[ ]?/)")
_TIMES_POWER = re.compile(r"(?:[eE]|[ ]?[*x][ ]?10[ ]?\^[ ]?)([+-]?\d{1,4})(?![\w]|\.\d)")
_POWER = re.compile(r"[ ]?\^[ ]?([+-]?\d{1,4})(?!\d)")
_SCALE = re.compile(rf"(?:[ -](?:{'|'.join(SCALES)})(?![a-z]))+", re.IGNORECASE)
_PERCENT = re.compile(r"[ ]?%|[ -]?(?:percent|per[ ]cent|pct)(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A number without its sign."""

    value: Fraction
    place: Fraction | None
    """The unit of the last decimal place that is given; None for whole numbers and fractions."""
    end: int
    percent: bool = False
    """Written as a percentage; `value` is the share: 0.25 for 25%."""

    def times(self, factor: Fraction | int, *, end: int) -> Amount:
        """Return the amount on another scale."""
        place = None if self.place is None else self.place * factor
        return Amount(value=self.value * factor, place=place, end=end, percent=self.percent)


def amount_at(text: str, start: int, spelling: str) -> Amount | None:
    """Return what `spelling`, which stands at `start`, is worth; None when it is not one number."""
    amount = _spelt(spelling, start + len(spelling))
    if amount is not None and amount.place is None:
        amount = _with_fraction(text, amount)
    if amount is not None:
        amount = _with_power(text, amount, ten=spelling == "10")
    if amount is None:
        return None
    if scale := _SCALE.match(text, amount.end):
        for word in re.findall(r"[a-z]+", scale[0].lower()):
            amount = amount.times(SCALES[word], end=scale.end())
    return with_percent(text, amount)


def with_percent(text: str, amount: Amount) -> Amount:
    """Return the share when a percent sign or word follows, else the amount as it is."""
    if percent := _PERCENT.match(text, amount.end):
        return replace(amount.times(Fraction(1, 100), end=percent.end()), percent=True)
    return amount


def _spelt(spelling: str, end: int) -> Amount | None:
    if len(spelling) > _DIGITS_LIMIT:
        return None
    if "/" in spelling:
        over, under = (_spelt(side, end) for side in spelling.split("/", 1))
        if over is None or under is None or not under.value or "/" in spelling.split("/", 1)[1]:
            return None
        return Amount(value=over.value / under.value, place=None, end=end)
    for shape, grouping, decimal in _SHAPES:
        if shape.fullmatch(spelling):
            whole, _, decimals = spelling.translate(dict.fromkeys(map(ord, grouping))).partition(decimal)
            place = Fraction(1, 10 ** len(decimals)) if decimals else None
            return Amount(value=Fraction(int(whole + decimals), 10 ** len(decimals)), place=place, end=end)
    return None


def _with_fraction(text: str, amount: Amount) -> Amount | None:
    """Add the fraction of a mixed number (1 1/2, 1 and a half), or divide by what follows a spaced slash (3 / 4)."""
    if (half := _AND_A_HALF.match(text, amount.end)) and amount.value.denominator == 1:
        return Amount(value=amount.value + Fraction(1, 2), place=None, end=half.end())
    mixed = _MIXED.match(text, amount.end)
    if mixed and amount.value.denominator == 1 and 0 < int(mixed[1]) < int(mixed[2]):
        value = amount.value + Fraction(int(mixed[1]), int(mixed[2]))
        return Amount(value=value, place=None, end=mixed.end())
    if over := _OVER.match(text, amount.end):
        divisor = Fraction(over[1])
        return Amount(value=amount.value / divisor, place=None, end=over.end()) if divisor else None
    return amount


def _with_power(text: str, amount: Amount, *, ten: bool) -> Amount | None:
    """Apply a power of ten (1.2e-3, 1.2 * 10^-3, 10^5) or of a whole number (2^10); no other has a plain value."""
    if power := _TIMES_POWER.match(text, amount.end):
        exponent = int(power[1])
    elif power := _POWER.match(text, amount.end):
        if not ten:
            return _whole_power(amount, int(power[1]), end=power.end())
        amount, exponent = Amount(value=Fraction(1), place=None, end=amount.end), int(power[1])
    else:
        return amount
    if abs(exponent) > _DIGITS_LIMIT:
        return None
    return amount.times(Fraction(10) ** exponent, end=power.end())


def _whole_power(base: Amount, exponent: int, *, end: int) -> Amount | None:
    if base.value.denominator != 1 or base.place is not None or not 0 <= exponent <= _EXPONENT_LIMIT:
        return None
    if base.value >= _BASE_LIMIT:
        return None
    return Amount(value=base.value**exponent, place=None, end=end)


_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: value for value, word in enumerate(_UNITS.split())}
_SMALL |= {word: 10 * value for value, word in enumerate(_TENS.split(), start=2)}
_PARTS = {"half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8}
_PARTS |= {f"{part}s": value for part, value in _PARTS.items() if value > 2}

_WORD = "|".join(sorted([*_SMALL, *SCALES], key=len, reverse=True))
NUMBER_WORDS = re.compile(
    rf"(?<![\w-])(?:a[ ](?={'|'.join(SCALES)}))?"
    rf"(?P<cardinal>(?:{_WORD})(?:(?:[ ]and[ ]|-|,?[ ])(?:{_WORD})){{0,20}})"
    rf"(?:[ -](?P<part>{'|'.join(sorted(_PARTS, key=len, reverse=True))})|(?P<half>[ ]and[ ]a[ ]half))?(?![\w-]|'\w)",
    re.IGNORECASE,
)


def value_of(match: re.Match[str]) -> Fraction | None:
    """Return the value of a match of NUMBER_WORDS; None when its words make no single number ("two, five")."""
    words = re.findall(r"[a-z]+", match["cardinal"].lower())
    cardinal = _cardinal([word for word in words if word != "and"])
    if cardinal is None:
        return None
    if match["part"]:
        return Fraction(cardinal, _PARTS[match["part"].lower()])
    return cardinal + (Fraction(1, 2) if match["half"] else Fraction(0))


def _cardinal(words: list[str]) -> int | None:
    """Add the words up: small numbers within a group below a thousand, groups under falling scales."""
    total, group, room, last_scale = 0, 0, 1000, 10**15
    for word in words:
        if word == "hundred":
            if group >= 100:
                return None
            group, room = (group or 1) * 100, 100
        elif word in SCALES:
            if SCALES[word] >= last_scale:
                return None
            last_scale = SCALES[word]
            total, group, room = total + (group or 1) * last_scale, 0, 1000
        else:
            value = _SMALL[word]
            if value >= room or (value == 0 and len(words) > 1):
                return None
            group, room = group + value, 10 if value >= 20 else 1
    return total + group
