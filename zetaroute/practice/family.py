"""What a family of practice questions is: a writer, a reader, and work done within a limit.

A reader gets the text of a question and nothing else, so no solver can see the reference that its writer
worked out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Generic, TypeVar

Task = TypeVar("Task")

_BARE = (
    "Answer with the {} only.",
    "Reply with only the {}.",
    "Give nothing but the {}.",
    "Just the {}, please.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A generated question with its true answer."""

    text: str
    reference: str
    grader: str
    """exact, normalised, number, choice or contains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """What a solver came to, right or wrong."""

    result: str
    steps: tuple[str, ...] = ()
    """What a wordy model writes before its result. No step names a possible result of a `contains` question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family(Generic[Task]):
    """One kind of question: how it is written, read and worked out."""

    name: str
    write: Callable[[Random, int], Question]
    """Write a question of difficulty 1 to 5."""
    read: Callable[[str], Task | None]
    """Read a question's text; None when it is not of this family."""
    work: Callable[[Task, int], Solution]
    """Work it out within a limit, whose meaning the family's module tells."""

    def solve(self, text: str, skill: int) -> Solution | None:
        """Read and work out `text`; None when it is not of this family."""
        task = self.read(text)
        return None if task is None else self.work(task, skill)


def bare(rng: Random, text: str, noun: str) -> str:
    """Add a sentence that asks for the bare result, which models then give without any word around it."""
    return f"{text} {rng.choice(_BARE).format(noun)}"


def numeric(rng: Random, text: str, reference: str) -> Question:
    """Make a question whose answer is a number; one in four asks for the bare number."""
    text = bare(rng, text, "number") if rng.random() < 0.25 else text
    return Question(text=text, reference=reference, grader="number")


def textual(rng: Random, text: str, reference: str, noun: str) -> Question:
    """Make a question whose answer is a word or a code; half of them ask for the bare text."""
    if rng.random() < 0.5:
        return Question(text=bare(rng, text, noun), reference=reference, grader="exact")
    return Question(text=text, reference=reference, grader="contains")


def decimals(value: Fraction) -> str:
    """Write a number with two decimals, halves away from zero."""
    hundredths = math.floor(abs(value) * 100 + Fraction(1, 2))
    sign = "-" if value < 0 and hundredths else ""
    return f"{sign}{hundredths // 100}.{hundredths % 100:02d}"


def plain(value: Fraction) -> str:
    """Write a number as people do: at most two decimals, no trailing zeros."""
    return decimals(value).rstrip("0").rstrip(".")
