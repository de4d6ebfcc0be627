"""What is counted in a text: its terms and its meta features.

Pure functions of one text, shared letter for letter by training and serving.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise

from zetaroute.features.characters import CJK, characters

LONGEST = 40_000
"""Characters looked at; of a longer text the first and the last half of this."""
MOST_TOKENS = 400
"""Tokens counted as terms: the first and the last half of this."""
LONG_WORD = 6
"""Letters from which on the head and the tail of a word are terms too, of so many letters:"""
WORD_START = 4
WORD_END = 3
_ENDS = (1_300, 2_600)
"""Characters at either end of a long text that mostly hold those, and nearly always."""

_TOKEN = rf"[{CJK}]|\d+|[^\W\d_{CJK}]+|[^\w\s]|_"
"""Compiled where a text needs it: that takes 3 ms."""
_ASCII_TOKEN = re.compile(r"[a-z]+|(?<!0)0{1,4}|[^a-z0\s]")
"""The same for lower-case ASCII whose digits are zeros, in half the time; of a run it takes the first four."""
_PLAIN = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ123456789", b"abcdefghijklmnopqrstuvwxyz000000000")
_QUESTION_WORD = re.compile(r"\s*(?:who|what|when|where|which|why|how|is|are|can|does|do)\b", re.IGNORECASE)
# A line begins with its end of line here, which is looked for ten times as fast as (?m)^.
_OPTION_LINE = re.compile(r"\n\s*\(?[A-Ja-j][).:](?=\s)")
_LIST_LINE = re.compile(r"\n\s*(?:[-*•]|\d+[.)])(?=\s)")
_AT_HOST = re.compile(r"@[\w-]{1,64}\.")
_USER = re.compile(r"\b[\w.+-]{1,64}\Z")

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
    found = None
    for size in _ENDS:
        found = found or (_ends(text, size) if len(text) > 2 * size else None)
    if found is None:
        found = _split(text)
    if len(found) > MOST_TOKENS:
        found = found[: MOST_TOKENS // 2] + found[-MOST_TOKENS // 2 :]
    return found


def _ends(text: str, size: int) -> list[str] | None:
    """Return the tokens at both ends of a long text, as far as they are counted; None where that needs more of it.

    No token reaches over a space, so that what stands between two of them can be left unread.
    """
    end, start = text.rfind(" ", 0, size), text.find(" ", len(text) - size)
    if end < 0 or start < 0:
        return None
    head, tail = _split(text[:end]), _split(text[start:])
    half = MOST_TOKENS // 2
    return head[:half] + tail[-half:] if min(len(head), len(tail)) >= half else None


def _split(text: str) -> list[str]:
    if text.isascii() or (text := text.lower()).isascii():
        return _ASCII_TOKEN.findall(text.encode("ascii").translate(_PLAIN).decode("ascii"))
    return ["0" * min(len(token), 4) if token[0].isdigit() else token for token in re.findall(_TOKEN, text)]


def terms(text: str) -> list[str]:
    """Return the terms of a text: tokens, neighbouring pairs, and the head and tail of long words."""
    words = tokens(text)
    found = list(words)
    found.extend(map(" ".join, pairwise(words)))
    for word in words:
        if len(word) >= LONG_WORD:
            found.append(f"^{word[:WORD_START]}")
            found.append(f"{word[-WORD_END:]}$")
    return found


def meta(text: str) -> list[float]:
    """Return the meta features named in META_NAMES: length, script, code and line structure of a text."""
    text = clip(text)
    size = max(len(text), 1)
    lines, opened = text.count("\n") + 1, "\n" + text
    found = characters(text)
    return [
        math.log1p(len(text)),
        math.log1p(found.words),
        found.letters / max(found.words, 1),
        found.digits / size,
        found.upper / size,
        (size - found.letters - found.digits - found.spaces) / size,
        found.code / size,
        found.foreign / size,
        found.cjk / size,
        math.log1p(found.numbers),
        math.log1p(found.operators),
        math.log1p(found.quotes),
        min(found.depth, 12),
        math.log1p(lines),
        math.log1p(size / lines),
        math.log1p(len(_OPTION_LINE.findall(opened))),
        math.log1p(len(_LIST_LINE.findall(opened))),
        float("?" in text),
        float(_QUESTION_WORD.match(text) is not None),
        float("```" in text),
        float("http://" in text or "https://" in text or _has_mail_address(text)),
    ]


def _has_mail_address(text: str) -> bool:
    return any(_USER.search(text[max(at.start() - 65, 0) : at.start()]) for at in _AT_HOST.finditer(text))
