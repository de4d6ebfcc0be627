"""What is counted in a text: its terms and its meta features.

Pure functions of one text, shared letter for letter by training and serving.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

LONGEST = 40_000
"""Characters looked at; of a longer text the first and the last half of this."""
MOST_TOKENS = 400
"""Tokens counted as terms: the first and the last half of this."""
_END = 2_000
"""Characters at either end of a long text that mostly hold those."""

_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_TOKEN = re.compile(rf"[{_CJK}]|\d+|[^\W\d_{_CJK}]+|[^\w\s]|_")
_ASCII_TOKEN = re.compile(r"[a-z]+|[0-9]+|[^a-z0-9\s]")
"""The same for lower-case ASCII, in half the time."""
_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_QUESTION_WORD = re.compile(r"\s*(?:who|what|when|where|which|why|how|is|are|can|does|do)\b", re.IGNORECASE)
_OPTION_LINE = re.compile(r"(?m)^\s*\(?[A-Ja-j][).:]\s")
_LIST_LINE = re.compile(r"(?m)^\s*(?:[-*•]|\d+[.)])\s")
_ADDRESS = re.compile(r"https?://|\b[\w.+-]{1,64}@[\w-]{1,64}\.")
_CJK_CHARACTER = re.compile(f"[{_CJK}]")
_FOREIGN = re.compile(r"[^\x00-\x7f]")

_CODE = "{}[]();=<>"
_ASCII = [chr(code) for code in range(128)]
_IS_LETTER = np.array([one.isalpha() for one in _ASCII])
_DIGITS, _UPPER, _SPACES = (
    np.array([ord(one) for one in _ASCII if is_one(one)])
    for is_one in (str.isdigit, str.isupper, str.isspace)
)

META_NAMES = (
    "log_characters",
    "log_words",
    "word_length",
    "digit_share",
    "upper_share",
    "punctuation_share",
    "code_share",
    "non_ascii_share",
    "cjk_share",
    "log_numbers",
    "log_operators",
    "log_quotes",
    "bracket_depth",
    "log_lines",
    "log_line_length",
    "option_lines",
    "list_lines",
    "question_mark",
    "question_word",
    "code_fence",
    "address",
)


def clip(text: str) -> str:
    """Return the part of `text` that features look at: everything, or the head and the tail of a long one."""
    if len(text) <= LONGEST:
        return text
    return text[: LONGEST // 2] + "\n" + text[-LONGEST // 2 :]


def tokens(text: str) -> list[str]:
    """Split into lower-case words, signs, CJK characters, and digit runs as zeros (at most 4 of them)."""
    text = clip(text)
    found = _ends(text) if len(text) > 2 * _END else None
    if found is None:
        found = _split(text)
    if len(found) > MOST_TOKENS:
        found = found[: MOST_TOKENS // 2] + found[-MOST_TOKENS // 2 :]
    return ["0" * min(len(token), 4) if token[0].isdigit() else token for token in found]


def _ends(text: str) -> list[str] | None:
    """Return the tokens at both ends of a long text, as far as they are counted; None where that needs all of it.

    No token reaches over a space, so that what stands between two of them can be left unread.
    """
    end, start = text.rfind(" ", 0, _END), text.find(" ", len(text) - _END)
    if end < 0 or start < 0:
        return None
    head, tail = _split(text[:end]), _split(text[start:])
    half = MOST_TOKENS // 2
    return head[:half] + tail[-half:] if min(len(head), len(tail)) >= half else None


def _split(text: str) -> list[str]:
    text = text.lower()
    return (_ASCII_TOKEN if text.isascii() else _TOKEN).findall(text)


def terms(text: str) -> list[str]:
    """Return the terms of a text: tokens, neighbouring pairs, and the head and tail of long words."""
    words = tokens(text)
    found = list(words)
    found.extend(map(" ".join, pairwise(words)))
    for word in words:
        if len(word) > 5:
            found.append(f"^{word[:4]}")
            found.append(f"{word[-3:]}$")
    return found


def meta(text: str) -> list[float]:
    """Return the meta features named in META_NAMES: length, script, code and line structure of a text."""
    text = clip(text)
    size = max(len(text), 1)
    lines = text.count("\n") + 1
    found = _count(text)
    return [
        math.log1p(len(text)),
        math.log1p(found.words),
        found.letters / max(found.words, 1),
        found.digits / size,
        found.upper / size,
        (size - found.letters - found.digits - found.spaces) / size,
        sum(map(text.count, _CODE)) / size,
        found.foreign / size,
        found.cjk / size,
        math.log1p(len(_NUMBER.findall(text)) if found.digits else 0),
        math.log1p(sum(map(text.count, "+-*/^=×÷"))),
        math.log1p(sum(map(text.count, "\"'“”"))),
        min(_depth(text), 12),
        math.log1p(lines),
        math.log1p(size / lines),
        math.log1p(len(_OPTION_LINE.findall(text))),
        math.log1p(len(_LIST_LINE.findall(text))),
        float("?" in text),
        float(_QUESTION_WORD.match(text) is not None),
        float("```" in text),
        float(("@" in text or "://" in text) and _ADDRESS.search(text) is not None),
    ]


@dataclass(frozen=True, slots=True)
class _Characters:
    """How many characters of a text are of which kind, and how many runs of letters there are."""

    words: int
    letters: int
    digits: int
    upper: int
    spaces: int
    foreign: int
    """Not ASCII."""
    cjk: int


def _count(text: str) -> _Characters:
    """Return the counts of a text: in bulk where it is ASCII, as most is, and one by one for the rest."""
    codes = np.frombuffer(text.encode("ascii", "ignore"), dtype=np.uint8)
    found = np.bincount(codes, minlength=128)
    foreign = _FOREIGN.findall(text)
    if foreign:
        runs = _WORD.findall(text)
        words, letters = len(runs), sum(map(len, runs))
    else:
        is_letter = _IS_LETTER[codes]
        words = int(is_letter[:1].sum()) + int((is_letter[1:] & ~is_letter[:-1]).sum())
        letters = int(is_letter.sum())
    return _Characters(
        words=words,
        letters=letters,
        digits=int(found[_DIGITS].sum()) + sum(map(str.isdigit, foreign)),
        upper=int(found[_UPPER].sum()) + sum(map(str.isupper, foreign)),
        spaces=int(found[_SPACES].sum()) + sum(map(str.isspace, foreign)),
        foreign=len(foreign),
        cjk=len(_CJK_CHARACTER.findall(text)) if foreign else 0,
    )


def _depth(text: str) -> int:
    deepest = depth = 0
    for sign in re.findall(r"[()]", text) if "(" in text else ():
        depth = depth + 1 if sign == "(" else max(depth - 1, 0)
        deepest = max(deepest, depth)
    return deepest
