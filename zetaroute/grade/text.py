"""Graders that compare texts: exact, normalised, contains and regex.

They share a file because they share one notion of when two texts are the same; the overlap graders use it too.
All but exact read the first 100,000 characters of a text.
"""

from __future__ import annotations

import re
import string
import unicodedata

from zetaroute.errors import UsageError

_ARTICLES = frozenset({"a", "an", "the"})
_LIMIT = 100_000
"""Characters of a text that are read, so that no answer can hold a program up."""


def fold(text: str) -> str:
    """Return the first 100,000 characters of a text in Unicode NFKC, case-folded, without outer white space."""
    composed = unicodedata.normalize("NFKC", text[:_LIMIT])[:_LIMIT]
    return unicodedata.normalize("NFKC", composed.casefold()).strip()


def _is_dropped(character: str) -> bool:
    category = unicodedata.category(character)
    return category.startswith("P") or category == "Cf" or character in string.punctuation


def tokens(text: str) -> list[str]:
    """Return the words of a text after folding and dropping punctuation and the articles a, an, the.

    The order of steps is that of SQuAD's evaluation (Rajpurkar et al. 2016), with Unicode's punctuation
    and invisible format characters beside ASCII's.
    """
    folded = fold(text)
    dropped = {ord(character): None for character in set(folded) if _is_dropped(character)}
    if dropped:
        # A mark that stood after a dropped character joins the letter before it now.
        folded = unicodedata.normalize("NFKC", folded.translate(dropped))
    return [word for word in folded.split() if word not in _ARTICLES]


def normalise(text: str) -> str:
    """Return the words of a text (see `tokens`) joined by single spaces."""
    return " ".join(tokens(text))


def exact(answer: str, reference: str) -> float:
    """Score 1 when the texts are equal after stripping outer white space."""
    return float(answer.strip() == reference.strip())


def normalised(answer: str, reference: str) -> float:
    """Score 1 when the texts are equal after case folding, NFKC, dropping punctuation and articles.

    A reference that consists of nothing else (`+`, `The`) is compared after folding alone.
    """
    wanted = normalise(reference)
    if not wanted:
        return float(fold(answer) == fold(reference))
    return float(normalise(answer) == wanted)


def contains(answer: str, reference: str) -> float:
    """Score 1 when the folded reference stands anywhere in the folded answer; a blank one only in a blank one."""
    wanted = fold(reference)
    return float(wanted in fold(answer)) if wanted else float(not answer.strip())


def reference_pattern(reference: str) -> re.Pattern[str]:
    """Return the compiled pattern; raise UsageError when it is none."""
    try:
        return re.compile(reference)
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(
            f"The regex grader cannot read its reference ({error}): write a pattern of Python's re."
        ) from error


def regex(answer: str, reference: str) -> float:
    """Score 1 when the pattern is found (`re.search`) in the first 100,000 characters of the answer.

    Python's engine backtracks without a limit of time: a pattern like `(a+)+$` stays its author's affair.
    """
    return float(reference_pattern(reference).search(answer[:_LIMIT]) is not None)
