"""Who is the tallest, the second oldest, and so on, from comparisons of pairs.

The limit is how many comparisons are kept in mind: those after them are forgotten, and the people are ranked
by what the kept ones imply.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from random import Random

from zetaroute.practice.family import Family, Question, Solution, textual
from zetaroute.practice.word_lists import NAMES

_SCALES = (
    ("is", "taller", "tallest", "shorter", "shortest"),
    ("is", "older", "oldest", "younger", "youngest"),
    ("runs", "faster", "fastest", "slower", "slowest"),
    ("is", "heavier", "heaviest", "lighter", "lightest"),
    ("is", "richer", "richest", "poorer", "poorest"),
)
_MORE, _MOST, _LESS, _LEAST = list(zip(*_SCALES, strict=True))[1:]
_ORDINALS = ("", "second ", "third ")
_LETTERS = "ABCDEFG"
_PHRASES = (
    "{facts} Who is the {rank}?",
    "Here is what I know:\n{facts}\nWhich person is the {rank}?",
    "{names} are friends. {facts} Tell me who is the {rank} of them.",
    "Use these facts to find the {rank} person. {facts}",
)
_CHOICE = (
    "{facts} Which of them is the {rank}? {options}",
    "Choose the {rank} person. {facts} Options: {options}",
)
_FACT = re.compile(
    r"\b([A-Z][a-z]{1,30}) (?:is|was|runs|ran) "
    rf"({'|'.join(_MORE + _LESS)}) than ([A-Z][a-z]{{1,30}})\b"
)
_RANK = re.compile(rf"\bthe (second |third )?({'|'.join(_MOST + _LEAST)})\b", re.IGNORECASE | re.ASCII)
_OPTION = re.compile(r"\b([A-H])\) ([A-Z][a-z]{1,30})\b")
_MOST_FACTS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ranking:
    facts: tuple[tuple[str, str], ...]
    """Pairs of more and less."""
    place: int
    from_top: bool
    letters: dict[str, str]
    """Name -> its letter; empty when the name itself is asked for."""


def _write(rng: Random, difficulty: int) -> Question:
    verb, more, most, less, least = rng.choice(_SCALES)
    ranked = rng.sample(NAMES, difficulty + 2)
    facts = [
        f"{high} {verb} {more} than {low}." if rng.random() < 0.6 else f"{low} {verb} {less} than {high}."
        for high, low in itertools.pairwise(ranked)
    ]
    rng.shuffle(facts)
    place = rng.randrange(min(difficulty, len(_ORDINALS)))
    from_top = rng.random() < 0.5
    reference = ranked[place] if from_top else ranked[-1 - place]
    rank = _ORDINALS[place] + (most if from_top else least)
    shown = rng.sample(ranked, len(ranked))
    if rng.random() < 0.35:
        options = " ".join(f"{letter}) {name}" for letter, name in zip(_LETTERS, shown, strict=False))
        text = rng.choice(_CHOICE).format(facts=" ".join(facts), rank=rank, options=options)
        return Question(text=text, reference=_LETTERS[shown.index(reference)], grader="choice")
    names = ", ".join(shown[:-1]) + " and " + shown[-1]
    text = rng.choice(_PHRASES).format(facts=" ".join(facts), rank=rank, names=names)
    return textual(rng, text, reference, "name")


def _read(text: str) -> _Ranking | None:
    found, rank = _FACT.findall(text), _RANK.search(text)
    if not found or rank is None:
        return None
    return _Ranking(
        facts=tuple((a, b) if word in _MORE else (b, a) for a, word, b in found[:_MOST_FACTS]),
        place=_ORDINALS.index((rank[1] or "").lower()),
        from_top=rank[2].lower() in _MOST,
        letters={name: letter for letter, name in _OPTION.findall(text)},
    )


def _work(ranking: _Ranking, skill: int) -> Solution:
    kept = ranking.facts[:skill]
    below: dict[str, set[str]] = {name: set() for fact in kept for name in fact}
    for _ in kept:
        for more, less in kept:
            below[more] |= {less} | below[less]
    # More people below and fewer above means further up; ties stay in the order of mention.
    height = {name: len(below[name]) - sum(name in others for others in below.values()) for name in below}
    ranked = sorted(below, key=lambda name: height[name], reverse=ranking.from_top)
    name = ranked[min(ranking.place, len(ranked) - 1)]
    steps = (
        f"I keep {len(kept)} comparisons in mind.",
        f"They put {len(ranked)} people in a row.",
        "I go along the row to the place that is asked for.",
    )
    return Solution(result=ranking.letters.get(name, name), steps=steps)


ORDERING = Family(name="ordering", write=_write, read=_read, work=_work)
