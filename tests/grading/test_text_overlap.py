"""The graders of shared words: f1 and rouge-l, against their definitions."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, strategies as st

from zetaroute.answers.words import tokens
from zetaroute.grading.text_graders import f1, rouge_l

F1 = [
    ("Paris", "Paris", 1.0),
    ("the Paris", "Paris!", 1.0),
    ("Paris, France", "Paris", 2 / 3),
    ("Paris", "Paris, France", 2 / 3),
    ("it is Paris", "Paris", 1 / 2),
    ("Lyon", "Paris", 0.0),
    ("France Paris", "Paris France", 1.0),
    ("Paris Paris", "Paris", 2 / 3),
    ("one two three four", "three four five six", 1 / 2),
    ("x x y", "x y y", 2 / 3),
    ("...", "Paris", 0.0),
    ("Paris", "...", 0.0),
    ("the", "a", 0.0),
    ("?", "?", 1.0),
    ("a cat sat", "the cat sat", 1.0),
]

ROUGE_L = [
    ("Paris", "Paris", 1.0),
    ("France Paris", "Paris France", 1 / 2),
    ("police killed gunman", "police kill gunman", 2 / 3),
    ("gunman kill police", "police kill gunman", 1 / 3),
    ("one two three four", "one three", 2 / 3),
    ("one x two y three", "one two three", 3 / 4),
    ("Lyon", "Paris", 0.0),
    ("x y x y", "y x y x", 3 / 4),
    ("the", "Paris", 0.0),
    ("!", "!", 1.0),
    ("w " * 1999 + "end", "end", 2 / 2001),
    ("w " * 2000 + "end", "end", 0.0),
]


def plain_subsequence(left: list[str], right: list[str]) -> int:
    """The textbook recursion for the longest common subsequence."""

    @cache
    def longest(i: int, j: int) -> int:
        if i == len(left) or j == len(right):
            return 0
        if left[i] == right[j]:
            return 1 + longest(i + 1, j + 1)
        return max(longest(i + 1, j), longest(i, j + 1))

    return longest(0, 0)


@pytest.mark.parametrize(("answer", "reference", "expected"), F1)
def test_f1(answer: str, reference: str, expected: float) -> None:
    assert f1(answer, reference) == pytest.approx(expected)


@pytest.mark.parametrize(("answer", "reference", "expected"), ROUGE_L)
def test_rouge_l(answer: str, reference: str, expected: float) -> None:
    assert rouge_l(answer, reference) == pytest.approx(expected)


WORDS = st.lists(st.sampled_from(["cat", "dog", "sat", "ran", "the"]), max_size=12).map(" ".join)


@given(WORDS | st.text(), WORDS | st.text())
def test_both_are_symmetric_shares(left: str, right: str) -> None:
    for score in (f1, rouge_l):
        assert 0.0 <= score(left, right) <= 1.0
        assert score(left, right) == score(right, left)
        assert score(left, left) == 1.0


@given(WORDS, WORDS)
def test_rouge_l_follows_the_textbook(left: str, right: str) -> None:
    got, wanted = tokens(left), tokens(right)
    if got and wanted:
        expected = 2 * plain_subsequence(got, wanted) / (len(got) + len(wanted))
        assert rouge_l(left, right) == pytest.approx(expected)


@given(WORDS, WORDS)
def test_order_can_only_cost(left: str, right: str) -> None:
    assert rouge_l(left, right) <= f1(left, right)
