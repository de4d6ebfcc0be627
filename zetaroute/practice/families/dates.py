"""Reckoning with dates.

The limit is the calendar that is known: 1 thinks that every month has 30 days, 2 knows the months but no leap
years, 3 takes every fourth year for a leap year, 4 knows the Gregorian calendar.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from random import Random

from zetaroute.practice.family import Family, Question, Solution, bare, numeric, textual
from zetaroute.practice.words import NAMES, PLACES, listed

_MONTHS = listed("January February March April May June July August September October November December")
_WEEKDAYS = listed("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PATTERN = rf"\b(?:([12]\d{{3}})-(\d\d)-(\d\d)|(\d{{1,2}}) ({'|'.join(_MONTHS)}) ([12]\d{{3}}))\b"
_DATE = re.compile(_PATTERN)
_SPAN = re.compile(r"\b(\d{1,5}) days\b")
_BACK = re.compile(r"\bbefore\b|\bearlier\b|\bprior\b|\bago\b")
_WEEKDAY = re.compile(rf"\b(?:is|was|falls on|fell on) an? ({'|'.join(_WEEKDAYS)})\b")
_ASKS_DATE = re.compile(r"\b(?:(?:what|which) date|(?:what|which) day is)\b", re.IGNORECASE)
_ASKS_SPAN = re.compile(r"\bhow many days\b|\bnumber of days\b", re.IGNORECASE)
_ASKS_WEEKDAY = re.compile(r"\b(?:what|which) (?:day of the week|weekday)\b", re.IGNORECASE)
_SHIFTED = (
    "What date is {n} days {side} {date}? Use the form YYYY-MM-DD.",
    "Today is {date}. Which date is it {n} days {relative}? Use the form YYYY-MM-DD.",
    "{name} was in {place} on {date} and came back {n} days {relative}. On which date was that (YYYY-MM-DD)?",
    "Which day is {n} days {side} {date}? Write it as YYYY-MM-DD.",
)
_BETWEEN = (
    "How many days are there from {date} to {other}?",
    "{name} arrived in {place} on {date} and left on {other}. How many days lie between the two dates?",
    "Give the number of days between {date} and {other}.",
)
_ON_WEEKDAY = (
    "If {date} is a {weekday}, what day of the week is {other}?",
    "{date} was a {weekday}. Which weekday falls on {other}?",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reckoning:
    start: datetime.date
    days: int | None = None
    other: datetime.date | None = None
    weekday: str | None = None
    """The start's weekday; then the weekday of `other` is asked for."""


def _dates(rng: Random, difficulty: int) -> tuple[datetime.date, datetime.date]:
    """Draw two dates so that the stretch between them needs the calendar of a difficulty."""
    year = rng.randrange(1950, 2060)
    if difficulty == 1:
        start = datetime.date(year, rng.randrange(1, 13), rng.randrange(1, 15))
        return start, start + datetime.timedelta(days=rng.randrange(3, 14))
    if difficulty <= 3:
        year += 1 if year % 4 == 0 else 0
        start = datetime.date(year, rng.randrange(3, 10), rng.randrange(1, 29))
        days = rng.randrange(35, 90) if difficulty == 2 else rng.randrange(100, 180)
        return start, start + datetime.timedelta(days=days)
    if difficulty == 4:
        february = datetime.date(year - year % 4, 2, 10)
        last_february = february
    else:
        # A century that is no leap year, and then one that is: only the whole rule gets both right.
        century = rng.choice((1900, 2100))
        february, last_february = datetime.date(century, 2, 10), datetime.date(century + 4, 2, 10)
    before, after = (datetime.timedelta(days=rng.randrange(25, 300)) for _ in range(2))
    return february - before, last_february + after


def _write(rng: Random, difficulty: int) -> Question:
    first, second = _dates(rng, difficulty)
    days = (second - first).days
    long_form = rng.random() < 0.4

    def shown(date: datetime.date) -> str:
        return f"{date.day} {_MONTHS[date.month - 1]} {date.year}" if long_form else date.isoformat()

    facts = {"n": days, "name": rng.choice(NAMES), "place": rng.choice(PLACES)}
    look = rng.random()
    if look < 0.5:
        # The person who travels comes back later: only the other phrasings can count backwards.
        phrase = rng.choice(_SHIFTED)
        back = rng.random() < 0.4 and "{name}" not in phrase
        start, end = (second, first) if back else (first, second)
        side, relative = ("before", "earlier") if back else ("after", "later")
        text = phrase.format(date=shown(start), side=side, relative=relative, **facts)
        return textual(rng, text, end.isoformat(), "date")
    if look < 0.75:
        text = rng.choice(_BETWEEN).format(date=shown(first), other=shown(second), **facts)
        return numeric(rng, text, str(days))
    weekday = _WEEKDAYS[first.weekday()]
    text = rng.choice(_ON_WEEKDAY).format(date=shown(first), other=shown(second), weekday=weekday)
    reference = _WEEKDAYS[second.weekday()]
    return Question(text=bare(rng, text, "weekday"), reference=reference, grader="normalised")


def _found_dates(text: str) -> list[datetime.date]:
    found = []
    for year, month, day, day_first, month_name, year_last in _DATE.findall(text):
        number = int(month) if month else _MONTHS.index(month_name) + 1
        try:
            found.append(datetime.date(int(year or year_last), number, int(day or day_first)))
        except ValueError:
            return []
    return found


def _read(text: str) -> _Reckoning | None:
    dates = _found_dates(text)
    if not dates:
        return None
    span, weekday = _SPAN.search(text), _WEEKDAY.search(text)
    if len(dates) == 2 and weekday and _ASKS_WEEKDAY.search(text):
        return _Reckoning(start=dates[0], other=dates[1], weekday=weekday[1])
    if len(dates) == 2 and _ASKS_SPAN.search(text):
        return _Reckoning(start=dates[0], other=dates[1])
    if len(dates) == 1 and span and _ASKS_DATE.search(text):
        return _Reckoning(start=dates[0], days=-int(span[1]) if _BACK.search(text) else int(span[1]))
    return None


def _is_leap(year: int, skill: int) -> bool:
    if skill <= 2 or year % 4:
        return False
    return skill == 3 or year % 100 != 0 or year % 400 == 0


def _month_days(year: int, month: int, skill: int) -> int:
    if skill <= 1:
        return 30
    return _LENGTHS[month - 1] + (month == 2 and _is_leap(year, skill))


def _shift(start: datetime.date, days: int, skill: int) -> str:
    """Return the date so many days on, month by month in the calendar that is known."""
    year, month, day = start.year, start.month, start.day + days
    while day < 1:
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
        day += _month_days(year, month, skill)
    while day > (length := _month_days(year, month, skill)):
        day -= length
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return f"{year:04d}-{month:02d}-{day:02d}"


def _ordinal(date: datetime.date, skill: int) -> int:
    years = date.year - 1
    leap_days = 0 if skill <= 2 else years // 4 - (years // 100 - years // 400 if skill >= 4 else 0)
    months = sum(_month_days(date.year, month, skill) for month in range(1, date.month))
    return years * (360 if skill <= 1 else 365) + leap_days + months + date.day


def _work(reckoning: _Reckoning, skill: int) -> Solution:
    if reckoning.days is not None:
        steps = ("I count on month by month.", "At the end of every month I take its length off the rest.")
        return Solution(result=_shift(reckoning.start, reckoning.days, skill), steps=steps)
    days = _ordinal(reckoning.other or reckoning.start, skill) - _ordinal(reckoning.start, skill)
    if reckoning.weekday is None:
        steps = ("I number the days of the calendar.", "Then I take one number from the other.")
        return Solution(result=str(abs(days)), steps=steps)
    return Solution(result=_WEEKDAYS[(_WEEKDAYS.index(reckoning.weekday) + days) % 7])


DATES = Family(name="dates", write=_write, read=_read, work=_work)
