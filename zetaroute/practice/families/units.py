"""Conversion between units.

The limit is which units are known: every unit has a rank, and one beyond the limit is mistaken for a kindred
one (a stone for a pound, an imperial gallon for a US gallon, Fahrenheit by the rule of thumb).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from random import Random

from zetaroute.practice.family import Family, Question, Solution, decimals, numeric, plain
from zetaroute.practice.words import NAMES


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    """`value in base units = value * size + offset`."""

    names: tuple[str, ...]
    """The plural, which questions are written with, then other spellings."""
    kind: str
    rank: int
    size: Fraction
    offset: Fraction = Fraction(0)
    rough_size: Fraction
    """What the unit is mistaken for by those whose limit is below its rank."""
    rough_offset: Fraction = Fraction(0)


def _unit(names: str, kind: str, rank: int, size: str, rough: str | None = None) -> _Unit:
    spellings = tuple(name.strip() for name in names.split(","))
    return _Unit(
        names=spellings, kind=kind, rank=rank, size=Fraction(size), rough_size=Fraction(rough or size)
    )


# Sizes by definition: international yard and pound (1959), US liquid gallon, UK Weights and Measures Act 1985.
_UNITS = (
    _unit("millimetres, millimetre, millimeters, millimeter, mm", "length", 1, "0.001"),
    _unit("centimetres, centimetre, centimeters, centimeter, cm", "length", 1, "0.01"),
    _unit("metres, metre, meters, meter, m", "length", 1, "1"),
    _unit("kilometres, kilometre, kilometers, kilometer, km", "length", 1, "1000"),
    _unit("inches, inch", "length", 2, "0.0254", "0.025"),
    _unit("feet, foot, ft", "length", 2, "0.3048", "0.3"),
    _unit("miles, mile", "length", 3, "1609.344", "1500"),
    _unit("yards, yard", "length", 4, "0.9144", "1"),
    _unit("nautical miles, nautical mile", "length", 5, "1852", "1609.344"),
    _unit("furlongs, furlong", "length", 5, "201.168", "200"),
    _unit("fathoms, fathom", "length", 5, "1.8288", "2"),
    _unit("grams, gram, g", "mass", 1, "1"),
    _unit("kilograms, kilogram, kg", "mass", 1, "1000"),
    _unit("pounds, pound, lb, lbs", "mass", 2, "453.59237", "500"),
    _unit("tonnes, tonne", "mass", 3, "1000000", "100000"),
    _unit("ounces, ounce, oz", "mass", 4, "28.349523125", "30"),
    _unit("stones, stone", "mass", 5, "6350.29318", "453.59237"),
    _unit("carats, carat", "mass", 5, "0.2", "1"),
    _unit("seconds, second", "time", 1, "1"),
    _unit("minutes, minute", "time", 1, "60"),
    _unit("hours, hour", "time", 1, "3600"),
    _unit("days, day", "time", 2, "86400", "43200"),
    _unit("weeks, week", "time", 3, "604800", "432000"),
    _unit("fortnights, fortnight", "time", 5, "1209600", "604800"),
    _unit("litres, litre, liters, liter", "volume", 1, "1"),
    _unit("millilitres, millilitre, milliliters, milliliter, ml", "volume", 1, "0.001"),
    _unit("US gallons, US gallon", "volume", 3, "3.785411784", "4"),
    _unit("US pints, US pint", "volume", 4, "0.473176473", "0.5"),
    _unit("imperial pints, imperial pint", "volume", 5, "0.56826125", "0.473176473"),
    _unit("imperial gallons, imperial gallon", "volume", 5, "4.54609", "3.785411784"),
    _unit("square metres, square metre, square meters, square meter", "area", 2, "1"),
    _unit("hectares, hectare", "area", 3, "10000", "1000"),
    _unit("acres, acre", "area", 4, "4046.8564224", "4000"),
    _unit("metres per second, meters per second", "speed", 2, "1"),
    _unit("kilometres per hour, kilometers per hour, km/h", "speed", 3, "5/18", "1/4"),
    _unit("miles per hour, mph", "speed", 4, "0.44704", "5/12"),
    _unit("knots, knot", "speed", 5, "463/900", "0.44704"),
    _unit("bytes, byte", "data", 1, "1"),
    _unit("kilobytes, kilobyte", "data", 2, "1000", "1024"),
    _unit("megabytes, megabyte", "data", 3, "1000000", "1048576"),
    _unit("kibibytes, kibibyte", "data", 4, "1024", "1000"),
    _unit("mebibytes, mebibyte", "data", 5, "1048576", "1000000"),
    _unit("degrees Celsius, celsius", "temperature", 2, "1"),
    _Unit(
        names=("degrees Fahrenheit", "fahrenheit"),
        kind="temperature",
        rank=4,
        size=Fraction(5, 9),
        offset=Fraction(-160, 9),
        rough_size=Fraction(1, 2),
        rough_offset=Fraction(-15),
    ),
)
_BY_NAME = {name.lower(): unit for unit in _UNITS for name in unit.names}
_NAMES = "|".join(re.escape(name) for name in sorted(_BY_NAME, key=len, reverse=True))
# ASCII: other letters that fold to a unit's own, such as the long s, would not be found in `_BY_NAME`.
_QUANTITY = re.compile(rf"(?<![\d.])(\d{{1,12}}(?:\.\d{{1,9}})?)\s?({_NAMES})\b", re.IGNORECASE | re.ASCII)
_TARGET = re.compile(rf"\b(?:to|into|in|as|how many)\s({_NAMES})\b", re.IGNORECASE | re.ASCII)
_ASKS = re.compile(
    rf"\b(?:convert|express|change|turn)\b|\bhow many (?:{_NAMES}) (?:are |is )?(?:there )?(?:in )?\d"
    r"|\bis how many\b|\b(?:that|it) in\b|\A\W*(?:what is |what's )?\d",
    re.IGNORECASE,
)
_PAIRS = {
    difficulty: tuple(
        (source, target)
        for source in _UNITS
        for target in _UNITS
        if source is not target and source.kind == target.kind and max(source.rank, target.rank) == difficulty
    )
    for difficulty in range(1, 6)
}
_PHRASES = (
    "Convert {quantity} to {target}.",
    "How many {target} are there in {quantity}?",
    "Express {quantity} in {target}.",
    "A label says {quantity}. What is that in {target}?",
    "{name} measured {quantity} and has to report it in {target}. What should {name} write?",
    "{quantity} is how many {target}?",
)
_FINE, _VAST = Fraction(1, 2), Fraction(10_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Conversion:
    amount: Fraction
    source: _Unit
    target: _Unit


def _write(rng: Random, difficulty: int) -> Question:
    while True:
        source, target = rng.choice(_PAIRS[difficulty])
        amount = Fraction(rng.randrange(11, 990), rng.choice((1, 1, 10)))
        value = (amount * source.size + source.offset - target.offset) / target.size
        if _FINE <= value <= _VAST:
            break
    text = rng.choice(_PHRASES).format(
        quantity=f"{plain(amount)} {source.names[0]}", target=target.names[0], name=rng.choice(NAMES)
    )
    return numeric(rng, f"{text} Round to two decimals.", decimals(value))


def _read(text: str) -> _Conversion | None:
    quantities = _QUANTITY.findall(text)
    target = _TARGET.search(text)
    if len(quantities) != 1 or target is None or not _ASKS.search(text):
        return None
    amount, name = quantities[0]
    conversion = _Conversion(
        amount=Fraction(amount), source=_BY_NAME[name.lower()], target=_BY_NAME[target[1].lower()]
    )
    same_kind = conversion.source.kind == conversion.target.kind
    return conversion if same_kind and conversion.source is not conversion.target else None


def _as_known(unit: _Unit, skill: int) -> tuple[Fraction, Fraction]:
    """Return size and offset, as one who knows the units up to a rank believes them to be."""
    return (unit.size, unit.offset) if unit.rank <= skill else (unit.rough_size, unit.rough_offset)


def _work(conversion: _Conversion, skill: int) -> Solution:
    size, offset = _as_known(conversion.source, skill)
    target_size, target_offset = _as_known(conversion.target, skill)
    base = conversion.amount * size + offset
    source_name, target_name = conversion.source.names[0], conversion.target.names[0]
    steps = (
        f"I go from {source_name} to {target_name} by way of the base unit of {conversion.source.kind}.",
        f"In base units that makes {plain(base, 6)}.",
        f"Now I turn the base units into {target_name}.",
    )
    return Solution(result=plain((base - target_offset) / target_size), steps=steps)


UNITS = Family(name="units", write=_write, read=_read, work=_work)
