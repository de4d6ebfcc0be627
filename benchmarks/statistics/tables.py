"""How often the intervals of the table of before and after hold the truth: one section of simulations.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics.contests import CONTESTS, OBJECTIVE, Contest, draw, truths
from benchmarks.statistics.sizes import Size, each, error_of, row
from zetaroute.domain import Figure
from zetaroute.evaluate.before_after import before_after

KPIS = {
    "accuracy_rate": "accuracy",
    "cost_per_query_usd": "cost",
    "mean_response_s": "seconds",
    "utility_usd": "utility",
}
COLUMNS = ("before", "after", "difference")
AUDITS = (0.05, 0.1, 0.3)
SHARES = (0.25, 0.5, 0.9)
PROMISED = 0.93
"""Coverage under which a setting is run anew, with other seeds and three times the replications: among so many, some
fall below by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One cell of the simulation."""

    contest: Contest
    rows: int
    audits: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """How often a setting's intervals held the truth: arrays (KPIs, columns)."""

    setting: Setting
    given: NDArray[np.int64]
    held: NDArray[np.int64]
    outside: int
    """Values and ends of intervals that cannot be, and differences that are not after - before."""


def cell(setting: Setting, replications: int, stream: int = 17) -> Cell:
    """Draw contests and count what their tables say."""
    place = CONTESTS.index(setting.contest)
    seed = [stream, place, setting.rows, round(100 * setting.audits), round(100 * setting.share)]
    rng = np.random.default_rng(seed)
    truth = truths(setting.contest)
    given, held = (np.zeros((len(KPIS), len(COLUMNS)), dtype=np.int64) for _ in range(2))
    outside = 0
    for _ in range(replications):
        drawn = draw(setting.contest, rng, setting.rows, audits=setting.audits, share=setting.share)
        found = before_after(drawn.before, drawn.after, drawn.differ, OBJECTIVE)
        for number, name in enumerate(KPIS):
            figures = found.before[name], found.after[name], found.difference[name]
            outside += impossible(name, *figures)
            for column, figure in enumerate(figures):
                if figure.low is not None and figure.high is not None:
                    given[number, column] += 1
                    held[number, column] += figure.low <= truth[column][name] <= figure.high
    return Cell(setting=setting, given=given, held=held, outside=outside)


def impossible(name: str, before: Figure, after: Figure, difference: Figure) -> int:
    """Return how many of three figures of a KPI cannot be."""
    least = {"utility_usd": -np.inf}.get(name, 0.0)
    most = {"accuracy_rate": 1.0, "utility_usd": OBJECTIVE.answer_value_usd}.get(name, np.inf)
    reach = most - least
    ranges = ((before, least, most), (after, least, most), (difference, -reach, reach))
    count = sum(
        not low <= one.low <= one.value <= one.high <= high
        for one, low, high in ranges
        if one.value is not None and one.low is not None and one.high is not None
    )
    if before.value is not None and after.value is not None:
        count += difference.value != after.value - before.value
    return count


def tables(size: Size, jobs: int) -> list[str]:
    """Return the section."""
    settings = [
        Setting(contest=contest, rows=rows, audits=audits, share=share)
        for contest in CONTESTS
        for rows in size.contested
        for audits in AUDITS
        for share in SHARES
    ]
    cells = each([partial(cell, setting, size.tables) for setting in settings], jobs)
    given = sum(int(one.given.sum()) for one in cells)
    return [
        "## The table of before and after",
        "",
        f"Champion and challenger side by side; {len(settings)} settings, {size.tables} replications each: audits of",
        f"{_list(AUDITS)}, shares of the challenger of {_list(SHARES)}. A line shows the lowest coverage of the 95%",
        "intervals among its nine settings, before / after / difference, and the mean over them; one standard error",
        f"of a setting at 95% is {error_of(0.95, size.tables):.3f}, so that the lowest of nine that all hold 95% is",
        "about .94. A dash: refused (fewer than 20 queries on which the policies differ show what one would do) in",
        "more than half of the tables of every setting; settings refused that often are not counted.",
        "",
        *row("world", "rows", "refused", *KPIS.values(), "mean"),
        *row(*["---"] * (4 + len(KPIS))),
        *(
            line
            for contest in CONTESTS
            for rows in size.contested
            for line in _line(contest, rows, cells, size)
        ),
        "",
        f"Of {given:,} figures {sum(one.outside for one in cells)} left their range or did not add up.",
        "",
        *_again(cells, size, jobs),
    ]


def _again(cells: Sequence[Cell], size: Size, jobs: int) -> list[str]:
    """Return what the intervals under PROMISED hold with other seeds."""
    low = [
        (one, kpi, column) for one in cells for kpi, column in np.argwhere(_coverage(one, size) < PROMISED)
    ]
    if not low:
        return []
    count = 3 * size.tables
    found = each([partial(cell, one.setting, count, 18) for one, _, _ in low], jobs)
    lines = [f"Intervals under {PROMISED:g}, with other seeds and {count:,} replications:", ""]
    for (one, kpi, column), other in zip(low, found, strict=True):
        where, held = one.setting, other.held[kpi, column] / max(int(other.given[kpi, column]), 1)
        lines.append(
            f"- {where.contest.name}, {where.rows:,} rows, audits of {where.audits:g}, a share of {where.share:g}, "
            f"{list(KPIS.values())[kpi]} {COLUMNS[column]}: {_coverage(one, size)[kpi, column]:.3f}, then {held:.3f} "
            f"± {error_of(held, count):.3f}"
        )
    return [*lines, ""]


def _coverage(one: Cell, size: Size) -> NDArray[np.float64]:
    """Return the coverage of a setting's intervals; NaN where most are refused."""
    return np.where(2 * one.given >= size.tables, one.held / np.maximum(one.given, 1), np.nan)


def _line(contest: Contest, rows: int, cells: Sequence[Cell], size: Size) -> list[str]:
    here = [one for one in cells if one.setting.contest is contest and one.setting.rows == rows]
    refused = 1.0 - float(np.mean([one.given[0, 2] for one in here])) / size.tables
    coverage = np.array([_coverage(one, size) for one in here])
    shown = ~np.isnan(coverage)
    worst = [
        " / ".join(
            f"{np.nanmin(coverage[:, kpi, column]):.3f}" if shown[:, kpi, column].any() else "-"
            for column in range(len(COLUMNS))
        )
        for kpi in range(len(KPIS))
    ]
    mean = f"{np.nanmean(coverage):.3f}" if shown.any() else "-"
    return row(contest.name, f"{rows:,}", f"{refused:.0%}", *worst, mean)


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
