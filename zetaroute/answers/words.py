"""Texts as words: folded, cut to what is read, without punctuation."""

from __future__ import annotations

import string
import unicodedata

_ARTICLES = frozenset({"a", "an", "the"})
LIMIT = 100_000
"""Characters of a text that are read, so that no answer can hold a program up."""
_ASCII = dict.fromkeys(map(ord, string.punctuation))
_HALF = 6_000
"""Characters kept of the head and of the tail of a long answer: a final answer stands in one or the other."""


def excerpt(text: str) -> str:
    """Return the text, or its first and last 6,000 characters when it is longer than both."""
    return text if len(text) <= 2 * _HALF else f"{text[:_HALF]}\n{text[-_HALF:]}"


def fold(text: str) -> str:
    """Return the first 100,000 characters of a text in Unicode NFKC, case-folded, without outer white space."""
    composed = unicodedata.normalize("NFKC", text[:LIMIT])[:LIMIT]
    return unicodedata.normalize("NFKC", composed.casefold()).strip()


def _is_dropped(character: str) -> bool:
    category = unicodedata.category(character)
    return category.startswith("P") or category == "Cf" or character in string.punctuation


def tokens(text: str) -> list[str]:
    """Return the words of a text after folding and dropping punctuation and the articles a, an, the.

    The order of steps is that of SQuAD's evaluation (Rajpurkar et al. 2016), with Unicode's punctuation
    and invisible format characters beside ASCII's.
    """
    if text.isascii():
        return [word for word in text[:LIMIT].lower().translate(_ASCII).split() if word not in _ARTICLES]
    folded = fold(text)
    dropped = {ord(character): None for character in set(folded) if _is_dropped(character)}
    if dropped:
        # A mark that stood after a dropped character joins the letter before it now.
        folded = unicodedata.normalize("NFKC", folded.translate(dropped))
    return [word for word in folded.split() if word not in _ARTICLES]
