"""Answers that say the same agree, whatever words and shapes they take."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from zetaroute.answers.agreement import agreement
from zetaroute.answers.final import final_of
from zetaroute.answers.names import EQUAL
from zetaroute.answers.structure import MOST_CALLS

QUERY = "How many of 30?"


def agree(one: str, other: str, query: str = QUERY) -> float:
    return agreement(final_of(one, query), final_of(other, query))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The answer is 1,000.", "#### 1000.00"),
        ("It is 25%.", "The answer is 1/4."),
        ("[math.sum(a=1, b='x y')]", '[{"math_sum": "{\\"b\\": \\"x y\\", \\"a\\": 1}"}]'),
        (
            "[f(a=1), g(b=2)]",
            '[{"name": "g", "arguments": {"b": 2}}, {"name": "f", "arguments": {"a": 1.0}}]',
        ),
        ('{"a": 1, "b": [2, 3]}', '```json\n{"b": [2, 3], "a": 1}\n```'),
        ("None", "I am sorry, no function can do that."),
        ("", "None"),
        ("Yes.", "yes, of course"),
        ("12 May 2104", "2104-05-12"),
        ("The Eiffel Tower", "eiffel tower."),
    ],
)
def test_the_same_in_other_words(one: str, other: str) -> None:
    assert agree(one, other) == 1.0
    assert agree(other, one) == 1.0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The answer is 7.", "The answer is 8."),
        ("Yes.", "No."),
        ("Paris", "London"),
        ("7", "[f(a=7)]"),
        ("7", "None"),
    ],
)
def test_different(one: str, other: str) -> None:
    assert agree(one, other) == 0.0


def test_calls_agree_by_what_they_share() -> None:
    # Of 8 parts the name is 4, and each argument 2: one as it is written, one as it is meant.
    assert agree("[f(a=1, b=2)]", "[f(a=1, b=3)]") == pytest.approx(6 / 8)
    assert agree("[f(a=1, b='X y')]", "[f(a='1', b='x y')]") == pytest.approx(EQUAL)
    assert agree("[f(a=1)]", "[g(a=1)]") == 0.0


@pytest.mark.parametrize(
    "written",
    [lambda n: f"take(name='item {n}')", lambda n: f'{{"name": "take", "arguments": {{"at": {n}}}}}'],
)
def test_of_hundreds_of_calls_the_first_ones_are_read(written: Callable[[int], str]) -> None:
    many, fewer, other = (
        f"[{', '.join(map(written, one))}]" for one in (range(180), range(60), range(9, 99))
    )
    finals = [final_of(text, "Take all.") for text in (many, fewer, other)]
    assert [len(final.value) for final in finals] == [MOST_CALLS] * 3
    assert agreement(finals[0], finals[1]) == 1.0
    assert agreement(finals[0], finals[2]) < 1.0
