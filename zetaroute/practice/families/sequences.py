"""The next term of a sequence.

The limit is how many kinds of rule are known, in this order: equal steps, equal ratios, steps that grow
evenly, sums of the two terms before, two sequences in turn. Whoever knows no rule that fits repeats the last
step.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from random import Random

from zetaroute.practice.family import Family, Question, Solution, numeric

_PHRASES = (
    "What comes next: {terms}, ...?",
    "Find the next term of the sequence {terms}.",
    "Continue the series by one number: {terms}, __",
    "Which number follows in {terms}?",
    "A machine prints {terms}. What will it print next?",
)
_ASKS = re.compile(r"\b(?:next|follows|continue|next term)\b", re.IGNORECASE)
_TERMS = re.compile(r"(?<![\d.])-?\d{1,12}(?:\s?,\s?-?\d{1,12}){3,29}\b")


def _steps(terms: Sequence[int]) -> list[int]:
    return [after - before for before, after in itertools.pairwise(terms)]


def _equal_steps(terms: Sequence[int]) -> int | None:
    steps = _steps(terms)
    return terms[-1] + steps[-1] if len(set(steps)) == 1 else None


def _equal_ratios(terms: Sequence[int]) -> int | None:
    first, second = terms[:2]
    if not first or any(after * first != before * second for before, after in itertools.pairwise(terms)):
        return None
    following, remainder = divmod(terms[-1] * second, first)
    return None if remainder else following


def _growing_steps(terms: Sequence[int]) -> int | None:
    step = _equal_steps(_steps(terms))
    return None if step is None else terms[-1] + step


def _sums_of_two(terms: Sequence[int]) -> int | None:
    fits = all(c == a + b for a, b, c in zip(terms, terms[1:], terms[2:], strict=False))
    return terms[-2] + terms[-1] if fits else None


def _two_in_turn(terms: Sequence[int]) -> int | None:
    own, other = terms[len(terms) % 2 :: 2], terms[1 - len(terms) % 2 :: 2]
    if min(len(own), len(other)) < 3 or _equal_steps(other) is None:
        return None
    return _equal_steps(own)


_RULES: tuple[tuple[str, Callable[[Sequence[int]], int | None]], ...] = (
    ("the steps are equal", _equal_steps),
    ("the ratios are equal", _equal_ratios),
    ("the steps grow evenly", _growing_steps),
    ("every term is the sum of the two before it", _sums_of_two),
    ("two sequences take turns", _two_in_turn),
)


def _terms(rng: Random, difficulty: int) -> list[int]:
    """Draw a sequence of the rule that a difficulty asks for; its last term is the answer."""
    start, step = rng.randrange(2, 60), rng.randrange(2, 25)
    if difficulty == 1:
        return [start + step * place for place in range(rng.randrange(5, 8))]
    if difficulty == 2:
        ratio = rng.randrange(2, 6)
        terms = [start * ratio**place for place in range(rng.randrange(5, 7))]
        return terms[::-1] if rng.random() < 0.3 else terms
    if difficulty == 3:
        growth = rng.randrange(2, 9)
        return [
            start + step * place + growth * place * (place - 1) // 2 for place in range(rng.randrange(6, 9))
        ]
    if difficulty == 4:
        terms = sorted((start, start + step))
        while len(terms) < 7:
            terms.append(terms[-2] + terms[-1])
        return terms
    other_start, other_step = rng.randrange(60, 200), -rng.randrange(2, 15)
    return [
        other_start + other_step * (place // 2) if place % 2 else start + step * (place // 2)
        for place in range(9)
    ][: rng.randrange(8, 10)]


def _write(rng: Random, difficulty: int) -> Question:
    *shown, following = _terms(rng, difficulty)
    return numeric(rng, rng.choice(_PHRASES).format(terms=", ".join(map(str, shown))), str(following))


def _read(text: str) -> tuple[int, ...] | None:
    found = _TERMS.search(text)
    if found is None or not _ASKS.search(text):
        return None
    return tuple(int(term) for term in found[0].split(","))


def _work(terms: tuple[int, ...], skill: int) -> Solution:
    for told, rule in _RULES[:skill]:
        following = rule(terms)
        if following is not None:
            return Solution(
                result=str(following), steps=("I compare neighbouring terms.", f"I see that {told}.")
            )
    steps = ("I compare neighbouring terms.", "I go on with the last step.")
    return Solution(result=str(2 * terms[-1] - terms[-2]), steps=steps)


SEQUENCES = Family(name="sequences", write=_write, read=_read, work=_work)
