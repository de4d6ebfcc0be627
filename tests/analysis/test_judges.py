"""Judges, sources and ratings as `kpi` and `retrain` tell of them, from one log to the screen."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import ok, rows
from tests.support.homes import practice_home

ROWS = 400


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with graded rows; a good judge and one that tosses a coin, users who say, some ratings by chance."""
    home = practice_home(tmp_path_factory.mktemp("judged"), rows=ROWS, seed=4)
    rng = random.Random(1)
    said = []
    for number, (one, accuracy) in enumerate(
        rows(home, "SELECT id, accuracy FROM rounds ORDER BY custom_id")
    ):
        said.append(
            feedback(one, "accuracy", accuracy if rng.random() < 0.9 else 1 - accuracy, "judge", "good")
        )
        said.append(feedback(one, "accuracy", float(rng.random() < 0.5), "judge", "coin"))
        if number % 4 == 0:
            said.append(feedback(one, "accuracy", accuracy, "user", "ann"))
        if rng.random() < 0.3:
            said.append(feedback(one, "rating", 5.0 if accuracy else 2.0, "user", "ann"))
    (home / "journal").mkdir(exist_ok=True)
    (home / "journal" / "0.jsonl").write_text(json.dumps({"feedback": said}) + "\n", encoding="utf-8")
    # Every second truth is forgotten, so that judges say more than is known.
    ok(home, "log", "list")
    import duckdb

    with duckdb.connect(str(home / "zetaroute.duckdb")) as log:
        log.execute(
            "DELETE FROM feedback WHERE source = 'truth' AND outcome_id IN "
            "(SELECT id FROM outcomes QUALIFY row_number() OVER (ORDER BY custom_id) % 2 = 0)"
        )
    return home


def feedback(outcome: str, metric: str, value: float, source: str, author: str) -> dict[str, Any]:
    return {
        "id": f"{outcome}-{metric}-{author}",
        "outcome_id": outcome,
        "metric": metric,
        "value": value,
        "source": source,
        "author": author,
        "time": "2026-01-01T00:00:00",
    }


def test_kpi_tells_what_its_figures_stand_on(judged: Path) -> None:
    said = ok(judged, "kpi", "--json").json
    accuracy = said["sources"]["accuracy"]
    assert set(accuracy) == {"truth", "judge"}
    assert sum(accuracy.values()) == ROWS
    satisfaction = said["sources"]["satisfaction"]
    assert satisfaction["user"] == said["kpis"]["satisfaction_score"]["n"]
    assert (satisfaction["corrected"], satisfaction["asked_only"], satisfaction["prompted"]) == (
        True,
        False,
        0,
    )
    shown = ok(judged, "kpi").out
    assert f"{accuracy['judge']} judge, {accuracy['truth']} truth" in shown
    assert f"{satisfaction['user']} user, corrected for who rates" in shown


def test_judges_are_held_against_truth_and_people(judged: Path) -> None:
    judges = {judge["author"]: judge for judge in ok(judged, "kpi", "--json").json["judges"]}
    assert set(judges) == {"good", "coin"}
    good, coin = judges["good"], judges["coin"]
    assert good["judged"] == ROWS
    assert 100 < good["truth"]["pairs"] < 300
    assert good["truth"]["kappa"]["low"] > 0.4
    assert good["users"]["pairs"] >= 100
    assert (good["coin"], coin["coin"]) == (False, True)
    assert coin["truth"]["kappa"]["low"] <= 0
    known = sum(accuracy for (accuracy,) in rows(judged, "SELECT truth FROM rounds WHERE truth IS NOT NULL"))
    share = known / good["truth"]["pairs"]
    width = good["accuracy"]["high"] - good["accuracy"]["low"]
    assert good["accuracy"]["low"] < share + 0.05
    assert width < 0.9 * (coin["accuracy"]["high"] - coin["accuracy"]["low"])
    assert [one["n"] for one in good["truth"]["bins"]] == [
        count for count in (one["n"] for one in good["truth"]["bins"]) if count
    ]
    shown = ok(judged, "kpi").out
    assert shown.count("Judge good") == shown.count("Judge coin\nNOT SHOWN TO BE BETTER THAN A COIN") == 1


def test_page_draws_the_judges(judged: Path, tmp_path: Path) -> None:
    ok(judged, "kpi", "--html", str(tmp_path / "kpi.html"))
    page = (tmp_path / "kpi.html").read_text(encoding="utf-8")
    assert page.count("Calibration of") == 2
    assert page.count("<h2>Judge ") == 2


def test_retrain_weighs_sources_and_names_the_coin(judged: Path) -> None:
    said = ok(judged, "retrain", "--promote", "never", "--json").json
    reliability = said["reliability"]
    assert reliability["user"]["trust"] >= 0.75
    # The view takes the mean of both judges: half of it is a coin.
    assert 0.2 < reliability["judge"]["trust"] < reliability["user"]["trust"]
    assert any("coin is not shown to be better than a coin" in reason for reason in said["reasons"])
    assert not any("judge good" in reason for reason in said["reasons"])


def test_asked_ratings_are_what_satisfaction_stands_on(judged: Path, tmp_path: Path) -> None:
    import shutil

    import duckdb

    home = tmp_path / "asked"
    shutil.copytree(judged, home)
    with duckdb.connect(str(home / "zetaroute.duckdb")) as log:
        log.execute("UPDATE outcomes SET ask_probability = 0.5, asked = hash(id) % 2 = 0")
        log.execute(
            "UPDATE feedback SET prompted = true WHERE metric = 'rating' AND hash(outcome_id) % 2 = 0"
        )
    said = ok(home, "kpi", "--json").json
    prompted = said["sources"]["satisfaction"]["prompted"]
    assert said["sources"]["satisfaction"]["asked_only"]
    assert said["kpis"]["satisfaction_score"]["n"] == prompted
    assert f"{prompted} asked at random" in ok(home, "kpi").out
