"""Roman numerals and number bases.

The limit is the width of a register in bits: a number that does not fit loses its high bits on the way, as in
a counter that has run over.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from random import Random

from zetaroute.practice.family import Family, Question, Solution, bare, numeric
from zetaroute.practice.words import PLACES

_LARGEST = (31, 255, 1023, 3999, 60_000)
_LARGEST_ROMAN = 3999
_RADIX = {"binary": 2, "octal": 8, "hexadecimal": 16, "hex": 16, "decimal": 10}
_ROMAN = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"),
    (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)  # fmt: skip
_TO_DECIMAL = (
    "Convert the {system} number {digits} to decimal.",
    "What is {system} {digits} in decimal?",
    "A register shows the {system} value {digits}. Which decimal number is that?",
    "Express {system} {digits} as a decimal number.",
)
_FROM_DECIMAL = (
    "Convert the decimal number {number} to {system}.",
    "What is {number} in {system}?",
    "Write {number} in {system} notation.",
    "How does one write decimal {number} in {system}?",
)
_TO_ROMAN = (
    "Write {number} in Roman numerals.",
    "What is {number} as a Roman numeral?",
    "A mason has to carve {number} in Roman numerals above a door in {place}. What does he carve?",
)
_FROM_ROMAN = (
    "What number is the Roman numeral {numeral}?",
    "A clock tower in {place} bears the Roman numeral {numeral}. Which number is that?",
    "Convert the Roman numeral {numeral} to an ordinary number.",
    "Read the Roman numeral {numeral} as a decimal number.",
)
_SYSTEM = "binary|octal|hexadecimal|hex|decimal"
_FROM = re.compile(
    rf"\b({_SYSTEM})(?: number| value)? (?:0[xbo])?([\da-f]{{1,40}})\b(?! (?:number|value|digits))",
    re.IGNORECASE | re.ASCII,
)
_INTO = re.compile(
    rf"\b(?:to|in|into|as)(?: an?)? ({_SYSTEM})\b|\bwhich (decimal)\b", re.IGNORECASE | re.ASCII
)
_PLAIN = re.compile(r"\b(\d{1,12})\b")
_ROMAN_NAMED = re.compile(r"\broman numerals?\b", re.IGNORECASE)
_NUMERAL = re.compile(r"\b(M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3}))\b")
_MAX_BITS = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class _Number:
    value: int
    source: str
    target: str


def _digits(value: int, target: str) -> str:
    if target == "roman":
        digits = ""
        for worth, letters in _ROMAN:
            digits += letters * (value // worth)
            value %= worth
        return digits
    return format(value, {2: "b", 8: "o", 16: "x", 10: "d"}[_RADIX[target]])


def _write(rng: Random, difficulty: int) -> Question:
    largest = _LARGEST[difficulty - 1]
    number = rng.randrange(largest // 4 + 2, largest + 1)
    roman = rng.random() < 0.35
    system = rng.choice(("binary", "octal", "hexadecimal"))
    if roman:
        number = min(number, _LARGEST_ROMAN - rng.randrange(900))
        numeral, place = _digits(number, "roman"), rng.choice(PLACES)
        # A numeral of one letter could be any word; the next number has two.
        number, numeral = (
            (number + 1, _digits(number + 1, "roman")) if len(numeral) == 1 else (number, numeral)
        )
    if rng.random() < 0.5:
        if roman:
            text = rng.choice(_FROM_ROMAN).format(numeral=numeral, place=place)
        else:
            text = rng.choice(_TO_DECIMAL).format(system=system, digits=_digits(number, system))
        return numeric(rng, text, str(number))
    if roman:
        text, noun = rng.choice(_TO_ROMAN).format(number=number, place=place), "numeral"
    else:
        text, noun = rng.choice(_FROM_DECIMAL).format(number=number, system=system), f"{system} digits"
    reference = _digits(number, "roman" if roman else system)
    return Question(text=bare(rng, text, noun), reference=reference, grader="exact")


def _roman_value(numeral: str) -> int:
    worths = [dict(zip("IVXLCDM", (1, 5, 10, 50, 100, 500, 1000), strict=True))[letter] for letter in numeral]
    pairs = zip(worths, [*worths[1:], 0], strict=True)
    return sum(-worth if worth < following else worth for worth, following in pairs)


def _read_roman(text: str) -> _Number | None:
    numeral = max(_NUMERAL.findall(text), key=len, default="")
    if len(numeral) > 1:
        return _Number(value=_roman_value(numeral), source="roman", target="decimal")
    found = _PLAIN.search(text)
    if found is None or not 0 < int(found[1]) <= _LARGEST_ROMAN:
        return None
    return _Number(value=int(found[1]), source="decimal", target="roman")


def _read(text: str) -> _Number | None:
    if _ROMAN_NAMED.search(text):
        return _read_roman(text)
    into = _INTO.search(text)
    if into is None:
        return None
    target = (into[1] or into[2]).lower()
    for system, digits in _FROM.findall(text):
        with contextlib.suppress(ValueError):
            return _Number(value=int(digits, _RADIX[system.lower()]), source=system.lower(), target=target)
    found = _PLAIN.search(text)
    if found is None or target == "decimal":
        return None
    return _Number(value=int(found[1]), source="decimal", target=target)


def _work(number: _Number, skill: int) -> Solution:
    kept = number.value % 2 ** min(skill, _MAX_BITS) or number.value % 2 or 1
    steps = (f"I read the {number.source} digits place by place.", "Then I add up what the places are worth.")
    return Solution(result=_digits(kept, number.target), steps=steps)


BASES = Family(name="bases", write=_write, read=_read, work=_work)
