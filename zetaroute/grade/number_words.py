"""Numbers written in English words: twenty-one, one hundred and five, two thirds, two and a half.

They have a file of their own because their grammar shares nothing with that of digits.
"""

from __future__ import annotations

import re
from fractions import Fraction

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: value for value, word in enumerate(_UNITS.split())}
_SMALL |= {word: 10 * value for value, word in enumerate(_TENS.split(), start=2)}
SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS = {"half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8}
_PARTS |= {f"{part}s": value for part, value in _PARTS.items() if value > 2}

_WORD = "|".join(sorted([*_SMALL, *SCALES], key=len, reverse=True))
NUMBER_WORDS = re.compile(
    rf"(?<![\w-])(?:a[ ](?={'|'.join(SCALES)}))?"
    rf"(?P<cardinal>(?:{_WORD})(?:(?:[ ]and[ ]|-|,?[ ])(?:{_WORD})){{0,20}})"
    rf"(?:[ -](?P<part>{'|'.join(sorted(_PARTS, key=len, reverse=True))})|(?P<half>[ ]and[ ]a[ ]half))?(?![\w-]|'\w)",
    re.IGNORECASE,
)


def value_of(match: re.Match[str]) -> Fraction | None:
    """Return the value of a match of NUMBER_WORDS; None when its words make no single number ("two, five")."""
    words = re.findall(r"[a-z]+", match["cardinal"].lower())
    cardinal = _cardinal([word for word in words if word != "and"])
    if cardinal is None:
        return None
    if match["part"]:
        return Fraction(cardinal, _PARTS[match["part"].lower()])
    return cardinal + (Fraction(1, 2) if match["half"] else Fraction(0))


def _cardinal(words: list[str]) -> int | None:
    """Add the words up: small numbers within a group below a thousand, groups under falling scales."""
    total, group, room, last_scale = 0, 0, 1000, 10**15
    for word in words:
        if word == "hundred":
            if group >= 100:
                return None
            group, room = (group or 1) * 100, 100
        elif word in SCALES:
            if SCALES[word] >= last_scale:
                return None
            last_scale = SCALES[word]
            total, group, room = total + (group or 1) * last_scale, 0, 1000
        else:
            value = _SMALL[word]
            if value >= room or (value == 0 and len(words) > 1):
                return None
            group, room = group + value, 10 if value >= 20 else 1
    return total + group
