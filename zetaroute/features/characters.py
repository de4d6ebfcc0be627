"""Which characters a text has, counted by kind all at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Index

_CJK = (("\u3040", "\u30ff"), ("\u3400", "\u9fff"), ("\uac00", "\ud7af"))
"""First and last characters of ranges."""
CJK = "".join(f"{first}-{last}" for first, last in _CJK)
"""The same in a character class."""
_ASCII = 128
_KINDS = (
    str.isdigit,
    str.isupper,
    str.isspace,
    "{}[]();=<>".__contains__,
    "+-*/^=×÷".__contains__,
    "\"'“”".__contains__,
    lambda one: not one.isascii(),
    lambda one: any(first <= one <= last for first, last in _CJK),
    # The last three are looked for in a row: [^\W\d_] and \d of regular expressions, and what stands in numbers.
    lambda one: one.isalnum() and not one.isdecimal(),
    str.isdecimal,
    ".,".__contains__,
)


def _kinds(characters: Iterable[str]) -> Index:
    return np.array([[int(is_one(one)) for one in characters] for is_one in _KINDS])


def _marks(kinds: Index) -> NDArray[np.uint8]:
    """Return which of the last three kinds each character is, as bits: the runs of all are found at once."""
    letter, digit, point = kinds[-3:]
    return np.asarray(letter * _LETTER + digit * _DIGIT + point * _POINT, dtype=np.uint8)


_LETTER, _DIGIT, _POINT = 1, 2, 4
_ASCII_KINDS = _kinds(list(map(chr, range(_ASCII))))
_ASCII_MARKS = bytes(_marks(_ASCII_KINDS)) + bytes(256 - _ASCII)
"""A table for `bytes.translate`."""
_OPENING = ord("(")
_NO_BRACKETS = bytes(set(range(256)) - set(b"()"))
_NOTHING = np.zeros(1, dtype=np.uint8)
"""What stands before a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Characters:
    """How many characters of a text are of which kind, and how many runs there are of some."""

    digits: int
    upper: int
    spaces: int
    code: int
    operators: int
    quotes: int
    foreign: int
    """Not ASCII."""
    cjk: int
    letters: int
    words: int
    """Runs of letters."""
    numbers: int
    """Runs of decimal digits, of which those with one point or comma between them are one."""
    depth: int
    """Of round brackets within one another, at most."""


def characters(text: str) -> Characters:
    """Return what the characters of a text are."""
    kinds = _ASCII_KINDS
    if text.isascii():
        plain = text.encode("ascii")
        codes: NDArray[np.integer] = np.frombuffer(plain, dtype=np.uint8)
        marks = np.frombuffer(plain.translate(_ASCII_MARKS), dtype=np.uint8)
    else:
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.int64)
        place = np.flatnonzero(codes >= _ASCII)
        others, which = np.unique(codes[place], return_inverse=True)
        codes[place] = _ASCII + which
        kinds = np.hstack([kinds, _kinds(list(map(chr, others.tolist())))])
        marks = _marks(kinds).take(codes)
    counts: list[int] = (kinds @ np.bincount(codes, minlength=kinds.shape[1])).tolist()
    digits, upper, spaces, code, operators, quotes, foreign, cjk, letters, _, _ = counts
    here = np.concatenate([_NOTHING, marks])
    starts = here[1:] & ~here[:-1]
    numbers = int(np.count_nonzero(starts & _DIGIT))
    if numbers > 1:
        # A point or a comma between digits, and the two numbers are one.
        numbers -= int(np.count_nonzero(here[2:] & here[:-2] & (here[1:-1] >> 1) & _DIGIT))
    return Characters(
        digits=digits,
        upper=upper,
        spaces=spaces,
        code=code,
        operators=operators,
        quotes=quotes,
        foreign=foreign,
        cjk=cjk,
        letters=letters,
        words=int(np.count_nonzero(starts & _LETTER)),
        numbers=numbers,
        depth=_depth(text) if "(" in text else 0,
    )


def _depth(text: str) -> int:
    level = deepest = 0
    for bracket in text.encode("ascii", "ignore").translate(None, _NO_BRACKETS):
        # A closing one without an opening one before it closes nothing.
        level = level + 1 if bracket == _OPENING else max(level - 1, 0)
        deepest = max(deepest, level)
    return deepest
