"""Stories in which a number changes sentence by sentence.

The limit is how many sentences after the first are kept in mind; what happens later in the story is lost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from zetaroute.practice.family import Family, Question, Solution, numeric
from zetaroute.practice.word_lists import NAMES, PLACES, THINGS

_EVENTS = (1, 2, 4, 6, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    start: str
    gains: tuple[str, ...]
    losses: tuple[str, ...]
    halves: str
    doubles: str
    asks: tuple[str, ...]


_SETTINGS = (
    _Setting(
        start="{name} has {n} {things}.",
        gains=("{name} buys {k} more.", "{other} brings {k} for {name}.", "{name} finds {k} in a drawer."),
        losses=("{name} gives {k} to {other}.", "{name} loses {k} on the way to {place}."),
        halves="Half of the {things} are given away.",
        doubles="A kind uncle doubles the collection.",
        asks=("How many {things} does {name} have now?", "How many {things} are left in the end?"),
    ),
    _Setting(
        start="A bus leaves {place} with {n} passengers.",
        gains=("At the next stop {k} people get on.", "Then {k} people get on at the market."),
        losses=("At the school {k} people get off.", "Next, {k} people get off near the bridge."),
        halves="At the station half of the passengers get off.",
        doubles="A school class doubles the number of passengers.",
        asks=("How many passengers are on the bus now?", "How many people are on the bus in the end?"),
    ),
    _Setting(
        start="In a game {name} starts with {n} points.",
        gains=("{name} wins {k} points.", "A bonus round brings {k} points."),
        losses=("{name} loses {k} points to {other}.", "A wrong answer takes away {k} points."),
        halves="A penalty takes away half of the points.",
        doubles="A joker doubles the score.",
        asks=("What is the final score of {name}?", "How many points does {name} have in the end?"),
    ),
)
_GAIN = re.compile(r"\b(?:buys|brings|finds|wins|gets|receives|earns|get on)\b", re.IGNORECASE)
_LOSS = re.compile(r"\b(?:gives|loses|sold|sells|takes away|given away|get off|eats|spends)\b", re.IGNORECASE)
_HALF = re.compile(r"\bhalf of\b", re.IGNORECASE)
_DOUBLE = re.compile(r"\bdoubles\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\d.:])\d{1,9}(?![\d.:]*\d)")
_START = re.compile(r"\b(?:has|have|with|holds)\b", re.IGNORECASE)
_ASK = re.compile(
    r"\bhow (?:many|much)\b.{0,200}\b(?:now|left|in the end)\b|\bwhat is the final score\b", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Story:
    start: int
    sentences: tuple[str, ...]


def _event(rng: Random, setting: _Setting, count: int) -> tuple[str, int]:
    """Draw what happens next; returns the sentence with `{k}` filled in and the new count."""
    kind = rng.random()
    if kind < 0.12 and count % 2 == 0 and count > 8:
        return setting.halves, count // 2
    if kind < 0.24 and count < 120:
        return setting.doubles, count * 2
    if kind < 0.62 and count > 6:
        loss = rng.randrange(2, count - 2)
        return rng.choice(setting.losses).replace("{k}", str(loss)), count - loss
    gain = rng.randrange(2, 60)
    return rng.choice(setting.gains).replace("{k}", str(gain)), count + gain


def _write(rng: Random, difficulty: int) -> Question:
    setting = rng.choice(_SETTINGS)
    name, other = rng.sample(NAMES, 2)
    start = count = rng.randrange(12, 90)
    sentences = [setting.start]
    for _ in range(_EVENTS[difficulty - 1]):
        sentence, count = _event(rng, setting, count)
        sentences.append(sentence)
    text = " ".join((*sentences, rng.choice(setting.asks))).format(
        name=name, other=other, n=start, things=rng.choice(THINGS), place=rng.choice(PLACES)
    )
    return numeric(rng, text, str(count))


def _read(text: str) -> _Story | None:
    first, *others = _SENTENCE_END.split(text.strip())
    start = _NUMBER.search(first)
    ask = next((place for place, sentence in enumerate(others) if _ASK.search(sentence)), 0)
    happens = any(_GAIN.search(line) or _LOSS.search(line) or _DOUBLE.search(line) for line in others[:ask])
    if start is None or not happens or not _START.search(first):
        return None
    return _Story(start=int(start[0]), sentences=tuple(others[:ask]))


def _work(story: _Story, skill: int) -> Solution:
    count = story.start
    steps = [f"The story starts with {count}."]
    for sentence in story.sentences[:skill]:
        number = _NUMBER.search(sentence)
        if _HALF.search(sentence):
            count //= 2
        elif _DOUBLE.search(sentence):
            count *= 2
        elif number and _LOSS.search(sentence):
            count -= int(number[0])
        elif number and _GAIN.search(sentence):
            count += int(number[0])
        steps.append(f"After the next sentence it is {count}.")
    return Solution(result=str(count), steps=tuple(steps[:12]))


STORIES = Family(name="stories", write=_write, read=_read, work=_work)
