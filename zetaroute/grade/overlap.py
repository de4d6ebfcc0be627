"""Graders that score how much of the reference's words an answer shares: f1 and rouge-l.

They stand apart from the texts' graders because they alone give partial credit.
"""

from __future__ import annotations

from collections import Counter

from zetaroute.grade.text import fold, tokens

_ROUGE_TOKEN_LIMIT = 2_000


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
