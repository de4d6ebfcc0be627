"""An answer as a chain sees it: its final answer and its signs of being right or wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zetaroute.answers.final import REFUSAL, Final, final_of
from zetaroute.answers.names import KINDS
from zetaroute.answers.structure import WrittenCall
from zetaroute.arrays import Array

MOST_CHARACTERS = 12_000
"""Of an answer that its final answer is looked for in."""
LOOKED_AT = 1_600
"""Of its begin and end together that signs are read of."""
_WORDS = re.compile(r"\w+")
_NUMBERS = re.compile(r"\d+(?:\.\d+)?")
_HEDGES = re.compile(
    r"\b(?:maybe|perhaps|might|may|could|possibly|probably|likely|unsure|not (?:sure|certain|clear|enough)|unclear"
    r"|approximately|assum\w+|guess|seems?|appears?|however|but|wait|actually)\b"
)
_STEPS = re.compile(r"\b(?:step|first|second|next|then|therefore|thus|so|hence|because|since)\b")
_BLANKS = re.compile(r"\b(?:none|null|unknown|your_\w+|example|placeholder|todo|n/a)\b|<\w+>|\.\.\.")
_ENDS = tuple(".!?)]}>\"'`*$|:;")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAnswer:
    """What was read of one answer."""

    final: Final
    signs: Array
    """(len(SIGNS),) NaN for those that are not known."""


def read_answer(
    text: str,
    query: str,
    *,
    cut: bool = False,
    logprobs: Sequence[float] | None = None,
    signal: float | None = None,
) -> ReadAnswer:
    """Read an answer to a query; thinking must have been taken off.

    `cut` says that it ended at the limit of tokens; `logprobs` are the least, the 10% quantile and the mean of those
    of its tokens, where the server gives them; `signal` is the score of the user's own check.
    """
    if len(text) > MOST_CHARACTERS:
        text = text[: MOST_CHARACTERS // 2] + text[-MOST_CHARACTERS // 2 :]
    query = query[:MOST_CHARACTERS]
    final = final_of(text, query)
    signs = [
        *(float(final.kind == kind) for kind in KINDS[1:]),
        float(final.cued),
        math.log1p(len(text)),
        *_looks(text if len(text) <= LOOKED_AT else text[: LOOKED_AT // 2] + text[-LOOKED_AT // 2 :], query),
        float(cut or not text.rstrip().endswith(_ENDS)),
        *_of_final(final, query),
        *(logprobs or [math.nan] * 3),
        math.nan if signal is None else signal,
    ]
    return ReadAnswer(final=final, signs=np.array(signs))


def _looks(text: str, query: str) -> list[float]:
    folded = text.casefold()
    words, asked = _WORDS.findall(folded), set(_WORDS.findall(query.casefold()))
    numbers, given = _NUMBERS.findall(text), set(_NUMBERS.findall(query))
    size = max(len(text), 1)
    return [
        len(set(words)) / max(len(words), 1),
        math.log1p(text.count("\n")),
        sum(map(str.isdigit, text)) / size,
        sum(map(str.isupper, text)) / size,
        sum(word in asked for word in words) / max(len(words), 1),
        sum(number in given for number in numbers) / max(len(numbers), 1),
        *(math.log1p(len(sign.findall(folded))) for sign in (_HEDGES, REFUSAL, _STEPS)),
        math.log1p(text.count("=")),
        math.log1p(text.count("?")),
        math.log1p(len(_BLANKS.findall(folded))),
        float("```" in text),
    ]


def _of_final(final: Final, query: str) -> list[float]:
    magnitude = whole = letter = 0.0
    written = [0.0] * 7
    if final.kind == "number":
        value = final.value.value
        magnitude, whole = math.log1p(float(min(abs(value), 10**12))), float(value.denominator == 1)
    elif final.kind == "choice":
        letter = (ord(final.value) - ord("A")) / 10.0
    elif final.kind == "calls":
        written = _of_calls(final.value, query.casefold())
    return [magnitude, whole, letter, *written]


def _of_calls(calls: Sequence[WrittenCall], query: str) -> list[float]:
    values = [value for call in calls for _, value in call.arguments]
    texts = [value for value in values if isinstance(value, str)]
    count = max(len(values), 1)
    return [
        math.log1p(len(calls)),
        math.log1p(len(values)),
        sum(str(value).casefold().removesuffix(".0") in query for value in values) / count,
        len({call.name for call in calls}) / len(calls),
        sum(_NUMBERS.fullmatch(value.strip("-+ ")) is not None for value in texts) / count,
        sum(isinstance(value, tuple) for value in values) / count,
        math.log1p(max(map(len, texts), default=0)),
    ]
