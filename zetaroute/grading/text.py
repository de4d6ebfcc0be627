"""Graders that compare texts or their words: exact, normalised, contains, regex, f1 and rouge-l."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter

from zetaroute.errors import UsageError

_ARTICLES = frozenset({"a", "an", "the"})
_LIMIT = 100_000
"""Characters of a text that are read, so that no answer can hold a program up."""
_HALF = 6_000
"""Characters kept of the head and of the tail of a long answer: a final answer stands in one or the other."""
_ROUGE_TOKEN_LIMIT = 2_000


def excerpt(text: str) -> str:
    """Return the text, or its first and last 6,000 characters when it is longer than both."""
    return text if len(text) <= 2 * _HALF else f"{text[:_HALF]}\n{text[-_HALF:]}"


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


def f1(answer: str, reference: str) -> float:
    """Return the F1 of shared normalised tokens, counted with multiplicity (SQuAD, Rajpurkar et al. 2016)."""
    got, wanted = tokens(answer), tokens(reference)
    if not got or not wanted:
        return _without_words(answer, reference)
    return _f_measure((Counter(got) & Counter(wanted)).total(), len(got), len(wanted))


def rouge_l(answer: str, reference: str) -> float:
    """Return the F-measure of the longest common subsequence of normalised tokens (Lin 2004, beta = 1).

    Only the first 2,000 tokens of either text are compared.
    """
    got, wanted = tokens(answer)[:_ROUGE_TOKEN_LIMIT], tokens(reference)[:_ROUGE_TOKEN_LIMIT]
    if not got or not wanted:
        return _without_words(answer, reference)
    return _f_measure(_longest_common_subsequence(got, wanted), len(got), len(wanted))


def _without_words(answer: str, reference: str) -> float:
    """Score texts of which one is only punctuation and articles: nothing is shared unless they are the same."""
    return float(fold(answer) == fold(reference))


def _f_measure(shared: int, got: int, wanted: int) -> float:
    # 2PR / (P + R) with P = shared / got and R = shared / wanted.
    return 2 * shared / (got + wanted)


def _longest_common_subsequence(left: list[str], right: list[str]) -> int:
    """Return the length, one bit per token of `left` (Hyyrö 2004, "Bit-parallel LCS-length computation")."""
    places: dict[str, int] = {}
    for index, token in enumerate(left):
        places[token] = places.get(token, 0) | 1 << index
    everywhere = (1 << len(left)) - 1
    unmatched = everywhere
    for token in right:
        matched = unmatched & places.get(token, 0)
        unmatched = ((unmatched + matched) | (unmatched - matched)) & everywhere
    return len(left) - unmatched.bit_count()
