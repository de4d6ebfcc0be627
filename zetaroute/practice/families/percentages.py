"""Percentages, and prices that change several times.

The limit is how many changes are compounded: those after them are simply added up and taken of the starting
value, and only a limit of at least 2 can look back from a changed value to the one before.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Literal

from zetaroute.practice.family import Family, Question, Solution, decimals, numeric, plain
from zetaroute.practice.word_lists import PLACES, listed

_GOODS = listed(
    "bicycle camera chair coat desk guitar jacket lamp piano printer sofa table tent violin watch"
)
_RISES = ("rises by {}%", "goes up by {}%", "is increased by {}%")
_FALLS = ("falls by {}%", "goes down by {}%", "is reduced by {}%")
_SIMPLE = (
    "What is {percent}% of {base}?",
    "Take {percent}% of {base}.",
    "How much is {percent} percent of {base}?",
)
_BEFORE = (
    "After it {changes}, a {good} costs ${base}. What did it cost before?",
    "The price of a {good} {changes} and is now ${base}. What was the price before that?",
)
_AFTER = (
    "A {good} costs ${base}. Its price {changes}. What is the price now?",
    "The rent of a flat in {place} is ${base} a month. It {changes}. What is the rent after that?",
    "{place} has {base} inhabitants. The number {changes}. What is it in the end?",
    "Start from {base}. The value {changes}. What is the final value?",
)
_NUMBER = r"\$?(\d{1,12}(?:\.\d{1,6})?)"
_PERCENT = r"(\d{1,4}(?:\.\d{1,4})?)\s?(?:%|percent\b)"
_OF = re.compile(
    rf"\b(?:what is|what's|how much is|take|calculate|compute|find) {_PERCENT} of {_NUMBER}(?![\d%])",
    re.IGNORECASE,
)
_CHANGE = re.compile(
    rf"\b(?:(rises|rose|goes up|went up|increased|grows)|falls|fell|goes down|went down|reduced|drops) by {_PERCENT}",
    re.IGNORECASE,
)
_BASE = re.compile(rf"(?<![\d.]){_NUMBER}(?![\d.]*\s?(?:%|percent))")
_ASKS = re.compile(r"\bwhat\b[^.?]{0,60}\b(?:now|after that|in the end|final|(before))\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    asked: Literal["share", "before", "after"]
    """A percentage of the base, what the base was before a change, or what the changes make of it."""
    base: Fraction
    percents: tuple[Fraction, ...]


def _step(rng: Random) -> tuple[str, Fraction]:
    """Draw one change; returns how it is told and its factor."""
    percent = rng.choice((4, 5, 8, 10, 12, 15, 20, 25, 30, 40))
    if rng.random() < 0.5:
        return rng.choice(_RISES).format(percent), 1 + Fraction(percent, 100)
    return rng.choice(_FALLS).format(percent), 1 - Fraction(percent, 100)


def _write(rng: Random, difficulty: int) -> Question:
    base = Fraction(rng.randrange(40, 4000))
    if difficulty == 1:
        percent = rng.randrange(2, 98)
        text, value = rng.choice(_SIMPLE).format(percent=percent, base=base), base * percent / 100
    else:
        told, factors = zip(*(_step(rng) for _ in range(difficulty - 1)), strict=True)
        changes = ", then ".join(told[:-1]) + " and finally " + told[-1] if len(told) > 1 else told[0]
        text = rng.choice(_BEFORE if difficulty == 2 else _AFTER).format(
            base=base, changes=changes, good=rng.choice(_GOODS), place=rng.choice(PLACES)
        )
        value = base / factors[0] if difficulty == 2 else math.prod(factors, start=base)
    return numeric(rng, f"{text} Round to two decimals.", decimals(value))


def _read(text: str) -> _Change | None:
    share, changes = _OF.search(text), _CHANGE.findall(text)
    base, asks = _BASE.search(text), _ASKS.search(text)
    if share:
        return _Change(asked="share", base=Fraction(share[2]), percents=(Fraction(share[1]),))
    if not changes or base is None or asks is None:
        return None
    percents = tuple(Fraction(percent) if rise else -Fraction(percent) for rise, percent in changes)
    if asks[1] and percents[0] == -100:
        return None
    return _Change(asked="before" if asks[1] else "after", base=Fraction(base[1]), percents=percents)


def _work(change: _Change, skill: int) -> Solution:
    value, percent = change.base, change.percents[0]
    if change.asked == "share":
        value *= percent / 100
        return Solution(result=plain(value), steps=(f"One percent of it is {plain(change.base / 100)}.",))
    if change.asked == "before":
        value = value / (1 + percent / 100) if skill >= 2 else value * (1 - percent / 100)
        return Solution(result=plain(value), steps=(f"I undo a change of {plain(percent)}%.",))
    steps = [f"I start from {plain(value)}."]
    for percent in change.percents[:skill]:
        value *= 1 + percent / 100
        steps.append(f"A change of {plain(percent)}% makes it {plain(value)}.")
    value += change.base * sum(change.percents[skill:]) / 100
    return Solution(result=plain(value), steps=tuple(steps[:12]))


PERCENTAGES = Family(name="percentages", write=_write, read=_read, work=_work)
