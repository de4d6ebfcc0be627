"""The true answers to practice questions, worked out from their text in ways the solvers do not use.

It lives beside the tests so that a mistake shared by a family's writer and its solver is still found.
"""

from __future__ import annotations

import datetime
import functools
import itertools
import json
import operator
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction


def rounded(value: Fraction) -> str:
    return str((Decimal(value.numerator) / value.denominator).quantize(Decimal("0.01"), ROUND_HALF_UP))


class Bit:
    """A truth value whose operators Python itself ranks and evaluates."""

    def __init__(self, value: bool) -> None:
        self.value = value

    def __invert__(self) -> Bit:
        return Bit(not self.value)

    def __and__(self, other: Bit) -> Bit:
        return Bit(self.value and other.value)

    def __or__(self, other: Bit) -> Bit:
        return Bit(self.value or other.value)

    def __xor__(self, other: Bit) -> Bit:
        return Bit(self.value != other.value)


def python_value(expression: str, names: dict[str, object]) -> object:
    return eval(expression, {"__builtins__": {}}, names)  # noqa: S307 (the generator's own operators and operands)


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
    return str(python_value(expression.strip(), {}))


def truth(text: str) -> str:
    statement = re.search(r"(?:(?:\b(?:and|or|xor|not|[p-t])\b|[()]) ?){3,}", text.replace(" is ", " IS "))[0]
    for word, sign in {"and": "&", "or": "|", "xor": "^", "not": "~"}.items():
        statement = re.sub(rf"\b{word}\b", sign, statement)
    letters = sorted(set(re.findall(r"[p-t]", statement)))
    known = dict(re.findall(r"\b([p-t]) is (true|false)(?! or)", text))
    rows = itertools.product([True, False], repeat=len(letters))
    if known:
        rows = [tuple(known[letter] == "true" for letter in letters)]
    values = [
        python_value(
            statement.strip(), {name: Bit(bit) for name, bit in zip(letters, row, strict=True)}
        ).value
        for row in rows
    ]
    return str(values[0]) if known else str(sum(values))


def bases(text: str) -> str:
    radix = {"binary": 2, "octal": 8, "hexadecimal": 16}
    if "Roman" in text:
        numeral = re.search(r"\b[MDCLXVI]{2,}\b", text)
        worths = {"M": 1000, "D": 500, "C": 100, "L": 50, "X": 10, "V": 5, "I": 1}
        pairs = {"CM": "DCCCC", "CD": "CCCC", "XC": "LXXXX", "XL": "XXXX", "IX": "VIIII", "IV": "IIII"}
        if numeral:
            return str(
                sum(
                    worths[x] for x in functools.reduce(lambda s, p: s.replace(*p), pairs.items(), numeral[0])
                )
            )
        number = int(re.search(r"\d+", text)[0])
        long_form = "".join(
            letter * (number % above // worth)
            for (letter, worth), above in zip(worths.items(), [10_000, *worths.values()], strict=False)
        )
        return functools.reduce(lambda s, pair: s.replace(pair[1], pair[0]), pairs.items(), long_form)
    system = next(name for name in radix if name in text)
    found = re.search(rf"{system} (?:number |value )?([\da-f]+)\b", text)
    if found:
        return str(int(found[1], radix[system]))
    number = int(re.search(r"\b\d+\b", text)[0])
    return f"{number:{ {2: 'b', 8: 'o', 16: 'x'}[radix[system]] }}"


def counting(text: str) -> str:
    quoted = re.search(r'"([^"]+)"', text)[1]
    asked = text.replace(quoted, "")
    word = re.search(r"the word (\w+) (?:occur|appear)", asked)
    letter = re.search(r"letter (\w)\b|many (\w)'s", asked)
    if word:
        return str(len(re.findall(rf"\b{word[1]}\b", quoted)))
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
    return f"{days[1]:%A}" if re.search("weekday|day of the week", text) else str((days[1] - days[0]).days)


def extraction(text: str) -> str:
    *_, name = re.findall(
        r"(?:address of|address for|belongs to|down for|given for|noted for|number of) (\w+)", text
    )
    value = r"[\w.]+@[\w.]+\w|\$[\d,]+\.\d\d|\d{4}-\d\d-\d\d|\d{3}-\d{4}"
    sentence = next(
        part
        for part in re.split(r"[.?:] |\n", text)
        if re.search(rf"\b{name}\b", part) and re.search(value, part)
    )
    return re.sub(r"[$,]", "", re.search(value, sentence)[0])


def labelling(text: str) -> str:
    message = re.search(r'(?:sentence|message|label|Message): "([^"]+)"', text)[1]
    words = message.lower().rstrip("?").split()
    tests: tuple[tuple[str, Callable[[re.Match[str]], bool]], ...] = (
        (r'mentions "(\w+)" or "(\w+)"', lambda m: m[1] in words or m[2] in words),
        (r'mentions "(\w+)"', lambda m: m[1] in words),
        (r"more than (\d+) words", lambda m: len(words) > int(m[1])),
        (r'starts with "(\w+)"', lambda m: words[0] == m[1]),
        (r"contains a number", lambda m: any(map(str.isdigit, message))),
        (r"question mark", lambda m: message[-1] == "?"),
        (r"none of these|else|otherwise|Otherwise", lambda m: True),
    )
    for part in re.split(r"(?=\bit )|(?=none of)|(?=\belse\b)|(?=[Oo]therwise)", text):
        hit = next(
            (
                test(found)
                for pattern, test in tests
                if (found := re.match(rf"(?:it )?.{{0,12}}{pattern}", part))
            ),
            0,
        )
        if hit:
            if "A) " in text:
                return re.search(rf"([A-J])\) {re.escape(part[:20])}", text)[1]
            return re.search(r"(?:say|->|label is|otherwise) (\w+)", part)[1]
    raise AssertionError(text)


def lookup(text: str) -> str:
    document = text[text.index("{") : text.rindex("}") + 1]
    around = text.replace(document, "")
    dotted = re.search(r"\b\w+(?:\.\w+)+\b", around)
    keys = dotted[0].split(".") if dotted else re.findall(r'"(\w+)"', around)[::-1]
    return str(functools.reduce(operator.getitem, keys, json.loads(document)))


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
    shares = [Fraction(number) for number in re.findall(r"(\d+)%(?! of [\d.]+ is)", text)]
    plain = [Fraction(number) for number in re.findall(r"(?<![\d.])(\d+)(?![\d%])", text)]
    if "percentage" in text or "what% of" in text:
        whole, part = plain if "percentage" in text else plain[::-1]
        return rounded(100 * part / whole)
    if re.search(r"\d% of", text):
        return rounded(functools.reduce(lambda value, share: value * share / 100, shares, plain[0]))
    signs = [
        1 if re.search("rises|up|increased", part) else -1 for part in re.findall(r"([a-z ]+) by \d+%", text)
    ]
    factors = [1 + sign * share / 100 for sign, share in zip(signs, shares, strict=True)]
    product = functools.reduce(operator.mul, factors)
    return rounded(plain[0] / product if "before" in text else plain[0] * product)


def sequences(text: str) -> str:
    terms = [int(term) for term in re.findall(r"\d+", text)]
    if all(terms[i] == terms[i - 1] + terms[i - 2] for i in range(2, len(terms))):
        return str(terms[-1] + terms[-2])
    if len({Fraction(b, a) for a, b in itertools.pairwise(terms)}) == 1:
        return str(terms[-1] * terms[1] // terms[0])
    if all(d - 3 * c + 3 * b - a == 0 for a, b, c, d in zip(*(terms[i:] for i in range(4)), strict=False)):
        return str(3 * terms[-1] - 3 * terms[-2] + terms[-3])
    taking_turns = terms[len(terms) % 2 :: 2]
    return str(2 * taking_turns[-1] - taking_turns[-2])


def sorting(text: str) -> str:
    listed = re.search(r": ([^.?]+)", text)[1].split(", ")
    falling = (
        re.search("largest to|descending|high to|reverse|Z to A|z to a", text, re.IGNORECASE) is not None
    )
    return ", ".join(sorted(listed, key=int if listed[0].isdigit() else str, reverse=falling))


STORY_TURNS = {
    "buys": 1, "brings": 1, "finds": 1, "get on": 1, "wins": 1, "gives": -1, "loses": -1, "get off": -1,
    "are sold": -1, "takes away": -1,
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


def strings(text: str) -> str:
    word = re.search(r'"(\w+)"', text)[1]
    by = int((re.search(r"(?:by|of) (\d+)", text) or ["", "0"])[1])
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    if re.search("Encrypt|forward", text):
        return word.translate(str.maketrans(alphabet, alphabet[by:] + alphabet[:by]))
    if re.search("Decrypt|back by", text):
        return word.translate(str.maketrans(alphabet[by:] + alphabet[:by], alphabet))
    if "vowels" in text:
        return re.sub("[aeiou]", "", word)
    if "second letter" in text:
        return "".join(word[place] for place in range(0, len(word), 2))
    return "".join(sorted(word) if "alphabetical" in text else reversed(word))


IN_BASE_UNITS = {
    "millimetres": ".001", "centimetres": ".01", "metres": "1", "kilometres": "1000", "inches": ".0254",
    "feet": ".3048", "yards": ".9144", "miles": "1609.344", "nautical miles": "1852", "furlongs": "201.168",
    "fathoms": "1.8288", "grams": "1", "kilograms": "1000", "tonnes": "1e6", "pounds": "453.59237",
    "ounces": "28.349523125", "stones": "6350.29318", "carats": ".2", "seconds": "1", "minutes": "60",
    "hours": "3600", "days": "86400", "weeks": "604800", "fortnights": "1209600", "litres": "1",
    "millilitres": ".001", "US gallons": "3.785411784", "US pints": ".473176473", "imperial pints": ".56826125",
    "imperial gallons": "4.54609", "square metres": "1", "hectares": "1e4", "acres": "4046.8564224",
    "metres per second": "3.6", "kilometres per hour": "1", "miles per hour": "1.609344", "knots": "1.852",
    "bytes": "8", "kilobytes": "8e3", "megabytes": "8e6", "kibibytes": "8192", "mebibytes": "8388608",
}  # fmt: skip


def units(text: str) -> str:
    names = sorted([*IN_BASE_UNITS, "degrees Celsius", "degrees Fahrenheit"], key=len, reverse=True)
    amount, source = re.search(rf"([\d.]+) ({'|'.join(names)})\b", text).groups()
    (target,) = {unit for unit in re.findall("|".join(names), text) if unit != source}
    if source == "degrees Celsius":
        return rounded(Fraction(amount) * 9 / 5 + 32)
    if source == "degrees Fahrenheit":
        return rounded((Fraction(amount) - 32) * 5 / 9)
    return rounded(Fraction(amount) * Fraction(IN_BASE_UNITS[source]) / Fraction(IN_BASE_UNITS[target]))


ANSWERS: dict[str, Callable[[str], str]] = {
    function.__name__: function
    for function in (
        arithmetic, bases, counting, dates, extraction, labelling, lookup, ordering, percentages, sequences, sorting,
        stories, strings, truth, units,
    )
}  # fmt: skip
