"""What only looks like an option letter: articles, pronouns, names; and letters that are joined or refused."""

from __future__ import annotations

import pytest

from zetaroute.grading.choice import choice

UNSETTLED = [
    # two letters or none
    "A or B",
    "both A and C",
    "A, B",
    "A/B",
    "A & B",
    "(A) and (B)",
    "B or C",
    "The answer is A or B.",
    "The answer is either (A) or (B).",
    "The answer is both A and C.",
    "The correct answers are A and C.",
    "Both A and C are correct.",
    "A, B and C are correct.",
    "Answer: A, B",
    "\\boxed{A, B}",
    "A) yes\nB) yes",
    "A\nB\nC\nD",
    "AB",
    "A B C D",
    "Paris",
    "42",
    "I don't know",
    "None of them.",
    "",
    "   \n",
    "<think>the answer is B</think>",
    "<think>the answer is B, but let me check",
    # articles, pronouns and other words
    "A dog",
    "a dog",
    "A dog is an animal.",
    "The answer is a dog.",
    "The answer is A dog.",
    "Answer: A large dog",
    "It is a dog.",
    "So a dog would be right.",
    "I think so",
    "I am not sure, I would say Paris.",
    "I'd rather not answer",
    "I'm sure",
    "I, for one, cannot tell.",
    "The answer is I think Paris",
    "Because",
    "Vitamin C",
    "The answer is vitamin C",
    "hepatitis B",
    "D.C. is the capital",
    "J. K. Rowling wrote it",
    "C++",
    "C#",
    "The answer is C++",
    "B-cells",
    "B cells make antibodies",
    "E = mc^2",
    "The answer is E = mc^2",
    "The answer is f(x)",
    "Dog",
    "The answer is Dog",
    "The answer is better",
    # refused letters
    "Not A",
    "It is not A.",
    "The answer is not A.",
    "Anything except A",
    "Neither A nor B",
    "Neither A nor B is correct.",
    "A is incorrect.",
    "A is not the right answer.",
    "I would not choose A",
    "I ruled out (A)",
    # more of what models write
    "The answer is **A** dog",
    "A good choice is hard; none of these.",
    "The answer is not listed.",
    "There is no correct answer.",
    "I cannot determine the answer; A and B are both plausible.",
    "It depends: A if it rains, B otherwise.",
    "Either A or B",
    "A and B",
    "Not sure, maybe A, maybe B",
    "I am a language model.",
    "A B",
    "In Plan B, we go",
    "Type A blood",
    "Grade A",
    "a, b",
    "The answer is between A and B",
    "Let ABC be a triangle with points A, B and C. The area is 5.",
    "Correct answer: A, B",
    "Answer: A and B only",
]

OTHER = [
    ("A", "B"),
    ("The answer is B.", "C"),
    ("B", "A"),
    ("A dog is an animal, so the answer is C.", "A"),
    ("I", "A"),
    ("The answer is D, not A", "A"),
]


@pytest.mark.parametrize("answer", UNSETTLED)
def test_settles_on_no_letter(answer: str) -> None:
    assert [letter for letter in "ABCDEFGHIJ" if choice(answer, letter)] == []


@pytest.mark.parametrize(("answer", "reference"), OTHER)
def test_settles_on_another_letter(answer: str, reference: str) -> None:
    assert choice(answer, reference) == 0.0
