"""Figures are written so that they can be read, and rows of a table so that they add up to the last digit."""

from __future__ import annotations

import random

import pytest

from zetaroute.report.figure_words import Scale, amount, per_thousand, with_interval
from zetaroute.report.tables import changes_table, figure, spread


def around(value: float, half: float) -> dict[str, float | int]:
    return {"value": value, "low": value - half, "high": value + half, "n": 100}


@pytest.mark.parametrize(
    ("usd", "call", "thousand"),
    [
        (0.0, "$0.00", "$0.00"),
        (0.00002, "$0.00002", "$0.02"),
        (0.0000513, "$0.0000513", "$0.0513"),
        (0.002, "$0.002", "$2.00"),
        (0.00239, "$0.00239", "$2.39"),
        (0.5, "$0.50", "$500"),
        (12.4, "$12.40", "$12,400"),
    ],
)
def test_money_has_two_or_three_digits_that_say_something(usd, call, thousand):
    assert amount(usd, "usd") == call
    assert amount(usd, "usd_per_query") == thousand
    assert amount(-usd, "usd", signed=True) == (f"-{call}" if usd else call)


def test_a_sentence_has_its_interval_behind():
    assert per_thousand(around(0.00239, 0.0004), signed=False) == "$2.39 per 1,000 queries [$1.99, $2.79]"
    assert per_thousand(around(-0.0002, 0.0004)) == "-$0.20 per 1,000 queries [-$0.60, +$0.20]"
    nothing = {"value": None, "low": None, "high": None, "n": 0}
    assert per_thousand(nothing) == "- per 1,000 queries"


def test_an_interval_has_the_unit_of_its_value_and_as_many_decimals_as_tell_it_apart():
    assert with_interval(around(0.95, 0.1), "seconds") == "950.0 ms [850.0 ms, 1,050.0 ms]"
    assert with_interval(around(0.715, 0.0003), "share") == "71.50% [71.47%, 71.53%]"
    assert spread(0.0021, 0.00001, "usd_per_query").interval == "± $0.01"
    assert figure(None, "usd").text == "-"


def test_what_rounds_to_nothing_has_no_sign():
    assert amount(-0.0001, "share", signed=True) == "0.0 pt"
    assert amount(0.0001, "share", signed=True) == "0.0 pt"


def number(text: str) -> float:
    for sign in ("$", "%", " pt", " ms", " s", ",", "+"):
        text = text.replace(sign, "")
    return float(text)


def test_before_and_difference_are_after_to_the_printed_digit():
    chance = random.Random(5)
    for name, largest in (("accuracy_rate", 1.0), ("cost_per_query_usd", 0.1), ("mean_response_s", 3.0)):
        for _ in range(300):
            size = largest * 10.0 ** chance.uniform(-3, 0)
            old, new = chance.random() * size, chance.random() * size
            half = size * 10.0 ** chance.uniform(-3, 0)
            row = changes_table(
                {name: around(old, half)}, {name: around(new, half)}, {name: around(new - old, half)}
            ).rows[0]
            before, after, change = (cell.text for cell in row[1:4])
            decimals = len(change.partition(".")[2].rstrip(" ptms"))
            assert number(after) == pytest.approx(number(before) + number(change), abs=10.0**-decimals / 100)
            low, high = (number(end) for end in row[3].interval.strip("[]").split(", "))
            assert low - 10.0**-decimals / 2 <= number(change) <= high + 10.0**-decimals / 2


def test_a_difference_on_another_mix_of_queries_is_written_as_it_is():
    row = changes_table(
        {"accuracy_rate": around(0.456, 0.02)},
        {"accuracy_rate": around(0.72, 0.02)},
        {"accuracy_rate": around(0.328, 0.03)},
    ).rows[0]
    assert [cell.text for cell in row[1:4]] == ["45.6%", "72.0%", "+32.8 pt"]


def test_a_scale_is_that_of_its_largest_value():
    scale = Scale.of("usd_per_query", 0.00002, 0.005, None)
    assert scale.text(scale.rounded(0.00002)) == "$0.02"
    assert Scale.of("seconds", 0.5, 2.0).after == " s"
