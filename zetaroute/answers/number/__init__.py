"""The final number of an answer."""

from __future__ import annotations

import re
from bisect import bisect_left
from fractions import Fraction
from functools import lru_cache

from zetaroute.answers.number.find import Numeral, Prominence, numerals, whole_number
from zetaroute.answers.number.notation import plain
from zetaroute.answers.words import excerpt

_FEW_DIGITS = 18
"""Up to which a whole number alone, as most references are, is read without looking for all that it could be."""
_RELATIVE_TOLERANCE = Fraction(1, 10**6)
_BOX = re.compile(r"\\f?box(?:ed)?[ ]?\{")
_BOX_LIMIT = 400
_HASHES = re.compile(r"^[ \t]*####[ \t]*(.*)$", re.MULTILINE)
_CUE = re.compile(
    r"""
    (?: (?<![a-z]) (?:answer|ans|antwort|réponse|respuesta|risposta|resposta|ответ) (?![a-z])
      | 答案 | 答え | 回答 )
    ["')\]*_]{0,3} [^.!?\n:=>]{0,60}?
    (?: [:=>] | (?<![a-z])(?:is|are|was|be|equals|comes[ ]to|ist|lautet|est|es|è)(?![a-z]) | 是 | 为 | は | [ ]?\n )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_CUE_REACH = 400
_LEAD_IN = re.compile(
    r"""[\s:=*_"'(\[{<>~≈$€£¥₹-]*
    (?: (?:about|approximately|approx\.?|roughly|around|nearly|almost|exactly|precisely|only|simply|just|the|a
        |number|total(?:[ ]of)?|equal[ ]to|is|minus|negative|usd|eur|gbp|rs\.?|[a-z][ ]?=)
        [\s:=*_"'(\[{~≈$€£¥₹-]* ){0,5}""",
    re.IGNORECASE | re.VERBOSE,
)
_ENDS_IN_VERB = re.compile(
    r"(?:\b(?:is|are|was|were|be|equals?|has|have|had|costs?|makes?|earns?|needs?|takes?|gives?|total(?:s|ed|led)?"
    r"|comes to|there (?:are|is))[ ](?:about |approximately |only |exactly |a total of )?|=[ ]?)[$€£¥₹-]{0,2}\Z",
    re.IGNORECASE,
)
_CALCULATION = re.compile(r"(?=[\d .,()^$€£%]*[+*/x÷-])(?:[\d ,+*/x÷()^$€£%-]|\.(?=\d)){0,80}=")
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|\n")
_EXPRESSION_BEFORE = re.compile(r"[\d^*/+]")
_EXPRESSION_AFTER = re.compile(r"[ ]?(?:[\^*+]|[xyznpqr](?![A-Za-z]))|.*[ ][+*-][ ]|.*√", re.DOTALL)


def is_number(text: str) -> bool:
    """Tell whether a text is one number in digits and nothing else but a sign, a currency or percent sign."""
    spelt, found = _read(text)
    if len(found) != 1 or not any(character.isdigit() for character in spelt):
        return False
    rest = spelt[: found[0].start].lstrip() + spelt[found[0].end :].rstrip().removesuffix(".")
    return not rest.strip(" +-$€£¥₹₽₩")


def same_number(got: Numeral, wanted: Numeral) -> bool:
    """Return whether a number equals another to the precision that the other is written with (see the grader)."""
    tolerance = max((wanted.place or Fraction(0)) / 2, abs(wanted.value) * _RELATIVE_TOLERANCE)
    readings = [got.value]
    if wanted.percent and got.bare:
        readings.append(got.value / 100)
    if got.percent and not wanted.percent and abs(wanted.value) > 1:
        readings.append(got.value * 100)
    return any(abs(reading - wanted.value) <= tolerance for reading in readings)


@lru_cache(maxsize=1)
def _read(text: str) -> tuple[str, list[Numeral]]:
    """Return a text in plain notation with its numbers; a reference is read to find its grader, and then again."""
    if text.isascii() and text.isdigit() and len(text) <= _FEW_DIGITS:
        return text, [whole_number(text)]
    spelt = plain(excerpt(text))
    return spelt, numerals(spelt)


def final_number(answer: str) -> Numeral | None:
    r"""Return the final number of an answer, from which thinking was taken off; None where there is none.

    It is that in the last `\boxed{}`, after `####`, the first after the last "answer is" or "answer:", or else the
    last one. A box that holds no single number leaves none. Of a text above 12,000 characters the first and last
    6,000 are read.
    """
    text, found = _read(answer)
    if box := _last_box(text):
        return _in_box(text, found, *box)
    return _after_hashes(text, found) or _after_cue(text, found) or _last(found)


def _last_box(text: str) -> tuple[int, int] | None:
    """Return where the content of the last box that is not empty starts and ends."""
    for box in reversed(list(_BOX.finditer(text))):
        depth = 1
        for end in range(box.end(), min(len(text), box.end() + _BOX_LIMIT)):
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            if depth == 0:
                if text[box.end() : end].strip():
                    return box.end(), end
                break
    return None


def _in_box(text: str, found: list[Numeral], start: int, end: int) -> Numeral | None:
    """Return the one number that the box states, after its last equals sign; None for an expression."""
    start = max(start, text.rfind("=", start, end) + 1)
    inside = [numeral for numeral in found if start <= numeral.start and numeral.end <= end]
    if len(inside) != 1:
        return None
    before, after = text[start : inside[0].start], text[inside[0].end : end]
    if _EXPRESSION_BEFORE.search(before) or _EXPRESSION_AFTER.match(after):
        return None
    return inside[0]


def _after_hashes(text: str, found: list[Numeral]) -> Numeral | None:
    """Return the number on the last `####` line that holds a number and little else: no heading."""
    for line in reversed(list(_HASHES.finditer(text))):
        inside = [n for n in found if line.start(1) <= n.start and n.end <= line.end()]
        if not inside or inside[0].standing is Prominence.DOUBTFUL:
            continue
        before, after = text[line.start(1) : inside[0].start], text[inside[0].end : line.end()]
        if _LEAD_IN.fullmatch(before) and len(after.split()) <= 3:
            return inside[0]
    return None


def _after_cue(text: str, found: list[Numeral]) -> Numeral | None:
    """Return the first number after the last cue, by preference one that follows a cue at once."""
    starts = [numeral.start for numeral in found]
    distant = None
    for cue in reversed(list(_CUE.finditer(text))):
        first = bisect_left(starts, cue.end())
        nearby = found[first : bisect_left(starts, cue.end() + _CUE_REACH)]
        stated = [n for n in nearby if not n.negated and n.standing is not Prominence.DOUBTFUL]
        if not stated:
            continue
        if _LEAD_IN.fullmatch(text, cue.end(), stated[0].start):
            return _result(text, stated, stated[0])
        distant = distant or _result(text, stated, _in_sentence(text, stated, cue.end()))
    return distant


def _in_sentence(text: str, stated: list[Numeral], start: int) -> Numeral:
    """Return the first number of the sentence that a verb introduces ("after 3 days she has 42"), or the first."""
    sentence = _SENTENCE_END.search(text, stated[0].end)
    end = sentence.start() if sentence else len(text)
    for numeral in stated:
        if numeral.start < end and _ENDS_IN_VERB.search(text, max(start, numeral.start - 40), numeral.start):
            return numeral
    return stated[0]


def _result(text: str, stated: list[Numeral], first: Numeral) -> Numeral:
    """Return what a calculation that starts with this number comes to: 42 of "6 * 7 = 42"."""
    result = first
    while calculation := _CALCULATION.match(text, result.end):
        following = [n for n in stated if n.start >= calculation.end()]
        if not following or not _LEAD_IN.fullmatch(text, calculation.end(), following[0].start):
            break
        result = following[0]
    return result


def _last(found: list[Numeral]) -> Numeral | None:
    """Return the last number of the best standing, if there is any that is not refused."""
    stated = [numeral for numeral in reversed(found) if not numeral.negated]
    return max(stated, key=lambda numeral: numeral.standing, default=None)
