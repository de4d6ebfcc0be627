"""Reports as Markdown, and the notes of a report: what stands on what, in words."""

from __future__ import annotations

import pytest

from tests.report.made_results import compared, figure, retrained
from zetaroute.report.figure_words import satisfaction_words
from zetaroute.report.kpi_report import compare_report, served_sentence
from zetaroute.report.markdown import markdown
from zetaroute.report.retrain_report import retrain_report
from zetaroute.report.tables import Cell, Column, Report, Section, table


def rated(break_even: float | None, half: float | None = 0.02) -> dict:
    band = figure(None) if half is None else figure(0.01, half)
    return {"known": 120, "share": 0.3, "band": band, "gamma": 2.0, "break_even": break_even}


@pytest.mark.parametrize(
    ("satisfaction", "words"),
    [
        (rated(1.4), "they would have to be 1.4 times likelier for the sign to change"),
        (rated(None), "its change is in [-0.010, +0.030]; its direction is open as it is"),
        (rated(None, half=None), "too few show the new choice"),
        (rated(1.4) | {"asked": True}, "(30.0% of those asked at random)"),
    ],
)
def test_satisfaction_says_what_it_stands_on(satisfaction, words):
    (told,) = satisfaction_words(satisfaction)
    assert "satisfaction stands on 120 ratings (30.0% of " in told
    assert words in told


def test_what_is_still_needed_is_told_with_its_price():
    found = retrained() | {"verdict": "INSUFFICIENT", "audits_needed": 340, "audit_usd_needed": 0.41}
    told = markdown(retrain_report(found))
    assert "INSUFFICIENT: the evidence does not suffice yet" in told
    assert "about 340 more audited queries, $0.41" in told


def test_before_anything_was_served_there_is_nothing_to_compare():
    result = compared()
    assert "has served no query yet" not in served_sentence(result)
    new = result["after"] | {"rows": 0}
    assert served_sentence(result | {"after": new}).startswith(f"{new['version']} has served no query yet")


def test_a_report_is_told_in_its_order_and_bars_and_line_ends_stay_in_their_cell():
    cells = table(
        ["model", Column(title="gain", interval="[95% interval]", right=True)],
        [["a|b\nc", Cell(text="+1", interval="[0, 2]")]],
    )
    report = Report(
        headline="Found",
        reasons=["because"],
        lead="Of few rows.",
        sections=[Section(title="Drawn only"), Section(title="Gains", table=cells, notes=["so"])],
        notes=["told"],
    )
    assert markdown(report) == (
        "# Found\n\n- because\n\nOf few rows.\n\n## Gains\n\n"
        "| model | gain [95% interval] |\n| --- | ---: |\n| a\\|b c | +1 [0, 2] |\n\n- so\n\n- told\n"
    )


def test_markdown_holds_the_figures_of_every_drawing():
    told = markdown(retrain_report(retrained()))
    assert "| all queries | 0.0% → 45.0% | 100.0% → 55.0% |" in told
    assert "| stories | 250 | $0.00 | 1.2 |" in told
    assert "| v0000 to v0001 |" in markdown(compare_report(compared()))
