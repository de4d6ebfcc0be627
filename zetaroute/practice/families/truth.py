"""Truth values of statements, and rows of truth tables.

The limit is the number of operators and brackets that can be pending at once (see `expression`): beyond it a
`not` or a bracket goes unnoticed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from zetaroute.practice.families.expression import Grammar
from zetaroute.practice.family import Family, Question, Solution, bare, numeric

_RANKS = {"xor": 1, "or": 2, "and": 3}
_SIZES = (2, 3, 4, 5, 6)
_LETTERS = "pqrst"
_GIVEN = (
    "Suppose that {given}. Is the statement {statement} true or false?",
    "Let {given}. What is the truth value of {statement}?",
    "Here is what we know: {given}. Decide whether {statement} is true or false.",
)
_TABLE = (
    "How many rows of the truth table of {statement} come out true?",
    "Count the assignments of true and false to {letters} that make {statement} true.",
    "In how many cases is {statement} true, over all values of {letters}?",
)
_ASSIGNED = re.compile(r"\b([p-t])\s*(?:is|=|:)\s*(true|false)\b(?! or\b)")
_RUN = re.compile(r"(?:\b(?:and|or|xor|not|[p-t])\b|[()\s])+")
_TOKEN = re.compile(r"[a-z]+|[()]")
_ASKS = re.compile(r"\btruth\b|\btrue or false\b|\b(?:rows|assignments|how many cases)\b")


_Meaning = Callable[[Mapping[str, bool]], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statement:
    tokens: tuple[str, ...]
    letters: tuple[str, ...]
    known: Mapping[str, bool] | None
    """None: every row of the truth table is asked for."""


def _rows(letters: Sequence[str]) -> list[dict[str, bool]]:
    """Return the rows of the truth table, those with the first letter true first."""
    return [
        dict(zip(letters, row, strict=True)) for row in itertools.product((True, False), repeat=len(letters))
    ]


def _decide(operator: str, left: bool, right: bool) -> bool:
    if operator == "and":
        return left and right
    return left or right if operator == "or" else left != right


_GRAMMAR: Grammar[bool] = Grammar(ranks=_RANKS, binary=_decide, prefix="not", negate=lambda value: not value)


def _grow(rng: Random, letters: list[str]) -> tuple[str, _Meaning]:
    """Write a statement that holds the letters in their order; returns its text and its meaning."""
    if len(letters) == 1:
        letter = letters[0]
        if rng.random() < 0.35:
            return f"not {letter}", lambda row: not row[letter]
        return letter, lambda row: row[letter]
    cut = rng.randrange(1, len(letters))
    (left, left_holds), (right, right_holds) = _grow(rng, letters[:cut]), _grow(rng, letters[cut:])
    operator = rng.choice(("and", "or", "xor"))
    # Every compound side gets its brackets, so that nobody has to know which operator binds tighter.
    sides = [side if len(side.split()) <= 2 else f"({side})" for side in (left, right)]
    statement = f"{sides[0]} {operator} {sides[1]}"
    if rng.random() < 0.15:
        return f"not ({statement})", lambda row: not _decide(operator, left_holds(row), right_holds(row))
    return statement, lambda row: _decide(operator, left_holds(row), right_holds(row))


def _write(rng: Random, difficulty: int) -> Question:
    size = _SIZES[difficulty - 1]
    used = sorted(rng.sample(_LETTERS, min(size, 2 + difficulty // 2)))
    places = [*used, *(rng.choice(used) for _ in range(size - len(used)))]
    rng.shuffle(places)
    statement, holds = _grow(rng, places)
    if rng.random() < 0.6:
        count = sum(holds(row) for row in _rows(used))
        text = rng.choice(_TABLE).format(statement=statement, letters=", ".join(used))
        return numeric(rng, text, str(count))
    known = {letter: rng.random() < 0.5 for letter in used}
    given = [f"{letter} is {str(value).lower()}" for letter, value in known.items()]
    text = rng.choice(_GIVEN).format(given=", ".join(given[:-1]) + " and " + given[-1], statement=statement)
    reference = str(holds(known)).lower()
    return Question(text=bare(rng, text, "truth value"), reference=reference, grader="normalised")


def _read(text: str) -> _Statement | None:
    text = text.lower()
    if not _ASKS.search(text):
        return None
    runs = (tuple(_TOKEN.findall(run)) for run in _RUN.findall(text))
    tokens = max((run for run in runs if _GRAMMAR.well_formed(run)), key=len, default=())
    letters = tuple(letter for letter in _LETTERS if letter in tokens)
    known = {letter: value == "true" for letter, value in _ASSIGNED.findall(text)}
    if not tokens or (known and not known.keys() >= set(letters)):
        return None
    return _Statement(tokens=tokens, letters=letters, known=known or None)


def _work(statement: _Statement, skill: int) -> Solution:
    def holds(row: Mapping[str, bool]) -> bool:
        return _GRAMMAR.evaluate(statement.tokens, row.__getitem__, slots=skill)[0]

    if statement.known is not None:
        return Solution(result=str(holds(statement.known)).lower())
    verdicts = [holds(row) for row in _rows(statement.letters)]
    half, first = len(verdicts) // 2, statement.letters[0]
    steps = (
        f"The truth table has {len(verdicts)} rows.",
        f"With {first} true, {sum(verdicts[:half])} of them come out true.",
        f"With {first} false, {sum(verdicts[half:])} of them come out true.",
    )
    return Solution(result=str(sum(verdicts)), steps=steps)


TRUTH = Family(name="truth", write=_write, read=_read, work=_work)
