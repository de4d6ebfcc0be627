"""Counting letters and words.

The limit is how many letters or words in a row the eye holds on to: the one after them slips through unseen,
then the eye catches on again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from zetaroute.practice.family import Family, Question, Solution, numeric
from zetaroute.practice.words import WORDS, phrase

_LENGTHS = (1, 2, 4, 7, 12)
_VOWELS = "aeiou"
_LETTER = (
    'How many times does the letter {letter} appear in "{text}"?',
    'Count the letter {letter} in the text "{text}".',
    'How many {letter}\'s are there in "{text}"?',
    '"{text}": how often does the letter {letter} occur in it?',
)
_KIND = (
    'How many {kind} are in "{text}"?',
    'Count the {kind} in the following text: "{text}"',
    'Tell me the number of {kind} in "{text}".',
)
_OCCURRENCES = (
    'How many times does the word {word} occur in "{text}"?',
    'Count how often the word {word} appears in this text: "{text}"',
)
_COUNTS = re.compile(r"\b(?:how many|how often|count|number of)\b", re.IGNORECASE)
_QUOTED = re.compile(r'"([^"\n]{1,2000})"')
_UNQUOTED = re.compile(r"\bin (?:the word )?([a-z]{2,40})\W{0,3}$", re.IGNORECASE)
_ONE_LETTER = re.compile(
    r"\b(?:letters?\s['\"]?([a-z])\b|([a-z])['’]?s (?:are )?(?:there )?in\b)", re.IGNORECASE
)
_ONE_WORD = re.compile(r"\bthe word (\w{2,40}) (?:occurs?|appears?)\b", re.IGNORECASE)
_ANY = re.compile(
    r"\b(vowels|words|letters) (?:are )?(?:there )?in\s"
    r"(?:(?:the|this|following|text|sentence|phrase|word)\s?){0,3}:?\s*\"",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Count:
    items: tuple[str, ...]
    """The letters or words of the text, one by one."""
    wanted: frozenset[str] | None
    """None: every item counts."""


def _write(rng: Random, difficulty: int) -> Question:
    length = _LENGTHS[difficulty - 1]
    text = phrase(rng, length + rng.randrange(0, 2))
    look = rng.random()
    if look < 0.5:
        letter = rng.choice("abcdegilmnoprst")
        return numeric(rng, rng.choice(_LETTER).format(letter=letter, text=text), str(text.count(letter)))
    if look < 0.75:
        kind = rng.choice(("vowels", "letters"))
        count = (
            sum(text.count(vowel) for vowel in _VOWELS) if kind == "vowels" else len(text.replace(" ", ""))
        )
    elif look < 0.85:
        kind, text = "words", phrase(rng, length * 4 + rng.randrange(0, 4))
        count = len(text.split())
    else:
        word, *others = rng.sample(WORDS, 6)
        words = [rng.choice((word, *others)) for _ in range(length * 4)]
        question = rng.choice(_OCCURRENCES).format(word=word, text=" ".join(words))
        return numeric(rng, question, str(words.count(word)))
    return numeric(rng, rng.choice(_KIND).format(kind=kind, text=text), str(count))


def _read(text: str) -> _Count | None:
    quoted = _QUOTED.search(text)
    around = _QUOTED.sub(' " ', text)
    found = quoted or _UNQUOTED.search(text)
    if found is None or not _COUNTS.search(around):
        return None
    counted = found[1].lower()
    letters = tuple(filter(str.isalpha, counted))
    words = tuple(re.findall(r"[\w']+", counted))
    word, letter, kind = _ONE_WORD.search(around), _ONE_LETTER.search(around), _ANY.search(around)
    if word is not None:
        return _Count(items=words, wanted=frozenset({word[1].lower()}))
    if letter is not None:
        return _Count(items=letters, wanted=frozenset((letter[1] or letter[2]).lower()))
    if kind is None:
        return None
    if kind[1].lower() == "vowels":
        return _Count(items=letters, wanted=frozenset(_VOWELS))
    return _Count(items=words if kind[1].lower() == "words" else letters, wanted=None)


def _work(task: _Count, skill: int) -> Solution:
    seen = [item for place, item in enumerate(task.items, start=1) if place % (skill + 1)]
    count = sum(task.wanted is None or item in task.wanted for item in seen)
    half = seen[: len(seen) // 2]
    steps = (
        f"I go through {len(seen)} items one by one.",
        f"By the middle I have {sum(task.wanted is None or item in task.wanted for item in half)}.",
        "Then I count on to the end.",
    )
    return Solution(result=str(count), steps=steps)


COUNTING = Family(name="counting", write=_write, read=_read, work=_work)
