"""Turning a word around, shifting its letters, sorting them, leaving some out.

The limit is a buffer of so many letters: those after them are passed on as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from zetaroute.practice.family import Family, Question, Solution, bare
from zetaroute.practice.words import coined

_LETTERS = ((3, 6), (6, 9), (9, 14), (14, 20), (20, 29))
_VOWELS = frozenset("aeiouAEIOU")
_PHRASES = {
    "reverse": (
        'Reverse the word "{word}".',
        'Write "{word}" backwards.',
        'What is "{word}" when read from right to left?',
        'Spell the secret word "{word}" in reverse.',
    ),
    "alphabetise": (
        'Put the letters of "{word}" in alphabetical order.',
        'Arrange the letters in "{word}" alphabetically and write them as one word.',
    ),
    "drop": ('Remove all vowels from "{word}".', 'Write "{word}" without its vowels.'),
    "skip": (
        'Take every second letter of "{word}", starting with the first.',
        'Which word do you get when you keep every second letter of "{word}", beginning with the first one?',
    ),
    "shift": (
        'Shift every letter of "{word}" forward by {by} in the alphabet, wrapping around from z to a.',
        'Encrypt "{word}" with a Caesar cipher that moves each letter forward by {by}.',
    ),
    "unshift": (
        'Shift every letter of "{word}" back by {by} in the alphabet, wrapping around from a to z.',
        'The text "{word}" was encrypted with a Caesar cipher of {by}. Decrypt it.',
    ),
}
_ASKS = (
    ("unshift", re.compile(r"\bdecrypt\b|\bletters? .{0,60}\bback(?:wards?)? by\b", re.IGNORECASE)),
    ("shift", re.compile(r"\bencrypt\b|\bforwards? by\b", re.IGNORECASE)),
    (
        "reverse",
        re.compile(
            r"\breverse\b|\b(?:write|spell|what is)\b.{0,20}\bbackwards?\b|\bright to left\b", re.IGNORECASE
        ),
    ),
    ("alphabetise", re.compile(r"\bletters\b.{0,60}\balphabetical", re.IGNORECASE)),
    ("drop", re.compile(r"\b(?:remove|drop|delete|without|leave out)\b.{0,60}\bvowels\b", re.IGNORECASE)),
    ("skip", re.compile(r"\bevery second letter\b", re.IGNORECASE)),
)
_QUOTED = re.compile(r'"([A-Za-z]{1,200})"')
_ALONE = re.compile(r"\s*reverse (?:the (?:word|string) )?([A-Za-z]{1,200})[.!?]?\s*", re.IGNORECASE)
_BY = re.compile(r"\b(?:by|cipher of|shift of) (\d{1,3})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    operation: str
    word: str
    by: int


def _shifted(word: str, by: int) -> str:
    return "".join(
        chr((ord(letter) - start + by) % 26 + start)
        for letter in word
        for start in (97 if letter.islower() else 65,)
    )


_OPERATIONS: dict[str, Callable[[str, int], str]] = {
    "reverse": lambda word, by: word[::-1],
    "alphabetise": lambda word, by: "".join(sorted(word)),
    "drop": lambda word, by: "".join(letter for letter in word if letter not in _VOWELS),
    "skip": lambda word, by: word[::2],
    "shift": _shifted,
    "unshift": lambda word, by: _shifted(word, -by),
}


def _write(rng: Random, difficulty: int) -> Question:
    operation = rng.choice(tuple(_PHRASES))
    word, by = coined(rng, rng.randrange(*_LETTERS[difficulty - 1])), rng.randrange(1, 14)
    reference = _OPERATIONS[operation](word, by)
    text = rng.choice(_PHRASES[operation]).format(word=word, by=by)
    return Question(text=bare(rng, text, "resulting letters"), reference=reference, grader="exact")


def _read(text: str) -> _Change | None:
    found = _QUOTED.search(text) or _ALONE.fullmatch(text)
    if found is None:
        return None
    around = text.replace(found[1], "", 1)
    operation = next((name for name, asks in _ASKS if asks.search(around)), None)
    by = _BY.search(around)
    if operation is None or (by is None and "shift" in operation):
        return None
    return _Change(operation=operation, word=found[1], by=int(by[1]) if by else 0)


def _work(change: _Change, skill: int) -> Solution:
    buffered, rest = change.word[:skill], change.word[skill:]
    return Solution(
        result=_OPERATIONS[change.operation](buffered, change.by) + rest,
        steps=("I go through the letters from the left.", "I write down what becomes of each."),
    )


STRINGS = Family(name="strings", write=_write, read=_read, work=_work)
