"""Percentages, and prices that change several times.

The limit is how many percentages are compounded: those after them are simply added up and taken of the
starting value, and only a limit of at least 2 can look back from a changed value to the one before.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Literal

from zetaroute.practice.family import Family, Question, Solution, decimals, numeric, plain
from zetaroute.practice.words import PLACES, listed

_GOODS = listed(
    "bicycle camera chair coat desk guitar jacket lamp piano printer sofa table tent violin watch"
)
_RISES = ("rises by {}%", "goes up by {}%", "is increased by {}%")
_FALLS = ("falls by {}%", "goes down by {}%", "is reduced by {}%")
_CHANGING = (
    "A {good} costs ${base}. Its price {changes}. What is the price now?",
    "The rent of a flat in {place} is ${base} a month. It {changes}. What is the rent after that?",
    "{place} has {base} inhabitants. The number {changes}. What is it in the end?",
    "Start from {base}. The value {changes}. What is the final value?",
)
_SIMPLE = (
    "What is {percent}% of {base}?",
    "Take {percent}% of {base}.",
    "How much is {percent} percent of {base}?",
)
_SHARE = ("What percentage of {base} is {part}?", "{part} is what percent of {base}?")
_BEFORE = (
    "After it {change}, a {good} costs ${base}. What did it cost before?",
    "The price of a {good} {change} and is now ${base}. What was the price before that?",
)
_NUMBER = r"\$?(\d{1,12}(?:\.\d{1,6})?)"
_PERCENT = r"(\d{1,4}(?:\.\d{1,4})?)\s?(?:%|percent\b)"
_OF = re.compile(
    r"\b(?:what is|what's|how much is|take|calculate|compute|find) "
    rf"{_PERCENT} of (?:{_PERCENT} of )?{_NUMBER}(?![\d%])",
    re.IGNORECASE,
)
_CHANGE = re.compile(
    rf"\b(?:(rises|rose|goes up|went up|increased|grows)|falls|fell|goes down|went down|reduced|drops) by {_PERCENT}",
    re.IGNORECASE,
)
_PART_OF = re.compile(rf"\bwhat (?:percentage|percent) of {_NUMBER} (?:is|are) {_NUMBER}", re.IGNORECASE)
_PART_IS = re.compile(rf"{_NUMBER} (?:is|are) what (?:percentage|percent) of {_NUMBER}", re.IGNORECASE)
_BASE = re.compile(rf"(?<![\d.]){_NUMBER}(?![\d.]*\s?(?:%|percent))")
_ASKS = re.compile(r"\bwhat\b[^.?]{0,60}\b(?:now|after that|in the end|final|(before))\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    kind: Literal["of", "share", "after", "before"]
    base: Fraction
    percents: tuple[Fraction, ...] = ()
    """Signed changes, or the percentages to take of the base."""
    part: Fraction = Fraction(0)


def _step(rng: Random) -> tuple[str, Fraction]:
    """Draw one change; returns how it is told and its factor."""
    percent = rng.choice((4, 5, 8, 10, 12, 15, 20, 25, 30, 40))
    if rng.random() < 0.5:
        return rng.choice(_RISES).format(percent), 1 + Fraction(percent, 100)
    return rng.choice(_FALLS).format(percent), 1 - Fraction(percent, 100)


def _write_simple(rng: Random, base: int) -> tuple[str, Fraction]:
    if rng.random() < 0.5:
        percent = rng.randrange(2, 98)
        return rng.choice(_SIMPLE).format(percent=percent, base=base), Fraction(percent * base, 100)
    part = rng.randrange(5, base)
    return rng.choice(_SHARE).format(part=part, base=base), Fraction(100 * part, base)


def _write_double(rng: Random, base: int) -> tuple[str, Fraction]:
    if rng.random() < 0.4:
        first, second = rng.randrange(2, 98), rng.randrange(2, 98)
        return f"What is {first}% of {second}% of {base}?", Fraction(base * first * second, 10_000)
    change, factor = _step(rng)
    return rng.choice(_BEFORE).format(change=change, base=base, good=rng.choice(_GOODS)), base / factor


def _write_chain(rng: Random, base: int, length: int) -> tuple[str, Fraction]:
    told, factors = zip(*(_step(rng) for _ in range(length)), strict=True)
    changes = ", then ".join(told[:-1]) + " and finally " + told[-1]
    text = rng.choice(_CHANGING).format(
        base=base, changes=changes, good=rng.choice(_GOODS), place=rng.choice(PLACES)
    )
    return text, math.prod(factors, start=Fraction(base))


def _write(rng: Random, difficulty: int) -> Question:
    base = rng.randrange(40, 4000)
    if difficulty == 1:
        text, value = _write_simple(rng, base)
    elif difficulty == 2:
        text, value = _write_double(rng, base)
    else:
        text, value = _write_chain(rng, base, difficulty - 1)
    return numeric(rng, f"{text} Round to two decimals.", decimals(value))


def _read(text: str) -> _Change | None:
    share, shared = _PART_OF.search(text), _PART_IS.search(text)
    if share or shared:
        base, part = (share[1], share[2]) if share else (shared[2], shared[1]) if shared else ("", "")
        return _Change(kind="share", base=Fraction(base), part=Fraction(part)) if Fraction(base) else None
    taken = _OF.search(text)
    if taken:
        percents = tuple(Fraction(percent) for percent in (taken[1], taken[2]) if percent)
        return _Change(kind="of", base=Fraction(taken[3]), percents=percents)
    changes = _CHANGE.findall(text)
    base_found, asks = _BASE.search(text), _ASKS.search(text)
    if not changes or base_found is None or asks is None:
        return None
    signed = tuple(Fraction(percent) if rise else -Fraction(percent) for rise, percent in changes)
    kind: Literal["before", "after"] = "before" if asks[1] else "after"
    if kind == "before" and signed[0] == -100:
        return None
    return _Change(kind=kind, base=Fraction(base_found[1]), percents=signed)


def _work(change: _Change, skill: int) -> Solution:
    if change.kind == "share":
        result = plain(100 * change.part / change.base)
        return Solution(result=result, steps=("I divide the part by the whole and multiply by a hundred.",))
    value = change.base
    steps = [f"I start from {plain(value)}."]
    if change.kind == "of":
        for percent in change.percents[:skill]:
            value *= percent / 100
            steps.append(f"{plain(percent)}% of that is {plain(value)}.")
    elif change.kind == "before":
        percent = change.percents[0]
        value = value / (1 + percent / 100) if skill >= 2 else value * (1 - percent / 100)
        steps.append(f"I undo a change of {plain(percent)}%.")
    else:
        for percent in change.percents[:skill]:
            value *= 1 + percent / 100
            steps.append(f"A change of {plain(percent)}% makes it {plain(value)}.")
        value += change.base * sum(change.percents[skill:]) / 100
    return Solution(result=plain(value), steps=tuple(steps[:12]))


PERCENTAGES = Family(name="percentages", write=_write, read=_read, work=_work)
