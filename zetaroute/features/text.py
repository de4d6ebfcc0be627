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

_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_TOKEN = re.compile(rf"[{_CJK}]|\d+|[^\W\d_{_CJK}]+|[^\w\s]|_")
_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_QUESTION_WORD = re.compile(r"\s*(?:who|what|when|where|which|why|how|is|are|can|does|do)\b", re.IGNORECASE)
_OPTION_LINE = re.compile(r"(?m)^\s*\(?[A-Ja-j][).:]\s")
_LIST_LINE = re.compile(r"(?m)^\s*(?:[-*•]|\d+[.)])\s")
_ADDRESS = re.compile(r"https?://|\b[\w.+-]{1,64}@[\w-]{1,64}\.")
_CJK_CHARACTER = re.compile(f"[{_CJK}]")

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
    found = _TOKEN.findall(clip(text).lower())
    if len(found) > MOST_TOKENS:
        found = found[: MOST_TOKENS // 2] + found[-MOST_TOKENS // 2 :]
    return ["0" * min(len(token), 4) if token[0].isdigit() else token for token in found]


def terms(text: str) -> list[str]:
    """Return the terms of a text: tokens, neighbouring pairs, and the head and tail of long words."""
    words = tokens(text)
    found = list(words)
    found.extend(f"{left} {right}" for left, right in pairwise(words))
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
    found = _count_ascii(text) if text.isascii() else _count(text)
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
        float(_ADDRESS.search(text) is not None),
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
    words = _WORD.findall(text)
    return _Characters(
        words=len(words),
        letters=sum(map(len, words)),
        digits=sum(map(str.isdigit, text)),
        upper=sum(map(str.isupper, text)),
        spaces=sum(map(str.isspace, text)),
        foreign=len(text) - len(text.encode("ascii", "ignore")),
        cjk=len(_CJK_CHARACTER.findall(text)),
    )


def _count_ascii(text: str) -> _Characters:
    """Return the same for a text in ASCII, in a tenth of the time: most texts are, and every decision counts one."""
    codes = np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    found = np.bincount(codes, minlength=128)
    is_letter = _IS_LETTER[codes]
    starts = int(is_letter[:1].sum()) + int((is_letter[1:] & ~is_letter[:-1]).sum())
    return _Characters(
        words=starts,
        letters=int(is_letter.sum()),
        digits=int(found[_DIGITS].sum()),
        upper=int(found[_UPPER].sum()),
        spaces=int(found[_SPACES].sum()),
        foreign=0,
        cjk=0,
    )


def _depth(text: str) -> int:
    deepest = depth = 0
    for sign in re.findall(r"[()]", text):
        depth = depth + 1 if sign == "(" else max(depth - 1, 0)
        deepest = max(deepest, depth)
    return deepest
