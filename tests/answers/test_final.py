"""What answers of every shape settle on, without knowing the task."""

from __future__ import annotations

import pytest

from zetaroute.answers.final import final_of
from zetaroute.answers.names import KINDS

OPTIONS = "Which?\nA. one\nB. two\nC. three"


@pytest.mark.parametrize(
    ("text", "query", "kind"),
    [
        ("", "q", "empty"),
        ("  \n", "q", "empty"),
        ("None", "q", "declined"),
        ("[]", "q", "declined"),
        ("I am sorry, I cannot do that.", "q", "declined"),
        ('["I am sorry, the tools lack it."]', "q", "declined"),
        ("Let me see. The answer is (B).", OPTIONS, "choice"),
        ("It is due on 12 May 2104.", "When?", "date"),
        ("#### 24", "How many of 30?", "number"),
        (r"so \boxed{3/4}", "q", "number"),
        ("Yes, they do.", "q", "boolean"),
        ('[{"name": "f", "arguments": {"a": 1}}]', "q", "calls"),
        ("[f(a=1), g.h(b='x')]", "q", "calls"),
        ('[{"f": "{\\"a\\": 1}"}]', "q", "calls"),
        ('{"tool_calls": [{"name": "f", "arguments": "{\\"a\\": 1}"}]}', "q", "calls"),
        ('```json\n{"a": 1, "b": [2]}\n```', "q", "json"),
        ("Paris", "What is the capital of France?", "text"),
        ("<ANSWER>2</ANSWER>\n[{'role': 'user'", "1. a\n2. b", "number"),
    ],
)
def test_kind(text: str, query: str, kind: str) -> None:
    assert final_of(text, query).kind == kind
    assert kind in KINDS


@pytest.mark.parametrize(
    "text", ["The answer is B.", "(B)", r"\boxed{B}", "Option B is correct.", "<answer>B</answer>"]
)
def test_one_letter_in_many_words(text: str) -> None:
    assert final_of(text, OPTIONS).value == "B"


@pytest.mark.parametrize("text", ["2104-05-12", "May 12, 2104", "the 12th of May 2104", "12 May, 2104"])
def test_one_date_in_many_forms(text: str) -> None:
    assert final_of(text, "When?").value == (2104, 5, 12)


def test_a_letter_that_was_not_offered_is_no_choice() -> None:
    assert final_of("The answer is H.", OPTIONS).kind == "text"


@pytest.mark.parametrize(
    "text", ["[" * 5000, "f(" * 3000, "{'a': " * 900 + "1", '"' + "\\" * 5000, "9" * 20000]
)
def test_hostile_text_has_some_final_answer(text: str) -> None:
    assert final_of(text, "How many of 3?").kind in KINDS
