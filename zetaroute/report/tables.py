"""What a report is made of: tables, sections and the report itself, for terminal, Markdown and HTML alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from zetaroute.report.figure_words import (
    KPIS,
    MAIN,
    FigureJson,
    Kpi,
    Scale,
    Unit,
    amount,
    change_word,
    interval,
    stands_on,
)

Result = Mapping[str, Any]
Tone = Literal["", "good", "bad", "unsure"]
Heading: TypeAlias = "Column | str"
Row: TypeAlias = "list[Cell | str]"

BY_NAME = {kpi.name: kpi for kpi in KPIS}
INTERVAL = "[95% interval]"
_SPARE = {"satisfaction_score": 2, "mean_response_s": 1}
_TONES: dict[str, Tone] = {"+": "good", "!": "bad", "?": "unsure"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One value, its interval or spread, and how it is to be taken."""

    text: str
    interval: str = ""
    tone: Tone = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A heading, and what a screen may do with the cells under it."""

    title: str
    interval: str = ""
    """The part of the heading that speaks of intervals."""
    right: bool = False
    prose: bool = False
    """Lines may be folded at spaces."""
    cut: bool = False
    """A line ends where the screen does."""
    brief: bool = False
    """A screen leaves the intervals out."""
    spare: int = 0
    """A narrow screen leaves out the columns with the highest number first; those with 0 stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Columns, and rows with one cell for each."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A drawing that is made only where it is shown; `draw` returns an SVG, empty where there is nothing to see."""

    draw: Callable[[], str]
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A few paragraphs under a heading of their own."""

    title: str
    lines: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One subject of a report, with whatever tells of it."""

    title: str = ""
    lead: str = ""
    chart: Chart | None = None
    table: Table | None = None
    cards: Sequence[Card] = ()
    notes: Sequence[str] = ()
    on_screen: bool = False
    """A terminal shows it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found, in the order in which it is read."""

    headline: str
    tone: Tone = "unsure"
    subject: str = ""
    """What kind of report it is, as a page says above its headline."""
    reasons: Sequence[str] = ()
    lead: str = ""
    sections: Sequence[Section] = ()
    notes: Sequence[str] = ()
    """What the reader must know about the rows behind the figures."""


def table(columns: Sequence[Heading], rows: Iterable[Sequence[Cell | str]]) -> Table:
    """Return a table; plain texts are headings and cells without anything special.

    Columns in which nothing stands are left out, except the first and those of a table without rows.
    """
    headings = [Column(title=one) if isinstance(one, str) else one for one in columns]
    cells = [[Cell(text=one) if isinstance(one, str) else one for one in row] for row in rows]
    kept = [
        place
        for place in range(len(headings))
        if not (place and cells) or any(row[place].text not in {"", "-"} for row in cells)
    ]
    return Table(
        columns=tuple(headings[place] for place in kept),
        rows=tuple(tuple(row[place] for place in kept) for row in cells),
    )


def listed(rows: Iterable[Result], *columns: tuple[Heading, Callable[[Result], Cell | str]]) -> Table:
    """Return a table with a line for each of `rows`: every column is a heading and what stands under it."""
    return table([heading for heading, _ in columns], [[cell(row) for _, cell in columns] for row in rows])


def number(title: str, *, spare: int = 0) -> Column:
    """Return a column of numbers."""
    return Column(title=title, right=True, spare=spare)


def figure(value: FigureJson | None, unit: Unit, *, signed: bool = False, scale: Scale | None = None) -> Cell:
    """Return a figure with its interval."""
    scale = scale or Scale.of_figure(value, unit)
    return Cell(
        text=amount(value["value"] if value else None, unit, signed=signed, scale=scale),
        interval=interval(value, unit, signed=signed, scale=scale),
    )


def spread(mean: float | None, se: float | None, unit: Unit, *, signed: bool = False) -> Cell:
    """Return a mean with its standard error."""
    scale = Scale.of(unit, mean, width=se)
    error = "" if se is None else f"± {amount(se, unit, signed=signed, scale=scale).removeprefix('+')}"
    return Cell(text=amount(mean, unit, signed=signed, scale=scale), interval=error)


def verdict(text: str) -> Cell:
    """Return a word for a change in the tone that its sign has."""
    return Cell(text=text, tone=_TONES.get(text[:1], ""))


def figures_table(kpis: Result, *, sources: Result | None = None, exploring: Result | None = None) -> Table:
    """Return a row per KPI that has rows: its value, how many rows that is of, and on whose word it stands.

    `sources` count the words, `exploring` is what exploring cost.
    """
    rows: list[Row] = [
        [kpi.label, figure(value, kpi.unit), str(value["n"]), stands_on(kpi.name, sources) if sources else ""]
        for kpi in KPIS
        if (value := kpis.get(kpi.name)) and value["n"]
    ]
    if exploring:
        cost = figure(exploring, "usd_per_query")
        rows.append(["Cost of exploring 1,000 queries", cost, str(exploring["n"]), "predicted"])
    columns: list[Heading] = [
        Column(title="KPI", prose=True),
        Column(title="value", interval=INTERVAL),
        number("rows"),
        Column(title="stands on", prose=True),
    ]
    return table(columns, rows)


def changes_table(before: Result, after: Result, difference: Result, *, proven: bool = True) -> Table:
    """Return a row per KPI that is known after: before, after, the difference and what that means.

    Where nothing is `proven` yet, no word says that one is better or worse.
    """

    def row(kpi: Kpi) -> Row:
        old, new, change = before.get(kpi.name), after[kpi.name], difference.get(kpi.name)
        scale = _scale(kpi.unit, old, new, change)
        return [
            kpi.label,
            figure(old, kpi.unit, scale=scale),
            figure(new, kpi.unit, scale=scale),
            figure(as_written(old, new, change, kpi.unit), kpi.unit, signed=True, scale=scale),
            *([verdict(change_word(change, kpi))] if proven else []),
        ]

    columns: list[Heading] = [
        Column(title="KPI", prose=True),
        Column(title="before", brief=True),
        Column(title="after", brief=True),
        Column(title="difference", interval=INTERVAL),
        *(["in short"] if proven else []),
    ]
    known = [kpi for kpi in KPIS if kpi.name in after and after[kpi.name]["value"] is not None]
    return table(columns, [row(kpi) for kpi in known])


def _scale(unit: Unit, old: FigureJson | None, new: FigureJson, change: FigureJson | None) -> Scale:
    """Return one scale for a row of before and after, fine enough for its change."""
    known = change is not None and change["low"] is not None and change["high"] is not None
    width = (change["high"] - change["low"]) / 2.0 if change and known else None
    return Scale.of(unit, old["value"] if old else None, new["value"], width=width)


def as_written(
    old: FigureJson | None, new: FigureJson | None, change: FigureJson | None, unit: Unit
) -> FigureJson | None:
    """Return the difference of two figures: of what is written of them, so that it adds up to the last digit."""
    if not (old and new and change) or None in (old["value"], new["value"], change["value"]):
        return change
    scale = _scale(unit, old, new, change)
    written = round(scale.rounded(new["value"]) - scale.rounded(old["value"]), scale.decimals)
    # A difference on another mix of queries than its columns is not theirs to tell.
    if abs(written - scale.times * change["value"]) > 10.0**-scale.decimals:
        return change
    return {**change, "value": written / scale.times}


def changes_as_written(before: Result, after: Result, difference: Result) -> Result:
    """Return the difference of every KPI as the table of before and after writes it."""
    return {
        name: as_written(before.get(name), after.get(name), change, BY_NAME[name].unit)
        if name in BY_NAME
        else change
        for name, change in difference.items()
    }


def parts_table(by: Result) -> Table:
    """Return the main KPIs of every part, a row each."""
    main = [BY_NAME[name] for name in MAIN]
    rows: list[Row] = [
        [label, str(part["rows"]), *(figure(part["kpis"][kpi.name], kpi.unit) for kpi in main)]
        for label, part in by.items()
    ]
    columns = [Column(title=kpi.label, brief=True, spare=_SPARE.get(kpi.name, 0)) for kpi in main]
    return table(["part", number("rows"), *columns], rows)


def shares_table(segments: Sequence[Result], models: Sequence[str]) -> Table:
    """Return the share of each model before and after in every segment, a row each."""

    def share(segment: Result, model: str) -> str:
        before, after = (amount(segment[side].get(model, 0.0), "share") for side in ("before", "after"))
        return f"{before} \N{RIGHTWARDS ARROW} {after}"

    rows = [[segment["name"], *(share(segment, model) for model in models)] for segment in segments]
    return table(["kind of query", *models], rows)
