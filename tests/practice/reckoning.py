"""The true answers to practice questions, worked out from their text in ways the solvers do not use.

A mistake that a family's writer and its solver share is found by these.
"""

from __future__ import annotations

import datetime
import itertools
import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction


def rounded(value: Fraction) -> str:
    return str((Decimal(value.numerator) / value.denominator).quantize(Decimal("0.01"), ROUND_HALF_UP))


def arithmetic(text: str) -> str:
    for word, sign in {
        "plus": "+",
        "minus": "-",
        "times": "*",
        "divided by": "/",
        "×": "*",
        "÷": "/",
    }.items():
        text = text.replace(word, sign)
    expression = re.search(r"[\d(][\d\s()+*/-]*", text)[0].replace("/", "//")
    return str(eval(expression.strip(), {"__builtins__": {}}))  # noqa: S307 (numbers, brackets and operators)


def counting(text: str) -> str:
    quoted = re.search(r'"([^"]+)"', text)[1]
    asked = text.replace(quoted, "")
    letter = re.search(r"letter (\w)\b|many (\w)'s", asked)
    if letter:
        return str(quoted.count(letter[1] or letter[2]))
    if "vowels" in asked:
        return str(len(re.sub("[^aeiou]", "", quoted)))
    return str(quoted.count(" ") + 1 if "words" in asked else len(re.findall(r"\S", quoted)))


def dates(text: str) -> str:
    found = re.findall(r"\d{4}-\d\d-\d\d|\d{1,2} [A-Z][a-z]+ \d{4}", text)
    days = [
        datetime.datetime.strptime(day, "%Y-%m-%d" if "-" in day else "%d %B %Y").replace(tzinfo=datetime.UTC)
        for day in found
    ]
    if len(days) == 1:
        sign = -1 if re.search(r"\bbefore\b|\bearlier\b", text) else 1
        shift = int(re.search(r"(\d+) days", text)[1])
        return f"{days[0] + sign * datetime.timedelta(shift):%Y-%m-%d}"
    return str((days[1] - days[0]).days)


def extraction(text: str) -> str:
    *_, name = re.findall(r"(?:address of|address for|belongs to|down for|number of) (\w+)", text)
    value = r"[\w.]+@[\w.]+\w|\$[\d,]+\.\d\d|\d{3}-\d{4}"
    sentence = next(
        part
        for part in re.split(r"[.?:] |\n", text)
        if re.search(rf"\b{name}\b", part) and re.search(value, part)
    )
    return re.sub(r"[$,]", "", re.search(value, sentence)[0])


def ordering(text: str) -> str:
    facts = re.findall(r"(\w+) (?:is|runs) (\w+er) than (\w+)", text)
    more = {"taller", "older", "faster", "heavier", "richer"}
    pairs = [(a, b) if word in more else (b, a) for a, word, b in facts]
    names = sorted({name for pair in pairs for name in pair})
    ranked = next(
        row for row in itertools.permutations(names) if all(row.index(a) < row.index(b) for a, b in pairs)
    )
    place, superlative = re.search(r"the (second |third |)(\w+est)\b", text).groups()
    if superlative[:-2] + "r" not in more and superlative[:-3] + "er" not in more:
        ranked = ranked[::-1]
    name = ranked[["", "second ", "third "].index(place)]
    option = re.search(rf"([A-G])\) {name}\b", text)
    return option[1] if option else name


def percentages(text: str) -> str:
    text = text.replace(" percent of", "% of")
    shares = [Fraction(number) for number in re.findall(r"(\d+)%", text)]
    (base,) = (Fraction(number) for number in re.findall(r"(?<![\d.])(\d+)(?![\d%])", text))
    if re.search(r"\d% of", text):
        return rounded(base * shares[0] / 100)
    signs = [
        1 if re.search("rises|up|increased", part) else -1 for part in re.findall(r"([a-z ]+) by \d+%", text)
    ]
    product = math.prod(1 + sign * share / 100 for sign, share in zip(signs, shares, strict=True))
    return rounded(base / product if "before" in text else base * product)


def sorting(text: str) -> str:
    listed = re.search(r": ([^.?]+)", text)[1].split(", ")
    falling = (
        re.search("largest to|descending|high to|reverse|Z to A|z to a", text, re.IGNORECASE) is not None
    )
    return ", ".join(sorted(listed, key=int if listed[0].isdigit() else str, reverse=falling))


STORY_TURNS = {
    "buys": 1, "brings": 1, "finds": 1, "get on": 1, "wins": 1, "gives": -1, "loses": -1, "get off": -1,
    "takes away": -1,
}  # fmt: skip


def stories(text: str) -> str:
    first, *sentences = re.split(r"(?<=\.) ", text)
    count = int(re.search(r"\d+", first)[0])
    for sentence in sentences:
        number = re.search(r"\d+", sentence)
        turn = next((sign for verb, sign in STORY_TURNS.items() if verb in sentence), 0)
        if re.search("[Hh]alf of", sentence):
            assert count % 2 == 0
            count //= 2
        elif "doubles" in sentence:
            count *= 2
        elif number and turn:
            count += turn * int(number[0])
    return str(count)


ANSWERS: dict[str, Callable[[str], str]] = {
    function.__name__: function
    for function in (arithmetic, counting, dates, extraction, ordering, percentages, sorting, stories)
}
