"""Graders that compare texts or their words: exact, normalised, contains, regex, f1 and rouge-l."""

from __future__ import annotations

import re
from collections import Counter

from zetaroute.answers.words import LIMIT, fold, tokens
from zetaroute.errors import UsageError

_ROUGE_TOKEN_LIMIT = 2_000


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
    return float(reference_pattern(reference).search(answer[:LIMIT]) is not None)


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
