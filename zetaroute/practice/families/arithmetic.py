"""Arithmetic with nested brackets.

The limit is how many operators and brackets can be pending at once. A full memory applies its newest operator
at once and does not notice an opening bracket: with two, `2 + 3 * 4` comes out right, `2 * (3 + 4)` does not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from random import Random

from zetaroute.practice.family import Family, Question, Solution, numeric, plain
from zetaroute.practice.word_lists import listed

_RANKS = {"+": 1, "-": 1, "*": 2, "/": 2}
_SPELLED = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}
_OPERATORS = (1, 2, 4, 6, 9)
_LARGEST = 100_000
_MOST_TOKENS = 200
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
_COMPOUND = re.compile(r"n(?:on)+|\(n\)")
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


def _read(text: str) -> list[str] | None:
    text = text.lower().replace("×", "*").replace("÷", "/")
    for symbol, word in _SPELLED.items():
        text = text.replace(f" {word} ", f" {symbol} ")
    run = max(_RUN.findall(text), key=len, default="")
    around = re.findall(r"\w+", text.replace(run, " ", 1))
    tokens = _TOKEN.findall(run)
    return tokens if _AROUND.issuperset(around) and _is_expression(tokens) else None


def _is_expression(tokens: Sequence[str]) -> bool:
    """Say whether numbers and operators make one expression, by taking its parts together until one is left."""
    if len(tokens) > _MOST_TOKENS or not any(part in _RANKS for part in tokens):
        return False
    shape = "".join("o" if part in _RANKS else part if part in "()" else "n" for part in tokens)
    while (shorter := _COMPOUND.sub("n", shape)) != shape:
        shape = shorter
    return shape == "n"


def _work(tokens: Sequence[str], skill: int) -> Solution:
    """Dijkstra's shunting yard, with a stack that ends."""
    values: list[Fraction] = []
    pending: list[str] = []
    noticed: list[bool] = []
    steps: list[str] = []

    def apply() -> None:
        operator, right, left = pending.pop(), values.pop(), values.pop()
        values.append(_calculate(operator, left, right))
        steps.append(f"{plain(left)} {operator} {plain(right)} = {plain(values[-1])}")

    for part in tokens:
        if part == "(":
            # One slot stays free, or the operator inside the bracket would have no place.
            noticed.append(len(pending) + 1 < skill)
            pending += "(" if noticed[-1] else ""
        elif part == ")":
            while noticed[-1] and pending[-1] != "(":
                apply()
            if noticed.pop():
                pending.pop()
        elif part in _RANKS:
            while pending and pending[-1] != "(":
                if _RANKS[pending[-1]] < _RANKS[part] and len(pending) < skill:
                    break
                apply()
            pending.append(part)
        else:
            values.append(Fraction(part))
    while pending:
        apply()
    return Solution(result=plain(values[-1]), steps=tuple(steps[:12]))


ARITHMETIC = Family(name="arithmetic", write=_write, read=_read, work=_work)
