"""The tables of the HTML reports as rows of words: nothing is drawn here, and nothing escaped yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zetaroute.report.terminal import one_line, rows_table, show_rows
from zetaroute.report.words import (
    KPIS,
    MAIN,
    FigureJson,
    Kpi,
    Unit,
    amount,
    change_word,
    stands_on,
    with_interval,
)

if TYPE_CHECKING:
    from rich.console import Console


Result = Mapping[str, Any]
Cell = dict[str, str]
Table = dict[str, Any]

MOST_MOVES = 12
SMALLEST_MOVE = 0.01
"""Share of a kind's queries below which it does not count as moved."""
FEWEST_HITS = 10
"""Rows that must show the new choice before a kind's own estimate is told."""
_TONES = {"+": "good", "!": "bad"}
_BY_NAME = {kpi.name: kpi for kpi in KPIS}


def cell(figure: FigureJson | None, unit: Unit, *, signed: bool = False) -> Cell:
    """Return a figure as its value and its interval, so that a page can tell them apart."""
    value, _, interval = with_interval(figure, unit, signed=signed).partition(" [")
    return {"value": value, "interval": f"[{interval}" if interval else ""}


def word(text: str) -> Cell:
    """Return a cell without an interval."""
    return {"value": text, "interval": ""}


def changes(before: Result, after: Result, difference: Result) -> list[dict[str, Any]]:
    """Return a row per KPI that is known after: before, after, difference and what that means."""
    return [
        {
            "label": kpi.label,
            "before": cell(before.get(kpi.name), kpi.unit),
            "after": cell(after[kpi.name], kpi.unit),
            "difference": cell(difference.get(kpi.name), kpi.unit, signed=True),
            "word": change_word(difference.get(kpi.name), kpi),
            "tone": _TONES.get(change_word(difference.get(kpi.name), kpi)[:1], "unsure"),
        }
        for kpi in KPIS
        if kpi.name in after and after[kpi.name]["value"] is not None
    ]


def figures_table(result: Result) -> list[list[Any]]:
    """Return a row per KPI of what was served, and what exploring cost."""
    rows: list[list[Any]] = [
        [
            kpi.label,
            cell(figure, kpi.unit),
            word(str(figure["n"])),
            word(stands_on(kpi.name, result["sources"])),
        ]
        for kpi in KPIS
        if (figure := result["kpis"].get(kpi.name)) and figure["n"]
    ]
    price = result["exploring_usd"]
    return [*rows, ["Price of exploring (predicted)", cell(price, "usd"), word(str(price["n"])), word("")]]


def parts_table(by: Result) -> Table:
    """Return the main KPIs of every part, a row each."""
    main = [_BY_NAME[name] for name in MAIN]
    rows = [
        [label, word(str(part["rows"])), *(cell(part["kpis"][kpi.name], kpi.unit) for kpi in main)]
        for label, part in by.items()
    ]
    return {"heads": ["", "queries", *(kpi.label for kpi in main)], "rows": rows}


def ways_table(ways: Sequence[Result]) -> Table:
    """Return what every way of choosing is estimated to bring, a row each."""
    shown = [
        _BY_NAME[name] for name in ("accuracy_rate", "cost_per_query_usd", "mean_response_s", "utility_usd")
    ]
    rows = [[way["name"], *(cell(way[kpi.name], kpi.unit) for kpi in shown)] for way in ways]
    return {"heads": ["way of choosing", *(kpi.label for kpi in shown)], "rows": rows}


def share_table(segments: Sequence[Result], models: Sequence[str]) -> Table:
    """Return the share of each model before and after in every segment, a row each."""
    rows = [
        [
            segment["name"],
            *(
                word(
                    f"{_share(segment['before'], model)} \N{RIGHTWARDS ARROW} {_share(segment['after'], model)}"
                )
                for model in models
            ),
        ]
        for segment in segments
    ]
    return {"heads": ["kind of query", *models], "rows": rows}


def time_table(course: Result) -> Table:
    """Return the course of what was served, a row per part."""
    rows = [
        [
            f"{one['first']}-{one['last']}",
            word(one["since"].partition(".")[0]),
            cell(one["accuracy_rate"], "share"),
            cell(one["utility_usd"], "usd"),
        ]
        for one in course["bins"]
    ]
    return {"heads": ["queries", "since (UTC)", "accuracy", "utility"], "rows": rows}


def moves(segments: Sequence[Result]) -> list[dict[str, Any]]:
    """Return the kinds of queries that moved to another model, those with most moved queries first."""
    moved = [one for one in segments if one["switch"] and one["moved"] >= SMALLEST_MOVE]
    moved.sort(key=lambda one: -one["rows"] * one["moved"])
    return [
        {
            "name": one["name"],
            "rows": one["rows"],
            "moved": amount(one["moved"], "share"),
            "start": one["switch"]["from"],
            "end": one["switch"]["to"],
            "expected": _expected(one["switch"]),
            "measured": _measured(one),
            "terms": ", ".join(one["terms"]),
        }
        for one in moved[:MOST_MOVES]
    ]


def _expected(switch: Result) -> str:
    units: dict[str, tuple[str, Unit]] = {
        "accuracy": ("accuracy", "share"),
        "cost_usd": ("cost", "usd"),
        "response_s": ("time", "seconds"),
    }
    return ", ".join(
        f"{label} {amount(switch[key]['before'], unit)} \N{RIGHTWARDS ARROW} {amount(switch[key]['after'], unit)}"
        for key, (label, unit) in units.items()
        if switch[key]["before"] is not None and switch[key]["after"] is not None
    )


def _measured(segment: Result) -> str:
    if segment["hits"] < FEWEST_HITS or segment["utility_usd"]["low"] is None:
        return f"Measured: only {segment['hits']} held-out rows show the new choice, too few to say what it brings."
    kpi: Kpi = _BY_NAME["utility_usd"]
    told = with_interval(segment["utility_usd"], kpi.unit, signed=True)
    says = change_word(segment["utility_usd"], kpi).lstrip("+!? ")
    return f"Measured: {told} utility per query there ({says}; {segment['hits']} rows show the new choice)."


def _share(mix: Mapping[str, float], model: str) -> str:
    return amount(mix.get(model, 0.0), "share")


WIDE = 120
"""Characters of a screen that has room for what is nice to know."""
LEAST_CELL = 12
WIDEST = 10_000


def show_lines(console: Console, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Show rows of a line each: the last column ends where the screen does."""
    others = table_width(console, heads, [[*row[:-1], ""] for row in rows])
    room = max(console.width - others + len(heads[-1]), LEAST_CELL)
    show_rows(console, "", heads, [[*row[:-1], one_line(row[-1], room)] for row in rows])


def told(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Return a table without the columns in which nothing stands; the whole of one without rows."""
    if not rows:
        return list(heads), []
    places = [place for place, _ in enumerate(heads) if any(row[place] not in {"", "-"} for row in rows)]
    return [heads[place] for place in places], [[row[place] for place in places] for row in rows]


def fitting(
    console: Console, heads: Sequence[str], rows: Sequence[Sequence[str]], *, spare: Sequence[str]
) -> tuple[list[str], list[list[str]]]:
    """Return a table without as many of the spare columns as it takes for its lines to fit the screen."""
    kept = list(range(len(heads)))
    for name in spare:
        told_heads, told_rows = (
            [heads[place] for place in kept],
            [[row[place] for place in kept] for row in rows],
        )
        if table_width(console, told_heads, told_rows) <= console.width:
            break
        kept = [place for place in kept if heads[place] != name]
    return [heads[place] for place in kept], [[row[place] for place in kept] for row in rows]


def table_width(console: Console, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Return how many characters wide rows are where nothing is folded."""
    options = console.options.update(width=WIDEST)
    return console.measure(rows_table("", heads, rows), options=options).maximum
