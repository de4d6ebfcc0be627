"""Sorting numbers and words.

The limit is the number of passes of a bubble sort: an item that has to come forward by more places than that
ends up too late.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from zetaroute.practice.family import Family, Question, Solution, bare
from zetaroute.practice.word_lists import WORDS

_SIZES = (4, 7, 10, 14, 18)
_MOST_ITEMS = 100
_RISING = {
    True: ("from smallest to largest", "in ascending order", "from low to high"),
    False: ("in alphabetical order", "alphabetically", "from A to Z"),
}
_FALLING = {
    True: ("from largest to smallest", "in descending order", "from high to low"),
    False: ("in reverse alphabetical order", "from Z to A"),
}
_PHRASES = (
    "Sort these {what} {how}: {items}.",
    "Put the following {what} {how}: {items}.",
    "Here is a list of {what}: {items}. Arrange it {how}.",
    "{how}, please order these {what}: {items}.",
    "I noted down these {what}: {items}. Can you sort them {how}?",
)
_ACT = re.compile(r"\b(?:sort|put|arrange|order|rank)\b", re.IGNORECASE)
_HOW = re.compile(
    r"(?P<falling>largest to smallest|high(?:est)? to low(?:est)?|descending|(?P<back>reverse alphabetical|z to a))"
    r"|smallest to largest|low(?:est)? to high(?:est)?|ascending|(?P<words>alphabetical|a to z)",
    re.IGNORECASE,
)
_LIST = re.compile(r":\s*([^:?!\n]+)|((?:-?\d{1,12}(?:\.\d{1,6})?,\s?){2,99}-?\d{1,12}(?:\.\d{1,6})?)")
_COMMA = re.compile(r"\s*[,;]\s*")
_NUMBER = re.compile(r"-?\d{1,12}(?:\.\d{1,6})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class _List:
    items: tuple[str, ...]
    numbers: bool
    falling: bool


def _write(rng: Random, difficulty: int) -> Question:
    size = _SIZES[difficulty - 1] + rng.randrange(0, 3)
    numbers, falling = rng.random() < 0.5, rng.random() < 0.4
    if numbers:
        items = [str(number) for number in rng.sample(range(1, 1000), size)]
        ordered = sorted(items, key=int, reverse=falling)
    else:
        items = rng.sample(WORDS, size)
        ordered = sorted(items, reverse=falling)
    how = rng.choice((_FALLING if falling else _RISING)[numbers])
    what = "numbers" if numbers else "words"
    text = rng.choice(_PHRASES).format(what=what, how=how, items=", ".join(items))
    text = bare(rng, text[0].upper() + text[1:], "sorted list")
    return Question(text=text, reference=", ".join(ordered), grader="normalised")


def _read(text: str) -> _List | None:
    how, found = _HOW.search(text), _LIST.search(text)
    if found is None or not _ACT.search(text):
        return None
    # The sentence ends at a full stop, unless the stop is a decimal point.
    listed = re.split(r"\.(?!\d)", found[1] or found[2], maxsplit=1)[0]
    items = tuple(_COMMA.split(listed.strip()))
    if not 3 <= len(items) <= _MOST_ITEMS or not all(items):
        return None
    numbers = all(_NUMBER.fullmatch(item) for item in items)
    # Without a word on the direction numbers rise, as in "Sort 3, 1, 2".
    alphabetical = how is not None and (how["back"] or how["words"])
    if not numbers and (not alphabetical or any(len(item.split()) > 2 for item in items)):
        return None
    return _List(items=items, numbers=numbers, falling=how is not None and how["falling"] is not None)


def _work(task: _List, skill: int) -> Solution:
    rows = [(float(item), "", item) if task.numbers else (0.0, item.casefold(), item) for item in task.items]
    for done in range(min(skill, len(rows) - 1)):
        # From the back, so that a pass carries one item all the way to the front.
        for place in range(len(rows) - 1, done, -1):
            before, after = rows[place - 1], rows[place]
            if before[:2] < after[:2] if task.falling else before[:2] > after[:2]:
                rows[place - 1], rows[place] = after, before
    return Solution(result=", ".join(item for _, _, item in rows))


SORTING = Family(name="sorting", write=_write, read=_read, work=_work)
