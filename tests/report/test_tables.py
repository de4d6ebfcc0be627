"""Tables leave out what says nothing, and a terminal shows as much of them as its width has room for."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tests.report.made_results import compared, key_figures, retrained
from zetaroute.report.kpi_report import compare_report, kpi_report
from zetaroute.report.retrain_report import retrain_report
from zetaroute.report.tables import Cell, Column, Table, number, spread, table
from zetaroute.report.terminal import show_report, show_table

MODELS = table(
    [
        "model",
        Column(title="accuracy", interval="[95% interval]"),
        number("liked", spare=1),
        number("p95", spare=2),
    ],
    [["a/small", Cell(text="71.5%", interval="[70.0%, 73.0%]"), "0.5", "20.9 ms"]],
)


def lines(shown: Table, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    show_table(console, shown)
    return [line.strip() for line in console.file.getvalue().splitlines() if line.strip()]


def test_columns_without_anything_are_left_out() -> None:
    rows = [["a/small", "active", "-", "local"], ["a/large", "active", "", "-"]]
    shown = table(["model", "state", "liked", "tags"], rows)
    assert [column.title for column in shown.columns] == ["model", "state", "tags"]
    assert [[cell.text for cell in row] for row in shown.rows] == [
        ["a/small", "active", "local"],
        ["a/large", "active", "-"],
    ]
    assert len(table(["model", "state"], []).columns) == 2


def test_a_wide_screen_shows_a_row_on_one_line() -> None:
    heading, _, row = lines(MODELS, 100)
    assert heading.split() == ["model", "accuracy", "[95%", "interval]", "liked", "p95"]
    assert row.split() == ["a/small", "71.5%", "[70.0%,", "73.0%]", "0.5", "20.9", "ms"]


def test_a_narrow_screen_puts_intervals_below_and_spares_columns_in_their_order() -> None:
    for width, titles in (
        (41, ["model", "accuracy", "liked", "p95"]),
        (40, ["model", "accuracy", "liked"]),
        (31, ["model", "accuracy"]),
    ):
        heading, below, _, row, interval = lines(MODELS, width)
        assert {*heading.split(), *below.split()} == {*titles, "[95%", "interval]"}
        assert row.split()[:2] == ["a/small", "71.5%"]
        assert interval == "[70.0%, 73.0%]"


@pytest.mark.parametrize("width", [40, 60, 140])
def test_every_row_of_a_cut_column_is_one_line(width: int) -> None:
    rows = [["01a2", "why " * 100], ["01a3", "short"]]
    shown = lines(table(["id", Column(title="query", cut=True)], rows), width)
    assert len(shown) == 4
    assert all(len(line) < width for line in shown)
    assert shown[2].endswith("…")
    assert shown[3].split() == ["01a3", "short"]


@pytest.mark.parametrize("width", [80, 140])
def test_no_figure_and_no_heading_of_a_report_is_broken(width: int) -> None:
    for report in (
        retrain_report(retrained()),
        compare_report(compared()),
        kpi_report(key_figures()),
    ):
        console = Console(file=io.StringIO(), width=width)
        show_report(console, report)
        text = console.file.getvalue()
        assert all(len(line) <= width for line in text.splitlines())
        for section in report.sections:
            if section.on_screen and section.table is not None:
                for column in section.table.columns:
                    assert all(word in text for word in column.title.split())
                for cell, column in (
                    pair
                    for row in section.table.rows
                    for pair in zip(row, section.table.columns, strict=True)
                ):
                    if column.spare:
                        continue
                    words = cell.text.split() if column.prose else [cell.text]
                    ends = [] if column.brief else cell.interval.split()
                    assert all(one in text for one in (*words, *ends))


def test_a_spread_has_no_second_sign() -> None:
    assert spread(0.01, 0.002, "share", signed=True) == Cell(text="+1.0 pt", interval="± 0.2 pt")
    assert spread(0.01, None, "share") == Cell(text="1.0%")
