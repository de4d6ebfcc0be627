"""Arithmetic with nested brackets.

The limit is the number of operators and brackets that can be pending at once (see `expression`): with two,
`2 + 3 * 4` comes out right and `2 * (3 + 4)` does not.
"""

from __future__ import annotations

import re
from fractions import Fraction
from random import Random

from zetaroute.practice.families.expression import Grammar
from zetaroute.practice.family import Family, Question, Solution, numeric, plain
from zetaroute.practice.words import listed

_RANKS = {"+": 1, "-": 1, "*": 2, "/": 2}
_SPELLED = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}
_OPERATORS = (1, 2, 4, 6, 9)
_LARGEST = 100_000
_PHRASES = (
    "What is {}?",
    "Calculate {}.",
    "Work out the value of {} for me.",
    "{} = ?",
    "Please evaluate this expression: {}",
    "How much is {}?",
    "Find the result of the following: {}",
)
_RUN = re.compile(r"[\d\s+\-*/().]+")
_TOKEN = re.compile(r"\d{1,12}(?:\.\d{1,6})?|[-+*/()]")
_AROUND = frozenset(
    listed("""a an and answer as but calculate compute do does equal equals evaluate expression find following for get
    give how is just me much nothing number of only out please reply result s simplify single solve tell the this
    to value what whats with work you""")
)


def _calculate(operator: str, left: Fraction, right: Fraction) -> Fraction:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    # Only a lost bracket makes a divisor zero: the division is then overlooked, too.
    return left / right if right else left


_GRAMMAR: Grammar[Fraction] = Grammar(ranks=_RANKS, binary=_calculate)


def _grow(rng: Random, operators: int) -> tuple[str, int, int]:
    """Write an expression with so many operators; returns its text, value and outermost rank."""
    if not operators:
        number = rng.randrange(2, 60)
        return str(number), number, 3
    on_left = rng.randrange(operators)
    left, left_value, left_rank = _grow(rng, on_left)
    right, right_value, right_rank = _grow(rng, operators - 1 - on_left)
    operator = rng.choice("+-**/")
    if operator == "/" and (not right_value or left_value % right_value):
        operator = "*"
    if operator == "*" and abs(left_value * right_value) > _LARGEST:
        operator = "+"
    value = int(_calculate(operator, Fraction(left_value), Fraction(right_value)))
    rank = _RANKS[operator]
    left = f"({left})" if left_rank < rank else left
    right = f"({right})" if right_rank < rank or (right_rank == rank and operator in "-/") else right
    return f"{left} {operator} {right}", value, rank


def _write(rng: Random, difficulty: int) -> Question:
    text, value, _ = _grow(rng, _OPERATORS[difficulty - 1])
    look = rng.random()
    if look < 0.25 and "(" not in text:
        text = " ".join(_SPELLED.get(token, token) for token in text.split())
    elif look < 0.5:
        text = text.replace("*", "×").replace("/", "÷")
    return numeric(rng, rng.choice(_PHRASES).format(text), str(value))


def _read(text: str) -> tuple[str, ...] | None:
    text = text.lower().replace("×", "*").replace("÷", "/")
    for symbol, word in _SPELLED.items():
        text = text.replace(f" {word} ", f" {symbol} ")
    run = max(_RUN.findall(text), key=len, default="")
    around = re.findall(r"\w+", text.replace(run, " ", 1))
    if not _AROUND.issuperset(around):
        return None
    tokens = tuple(_TOKEN.findall(run))
    return tokens if _GRAMMAR.well_formed(tokens) else None


def _work(tokens: tuple[str, ...], skill: int) -> Solution:
    value, steps = _GRAMMAR.evaluate(tokens, Fraction, slots=skill)
    shown = (
        f"{plain(left)} {sign} {plain(right)} = {plain(result)}" for sign, left, right, result in steps[:12]
    )
    return Solution(result=plain(value), steps=tuple(shown))


ARITHMETIC = Family(name="arithmetic", write=_write, read=_read, work=_work)
