"""Each family by itself: its references are true, its reader knows its own, its solver errs as its limit says."""

from __future__ import annotations

from random import Random

import pytest

from zetaroute.practice.families import FAMILIES, family_of

from .marking import is_right
from .reckoning import ANSWERS

ROWS = 150
UNLIMITED = 999
EVERY_FAMILY = pytest.mark.parametrize("name", sorted(FAMILIES))


def questions(name, seed=11):
    rng = Random(seed)
    return [FAMILIES[name].write(rng, 1 + row % 5) for row in range(ROWS)]


def test_there_is_an_independent_answer_for_every_family():
    assert len(FAMILIES) >= 6
    assert ANSWERS.keys() == FAMILIES.keys()


@EVERY_FAMILY
def test_references_are_true(name):
    for question in questions(name):
        truth = ANSWERS[name](question.text)
        assert is_right(truth, reference=question.reference, grader=question.grader), question


@EVERY_FAMILY
def test_graders_are_known_and_references_short(name):
    for question in questions(name):
        assert question.grader in {"exact", "normalised", "number", "choice", "contains"}
        assert question.reference
        assert (question.grader == "choice") == (
            len(question.reference) == 1 and question.reference.isupper()
        )


@EVERY_FAMILY
def test_every_phrasing_is_recognised(name):
    assert {family_of(question.text) for question in questions(name, seed=12)} == {name}


@EVERY_FAMILY
def test_without_a_limit_the_solver_is_right(name):
    results = [
        is_right(
            FAMILIES[name].solve(question.text, UNLIMITED).result,
            reference=question.reference,
            grader=question.grader,
        )
        for question in questions(name, seed=13)
    ]
    assert sum(results) > 0.97 * ROWS


@EVERY_FAMILY
def test_a_narrow_limit_gives_another_answer_and_never_none(name):
    """The error is the limited method's own: some answers differ, all have the shape of an answer."""
    narrow = [FAMILIES[name].solve(question.text, 1).result for question in questions(name)]
    wide = [FAMILIES[name].solve(question.text, UNLIMITED).result for question in questions(name)]
    assert all(narrow)
    assert sum(a != b for a, b in zip(narrow, wide, strict=True)) > ROWS / 4


@EVERY_FAMILY
def test_a_family_asks_in_several_ways(name):
    """Openings of two words, with names and numbers masked, stand for the phrasings."""
    masked = {
        tuple(
            "#" if any(map(str.isdigit, word)) or word[0] in '("{' else word
            for word in question.text.split()[:2]
        )
        for question in questions(name)
    }
    assert len(masked) >= 4


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("What is 2 + 2?", "4"),
        ("what's 12*(3+4)?", "84"),
        ("Calculate 7 minus 10.", "-3"),
        ("How much is 7 ÷ 2?", "3.5"),
        ("How many r's in strawberry?", "3"),
        ('How many words are in "the quick brown fox"?', "4"),
        ("Sort 5, 3, 9 ascending", "3, 5, 9"),
        ("Sort from Z to A: pear, apple, plum", "plum, pear, apple"),
        ("What is 15% of 80?", "12"),
        ("Which date is 1 days after 2024-02-28?", "2024-02-29"),
        ("Which date is 1 days after 1900-02-28?", "1900-03-01"),
        ("How many days between 2024-01-01 and 2024-12-31?", "365"),
        ("Ann is taller than Ben. Cem is shorter than Ben. Who is the tallest?", "Ann"),
        ("Tom has 5 apples. He eats 2. How many apples are left?", "3"),
        ("What is the phone number of Ann?\nCall 555-1234 to reach Ben. Ann has 555-9876.", "555-9876"),
    ],
)
def test_questions_in_a_newcomers_own_words_are_solved(text, answer):
    assert FAMILIES[family_of(text)].solve(text, UNLIMITED).result == answer


@pytest.mark.parametrize(
    ("text", "skill", "answer", "why"),
    [
        ("What is 2 * (3 + 4)?", 2, "10", "the bracket goes unnoticed"),
        ("What is 2 + 3 * 4?", 1, "20", "from left to right"),
        ('Count the letters in "banana".', 2, "4", "every third slips through"),
        ("Which date is 1 days after 2024-02-28?", 2, "2024-03-01", "no leap years"),
        ("Which date is 1 days after 1900-02-28?", 3, "1900-02-29", "every fourth year is leap"),
        ("Sort ascending: 4, 3, 2, 1", 1, "1, 4, 3, 2", "one pass"),
        (
            "Start from 100. The value rises by 10% and falls by 10%. What is the final value?",
            1,
            "100",
            "added up",
        ),
        ("Tom has 5 apples. He eats 2. He buys 9. How many apples are left?", 1, "3", "the end is lost"),
        ("Ann is older than Ben. Cem is older than Ann. Who is the oldest?", 1, "Ann", "one fact kept"),
        (
            "Find the phone number of Ann.\nCall 555-1234 to reach Ben. Ann has 555-9876.",
            1,
            "555-1234",
            "first seen",
        ),
    ],
)
def test_a_limit_errs_in_its_own_way(text, skill, answer, why):
    assert FAMILIES[family_of(text)].solve(text, skill).result == answer, why


@pytest.mark.parametrize(
    "text",
    """Write a poem about the sea
What is the capital of France?
Write a Python function that reverses a string
How do I sort a list in Python?
Explain quantum entanglement to a ten-year-old.
Translate "good morning" into Spanish.
Summarise this article in three sentences.
How many people live in Berlin?
How many words should an essay have?
How many words rhyme with "orange"?
What should I cook with 3 eggs and 2 tomatoes?
When did the second world war end?
My email is anna@example.org, please write a reply to my landlord.
Who is the tallest person in the world?
Alice is taller than Bob. Write a story about them.
Convert this paragraph to the passive voice: The cat ate the fish.
How many hours should I sleep over 7 days?
The price of oil fell by 10% last week. Why?
Only 5% of 300 companies survive. Why?
Sort out my feelings: I am sad and tired and angry.
Rank these films by quality, ascending: Alien, Jaws, Heat.
Count to ten in German.
Debug this: SELECT * FROM users WHERE id = 1 + 1;
def f(x): return x + 1  # what is wrong here?
My company has 50 employees and sells 20 products. How should we grow?
I have 2 kids and 1 dog. How many bedrooms do I need?
Draft an email to the whole team about the move to Berlin on 2024-05-01.
How many days should I spend in Rome if I arrive on 2024-05-01?
What are the roots of x^2 + 3x + 2 = 0?
What is the average of 1, 2, 3, 4?
1, 2, 3, 4, what a great song!
What is 2 +?
What is 2 3?
What is (2 + 3?
What is )2 + 3(?
What is 2 + () 3?
Hello
?""".splitlines(),
)
def test_ordinary_prose_is_not_claimed(text):
    assert family_of(text) is None
