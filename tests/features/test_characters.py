"""Characters counted all at once are those that Python and regular expressions find one by one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings, strategies as st

from zetaroute.features.characters import Characters, characters

TRICKY = "aB1.,()-[]{}\"'“”×÷é漢あ한²½٣५ǅßÅ\ud800😀_ \n\u3000"


def one_by_one(text: str) -> Characters:
    level = deepest = 0
    for sign in text:
        level = level + 1 if sign == "(" else max(level - 1, 0) if sign == ")" else level
        deepest = max(deepest, level)
    words = re.findall(r"[^\W\d_]+", text)
    return Characters(
        digits=sum(map(str.isdigit, text)),
        upper=sum(map(str.isupper, text)),
        spaces=sum(map(str.isspace, text)),
        code=sum(map(text.count, "{}[]();=<>")),
        operators=sum(map(text.count, "+-*/^=×÷")),
        quotes=sum(map(text.count, "\"'“”")),
        foreign=sum(not one.isascii() for one in text),
        cjk=len(re.findall("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]", text)),
        letters=sum(map(len, words)),
        words=len(words),
        numbers=len(re.findall(r"\d+(?:[.,]\d+)*", text)),
        depth=deepest,
    )


@settings(max_examples=150)
@given(
    st.text(alphabet=st.characters(max_codepoint=127), max_size=200)
    | st.text(alphabet=st.sampled_from(TRICKY), max_size=60)
    | st.text(max_size=200)
)
def test_any_text_is_counted_as_python_tells_its_characters(text: str) -> None:
    assert characters(text) == one_by_one(text)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("1,234.5 and 6", 2), ("1..2", 2), ("1.a2", 2), (".5", 1), ("٣,५ ²", 1), ("none", 0)],
)
def test_a_number_may_have_points_and_commas_within(text: str, numbers: int) -> None:
    assert characters(text).numbers == numbers


@pytest.mark.parametrize(("text", "depth"), [("", 0), ("())(()", 2), (")))((x", 2), ("()()", 1)])
def test_brackets_that_close_nothing_open_no_depth(text: str, depth: int) -> None:
    assert characters(text).depth == depth
