"""The notes of a report: what stands on what, in words."""

from __future__ import annotations

import pytest

from tests.report.made_results import compared, figure, retrained
from zetaroute.report.markdown import served_sentence, support_notes


def notes(**changes) -> str:
    return "\n".join(support_notes(retrained() | changes))


def rated(break_even: float | None, half: float | None = 0.02) -> dict:
    band = figure(None) if half is None else figure(0.01, half)
    return {"known": 120, "share": 0.3, "band": band, "gamma": 2.0, "break_even": break_even}


@pytest.mark.parametrize(
    ("satisfaction", "words"),
    [
        (rated(1.4), "they would have to be 1.4 times likelier for the sign to change"),
        (rated(None), "its change is in [-0.010, +0.030]; its direction is open as it is"),
        (rated(None, half=None), "too few show the new choice"),
        (rated(1.4) | {"asked": True}, "(30.0% of those asked by lot)"),
    ],
)
def test_satisfaction_says_what_it_stands_on(satisfaction, words):
    told = notes(satisfaction=satisfaction)
    assert "satisfaction stands on 120 ratings (30.0% of " in told
    assert words in told


def test_p95_is_told_where_it_can_be():
    assert "it takes 100 rows" in notes()
    shown = notes(difference=retrained()["difference"] | {"p95_response_s": figure(-0.2, 0.1)})
    assert "95% response time: -200.0 ms [-300.0 ms, -100.0 ms]" in shown


def test_before_anything_was_served_there_is_nothing_to_compare():
    result = compared()
    assert "has served no query yet" not in served_sentence(result)
    new = result["after"] | {"rows": 0}
    assert served_sentence(result | {"after": new}).startswith(f"{new['version']} has served no query yet")
