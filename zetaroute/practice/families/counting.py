"""Counting letters and words.

The limit is how many letters or words in a row the eye holds on to: the one after them slips through unseen,
then the eye catches on again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from zetaroute.practice.family import Family, Question, Solution, numeric
from zetaroute.practice.word_lists import WORDS

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
_COUNTS = re.compile(r"\b(?:how many|how often|count|number of)\b", re.IGNORECASE)
_QUOTED = re.compile(r'"([^"\n]{1,2000})"')
_UNQUOTED = re.compile(r"\bin (?:the word )?([a-z]{2,40})\W{0,3}$", re.IGNORECASE)
_ONE_LETTER = re.compile(
    r"\b(?:letters?\s['\"]?([a-z])\b|([a-z])['’]?s (?:are )?(?:there )?in\b)", re.IGNORECASE
)
_ANY = re.compile(
    r"\b(vowels|words|letters) (?:are )?(?:there )?in\s"
    r"(?:(?:the|this|following|text|sentence|phrase|word)\s?){0,3}:?\s*\"",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Count:
    items: tuple[str, ...]
    """The letters or words of the text, one by one."""
    wanted: frozenset[str]


def _write(rng: Random, difficulty: int) -> Question:
    kind = rng.choice(("letter", "letter", "letter", "vowels", "letters", "words"))
    length = _LENGTHS[difficulty - 1] * (4 if kind == "words" else 1)
    words = [rng.choice(WORDS) for _ in range(length + rng.randrange(2))]
    text, letters = " ".join(words), "".join(words)
    if kind == "letter":
        letter = rng.choice("abcdegilmnoprst")
        return numeric(rng, rng.choice(_LETTER).format(letter=letter, text=text), str(text.count(letter)))
    counts = {
        "vowels": sum(map(letters.count, _VOWELS)),
        "letters": len(letters),
        "words": len(words),
    }
    return numeric(rng, rng.choice(_KIND).format(kind=kind, text=text), str(counts[kind]))


def _read(text: str) -> _Count | None:
    around = _QUOTED.sub(' " ', text)
    found = _QUOTED.search(text) or _UNQUOTED.search(text)
    letter, kind = _ONE_LETTER.search(around), _ANY.search(around)
    if found is None or not _COUNTS.search(around) or not (letter or kind):
        return None
    counted = found[1].lower()
    letters = tuple(filter(str.isalpha, counted))
    if letter:
        return _Count(items=letters, wanted=frozenset((letter[1] or letter[2]).lower()))
    asked = kind[1].lower() if kind else ""
    items = tuple(re.findall(r"[\w']+", counted)) if asked == "words" else letters
    return _Count(items=items, wanted=frozenset(_VOWELS if asked == "vowels" else items))


def _work(task: _Count, skill: int) -> Solution:
    seen = [item in task.wanted for place, item in enumerate(task.items, start=1) if place % (skill + 1)]
    steps = (
        f"I go through {len(seen)} items one by one.",
        f"By the middle I have {sum(seen[: len(seen) // 2])}.",
        "Then I count on to the end.",
    )
    return Solution(result=str(sum(seen)), steps=steps)


COUNTING = Family(name="counting", write=_write, read=_read, work=_work)
