"""The Markdown and the picture of a bench say what was found, and repeat byte for byte."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from zetaroute.bench.bench_picture import NO_COSTS, bench_picture, hindrance, labels
from zetaroute.bench.bench_report import bench_report
from zetaroute.report.drawing import Drawing, Plot
from zetaroute.report.markdown import markdown

FIGURE = {"value": 0.001, "low": 0.0005, "high": 0.0015, "n": 50}


def row(score: float, cost_usd: float | None) -> dict[str, Any]:
    return {
        "score": score,
        "score_se": 0.02,
        "cost_usd": cost_usd,
        "response_s": None,
        "utility_usd": 0.01 * score - (cost_usd or 0.0),
        "regret_fraction": 0.5,
        "routerarena": 0.7,
        "gain_over_best_single_usd": FIGURE,
    }


def result() -> dict[str, Any]:
    """Return a bench of three models, one of them free, with a sweep of two values."""
    gains = {name: FIGURE | {"se": 0.0002} for name in ("score", "cost_usd", "utility_usd")}
    point = {
        "answer_value_usd": 0.01,
        "routes": True,
        "best_single": "big|er",
        "results": {"router": row(0.8, 0.0005), "best_single": row(0.8, 0.002), "oracle": row(0.9, 0.0004)},
        "gain_over_best_single": gains,
        "regret_fraction": 0.25,
    }
    other = copy.deepcopy(point) | {"answer_value_usd": 0.1, "routes": False}
    other["results"]["router"] = row(0.82, 0.001)
    corners = [{"cost_usd": 0.0, "score": 0.5}, {"cost_usd": 0.002, "score": 0.8}]
    return {
        "dataset": "made",
        "train_queries": 200,
        "test_queries": 50,
        "models": ["tiny", "mid", "big|er"],
        "answer_value_usd": 0.01,
        "second_value_usd": 0.0,
        "best_single": "big|er",
        "routes": True,
        "results": {"router": row(0.8, 0.0005), "best_single": row(0.8, 0.002), "oracle": row(0.9, 0.0004)},
        "singles": {"tiny": row(0.5, 0.0), "mid": row(0.6, 0.0004), "big|er": row(0.8, 0.002)},
        "two_models": None,
        "sweep": {
            "points": [point, other],
            "aiq": {"singles": 0.65, "router": 0.75, "oracle": 0.85},
            "aiq_range_usd": [0.0, 0.002],
            "equal_quality": {
                "model": "big|er",
                "score": 0.8,
                "cost_usd": 0.002,
                "singles_cost_usd": 0.002,
                "router_cost_usd": 0.0005,
                "oracle_cost_usd": 0.0003,
            },
            "hulls": dict.fromkeys(("singles", "router", "oracle"), corners),
        },
    }


def test_report_says_what_was_found():
    report = markdown(bench_report(result(), picture="bench.svg"))
    assert report.startswith("# made: routing gains +$1.00 per 1,000 queries [+$0.50, +$1.50]")
    assert "![score against cost](bench.svg)" in report
    assert "| best single (big\\|er) | 80.0% | $2.00 | $6.00 |" in report
    assert "AIQ: singles 65.0%, router 75.0%, oracle 85.0%" in report
    assert "cost of 1,000 queries at the 80.0% of big|er ($2.00)" in report
    assert "| $0.01 | yes | 80.0% | $0.50 | big\\|er | +0.10 pt ± 0.02 pt |" in report
    tables = re.findall(r"(?:^\|.*\n)+", report, flags=re.MULTILINE)
    assert len(tables) == 4
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"low": -0.001}, "routing gains"),
        ({"low": -0.001}, "cannot tell"),
        (
            {"value": -0.001, "low": -0.002, "high": -0.0005},
            "routing loses -$1.00 per 1,000 queries [-$2.00, -$0.50]",
        ),
    ],
)
def test_verdict_follows_the_interval(change, words):
    found = result()
    found["results"]["router"]["gain_over_best_single_usd"] = FIGURE | change
    assert words in bench_report(found).headline


def test_a_router_that_does_not_route_says_so():
    found = result() | {"routes": False}
    assert "not shown to pay" in bench_report(found).headline


def test_two_models_are_told_as_routellm_tells_them():
    two = {"weak": "tiny", "strong": "big", "apgr": 0.6, "cpt50": 0.35, "cpt80": 0.7}
    found = {name: value for name, value in result().items() if name != "sweep"} | {"two_models": two}
    report = markdown(bench_report(found))
    assert "between tiny and big: APGR 0.600 (chance .500), CPT(50%) 35.0%, CPT(80%) 70.0%" in report
    assert "several values" not in report


def test_no_costs_no_picture():
    found = result()
    for name in found["singles"]:
        found["singles"][name] = row(0.5, None)
    assert hindrance(found) == NO_COSTS


def test_picture_names_every_model_and_repeats():
    assert hindrance(result()) is None
    drawn = bench_picture(result())
    assert drawn == bench_picture(result())
    assert "var(" not in drawn
    told = re.findall(r"<text[^>]*>([^<]*)</text>", drawn)
    for words in (
        "tiny (free)",
        "mid",
        "big|er",
        "cost per 1,000 queries (USD, logarithmic)",
        "score on the test queries (%)",
        "router, by value of an answer",
        "oracle",
    ):
        assert words in told


def test_labels_do_not_cover_each_other():
    plot = Plot(drawing=Drawing("bench", width=590), top=40, height=290, x=(0, 1), y=(70, 71))
    points = {f"model-{k}": plot.at(0.5 + 0.02 * k, 70.5 + 0.02 * k) for k in range(6)}
    boxes = list(labels(plot, points, list(points.values())).values())
    assert len(boxes) == 6
    for index, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[:index]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
