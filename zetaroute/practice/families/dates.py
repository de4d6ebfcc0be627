"""Calculating with dates.

The limit is the calendar that is known: 1 thinks that every month has 30 days, 2 knows the months but no leap
years, 3 takes every fourth year for a leap year, 4 knows the Gregorian calendar.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from zetaroute.practice.family import Family, Question, Solution, numeric, textual
from zetaroute.practice.word_lists import NAMES, PLACES, listed

_MONTHS = listed("January February March April May June July August September October November December")
_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DATE = re.compile(
    rf"\b(?:([12]\d{{3}})-(\d\d)-(\d\d)|(\d{{1,2}}) ({'|'.join(_MONTHS)}) ([12]\d{{3}}))\b", re.ASCII
)
_SPAN = re.compile(r"\b(\d{1,5}) days\b", re.ASCII)
_BACK = re.compile(r"\b(?:before|earlier|prior|ago)\b")
_ASKS_DATE = re.compile(r"\b(?:what|which) (?:date|day is)\b", re.IGNORECASE)
_ASKS_SPAN = re.compile(r"\b(?:how many|number of) days\b", re.IGNORECASE)
_SHIFTED = (
    "What date is {n} days {side} {date}? Use the form YYYY-MM-DD.",
    "Today is {date}. Which date is it {n} days {relative}? Use the form YYYY-MM-DD.",
    "Which day is {n} days {side} {date}? Write it as YYYY-MM-DD.",
)
_BETWEEN = (
    "How many days are there from {date} to {other}?",
    "{name} arrived in {place} on {date} and left on {other}. How many days lie between the two dates?",
    "Give the number of days between {date} and {other}.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    start: date
    end: date | None
    """None: the date so many days on is asked for."""
    days: int


def _draw(rng: Random, difficulty: int) -> tuple[date, date]:
    """Draw two dates so that the stretch between them needs the calendar of a difficulty."""
    year = rng.randrange(1950, 2060)
    if difficulty == 1:
        start = date(year, rng.randrange(1, 13), rng.randrange(1, 15))
        return start, start + timedelta(days=rng.randrange(3, 14))
    if difficulty <= 3:
        start = date(year, rng.randrange(3, 10), rng.randrange(1, 29))
        return start, start + timedelta(days=rng.randrange(35, 90) * (difficulty - 1))
    if difficulty == 4:
        first = last = date(year - year % 4, 2, 10)
    else:
        # A century that is no leap year, and then one that is: only the whole rule gets both right.
        century = rng.choice((1900, 2100))
        first, last = date(century, 2, 10), date(century + 4, 2, 10)
    return first - timedelta(days=rng.randrange(25, 300)), last + timedelta(days=rng.randrange(25, 300))


def _write(rng: Random, difficulty: int) -> Question:
    first, second = _draw(rng, difficulty)
    days, spelled = (second - first).days, rng.random() < 0.4

    def shown(day: date) -> str:
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}" if spelled else day.isoformat()

    if rng.random() < 0.4:
        facts = {"name": rng.choice(NAMES), "place": rng.choice(PLACES)}
        text = rng.choice(_BETWEEN).format(date=shown(first), other=shown(second), **facts)
        return numeric(rng, text, str(days))
    start, end, side, relative = (
        (second, first, "before", "earlier") if rng.random() < 0.4 else (first, second, "after", "later")
    )
    text = rng.choice(_SHIFTED).format(n=days, date=shown(start), side=side, relative=relative)
    return textual(rng, text, end.isoformat(), "date")


def _found_dates(text: str) -> list[date]:
    found = []
    for year, month, day, day_first, month_name, year_last in _DATE.findall(text):
        number = int(month) if month else _MONTHS.index(month_name) + 1
        try:
            found.append(date(int(year or year_last), number, int(day or day_first)))
        except ValueError:
            return []
    return found


def _read(text: str) -> _Stretch | None:
    dates, span = _found_dates(text), _SPAN.search(text)
    if len(dates) == 2 and _ASKS_SPAN.search(text):
        return _Stretch(start=min(dates), end=max(dates), days=0)
    if len(dates) == 1 and span and _ASKS_DATE.search(text):
        days = -int(span[1]) if _BACK.search(text) else int(span[1])
        return _Stretch(start=dates[0], end=None, days=days)
    return None


def _month_days(month: int, skill: int) -> int:
    """Return the length of a month, which is counted from January of the year 0, in the calendar that is known."""
    year, place = divmod(month, 12)
    if skill == 1:
        return 30
    gregorian = year % 100 != 0 or year % 400 == 0
    leap = skill >= 3 and year % 4 == 0 and (skill == 3 or gregorian)
    return _LENGTHS[place] + (place == 1 and leap)


def _work(stretch: _Stretch, skill: int) -> Solution:
    month, day = stretch.start.year * 12 + stretch.start.month - 1, stretch.start.day + stretch.days
    if stretch.end is not None:
        months = range(month, stretch.end.year * 12 + stretch.end.month - 1)
        days = sum(_month_days(month, skill) for month in months) + stretch.end.day - day
        return Solution(result=str(days), steps=("I add up the lengths of the months between.",))
    while day < 1:
        month -= 1
        day += _month_days(month, skill)
    while day > (length := _month_days(month, skill)):
        month, day = month + 1, day - length
    steps = ("I count on month by month.", "At the end of every month I take its length off the rest.")
    return Solution(result=f"{month // 12:04d}-{month % 12 + 1:02d}-{day:02d}", steps=steps)


DATES = Family(name="dates", write=_write, read=_read, work=_work)
