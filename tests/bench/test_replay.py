"""`replay`: the loop on recorded outcomes is marked by what was recorded, and repeats by its seed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import ok, refused, run, shape
from tests.support.recordings import MODELS, written
from zetaroute.bench.datasets import Recordings, read_recordings
from zetaroute.bench.replay import ReplayPlan, replay
from zetaroute.bench.replay_seeds import SO_FAR, replay_seeds, summary
from zetaroute.config import Objective

OBJECTIVE = Objective(answer_value_usd=0.01, satisfaction_value_usd=0.0, second_value_usd=0.0005)
PLAN = ReplayPlan(rounds=2, rows=140, explore=0.5, seed=3)
SHORT = ("--rounds", "2", "--rows", "140", "--explore", "0.5", "--jobs", "1")
FINAL = ("learned", "served", "mix", "best_single", "full_information", "oracle")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("made") / "made.parquet")


@pytest.fixture(scope="module")
def recordings(file: Path) -> Recordings:
    return read_recordings(file)


@pytest.fixture(scope="module")
def played(recordings: Recordings) -> dict[str, Any]:
    return replay(recordings, objective=OBJECTIVE, plan=PLAN, jobs=1)


@pytest.fixture(scope="module")
def told(file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The same replay once more, as the command line tells it."""
    said = ok(tmp_path_factory.mktemp("told"), "replay", str(file), *SHORT, "--seed", "3", "--json")
    found: dict[str, Any] = said.json
    return found


def test_json_is_that_of_the_contract(told, played):
    whole = {
        "dataset": "text",
        "seed": "number",
        "rounds": "list",
        "final": "object",
        "share_learned": "number?",
        "share_served": "number?",
        "share_mix": "number?",
        "online_gain_usd": "number",
        "audits": "object",
        "promotions": "list",
    }
    assert shape(told, whole) == []
    assert 140 <= told["rounds"][-1]["rows"] < 140 + len(MODELS)
    names = ("rows", "score", "utility_usd", "regret_usd", "truth_usd", *SO_FAR, "promotions")
    kinds = dict.fromkeys(names, "number")
    for one in told["rounds"]:
        assert shape(one, kinds | {"verdict": "text", "estimate": "object", "audits": "object"}) == []
        assert shape(one["estimate"], {"value": "number?", "low": "number?", "high": "number?"}) == []
        assert one["verdict"] in {"PROMOTE", "REJECT", "INSUFFICIENT"}
    assert set(told["final"]) == set(FINAL)
    assert told["final"]["oracle"] == played["final"]["oracle"]


def test_the_last_round_says_what_the_whole_says(played):
    last, final = played["rounds"][-1], played["final"]
    for name in ("learned", "served", "mix"):
        assert last[f"{name}_usd"] == pytest.approx(final[name] - final["best_single"])
    assert last["online_gain_usd"] == played["online_gain_usd"]
    assert (last["audits"], last["promotions"]) == (played["audits"], len(played["promotions"]))
    first = played["rounds"][0]
    assert 0 < first["audits"]["rows"] < last["audits"]["rows"]
    assert first["learned_usd"] != last["learned_usd"]


def test_the_same_seed_brings_the_same_rounds(told, played):
    assert told["rounds"] == played["rounds"]
    assert told["final"] == played["final"]
    assert told["share_learned"] == played["share_learned"]


def test_shares_are_of_the_full_information_gain(played):
    final = played["final"]
    gap = final["full_information"] - final["best_single"]
    assert gap > 0
    assert played["share_learned"] == pytest.approx((final["learned"] - final["best_single"]) / gap)
    assert played["share_served"] == pytest.approx((final["served"] - final["best_single"]) / gap)
    assert played["share_learned"] > 0.5
    assert max(final.values()) == final["oracle"]


def test_shares_are_null_where_no_model_can_be_gained_on(tmp_path):
    alike = {task: dict.fromkeys(MODELS, 1.0) for task in ("sums", "words")}
    file = written(tmp_path / "alike.parquet", accuracy=alike, cost_usd=dict.fromkeys(MODELS, 0.001))
    found = replay(
        read_recordings(file),
        objective=OBJECTIVE,
        plan=ReplayPlan(rounds=1, rows=60, explore=0.5, seed=0),
        jobs=1,
    )
    assert (found["share_learned"], found["share_served"]) == (None, None)


def test_fewer_queries_than_rounds_are_refused(tmp_path, file):
    told = refused(run(tmp_path, "replay", str(file), "--rows", "3", "--rounds", "5"), 2)
    assert "too few for 5 rounds" in told


def made_run(seed: int, *, low: float | None, share: float | None) -> dict[str, Any]:
    """Return a replay whose first interval is [low, .3] and whose second holds the truth."""
    estimates = [
        {"value": 0.2, "low": low, "high": 0.3, "n": 9},
        {"value": 0.2, "low": 0.0, "high": 0.3, "n": 9},
    ]
    common = {"score": 0.5, "utility_usd": 0.1, "regret_usd": 0.2, "truth_usd": 0.1, "verdict": "REJECT"}
    common |= dict.fromkeys(SO_FAR, 0.1 * seed) | {"promotions": seed, "audits": {"rows": 3, "cost_usd": 0.0}}
    return {
        "dataset": "made",
        "seed": seed,
        "rounds": [common | {"rows": 10 * (k + 1), "estimate": estimates[k]} for k in range(2)],
        "final": {"learned": 1.0 + seed},
        "share_learned": share,
        "share_served": None,
        "share_mix": None,
        "online_gain_usd": 0.1 * seed,
        "audits": {"rows": seed, "cost_usd": 0.0},
        "promotions": [{"rows": 10}] * seed,
    }


def test_summary_of_seeds_by_hand():
    found = summary(
        [
            made_run(1, low=0.0, share=0.5),
            made_run(2, low=0.2, share=0.9),
            made_run(3, low=None, share=None),
        ]
    )
    assert found["seeds"] == [1, 2, 3]
    assert found["share_learned"] == {"mean": pytest.approx(0.7), "se": pytest.approx(0.2), "n": 2}
    assert found["share_served"] == {"mean": None, "se": None, "n": 0}
    assert found["final"]["learned"] == {"mean": 3.0, "se": pytest.approx(3**-0.5), "n": 3}
    assert found["promotions"]["mean"] == found["audits"]["rows"]["mean"] == 2.0
    assert found["online_gain_usd"]["mean"] == pytest.approx(0.2)
    assert [(one["rows"], one["covered"], one["estimates"]) for one in found["rounds"]] == [
        (10, 1, 2),
        (20, 3, 3),
    ]
    assert found["coverage"] == {"covered": 4, "estimates": 5, "share": 0.8}
    assert found["rounds"][0]["regret_usd"]["mean"] == pytest.approx(0.2)
    assert found["rounds"][0]["mix_usd"] == {
        "mean": pytest.approx(0.2),
        "se": pytest.approx(0.1 / 3**0.5),
        "n": 3,
    }
    assert (found["rounds"][1]["promotions"]["mean"], found["rounds"][1]["audits"]["rows"]["mean"]) == (
        2.0,
        3.0,
    )


def test_seeds_in_processes_of_their_own_are_the_single_runs(recordings):
    plan = replace(PLAN, rounds=1, rows=70)
    found = replay_seeds(recordings, objective=OBJECTIVE, plan=plan, seeds=[3, 4], jobs=2)
    assert found["seeds"] == [3, 4]
    assert [run["seed"] for run in found["runs"]] == [3, 4]
    alone = replay(recordings, objective=OBJECTIVE, plan=plan, jobs=1)
    first, other = (run["rounds"][0]["score"] for run in found["runs"])
    assert first == alone["rounds"][0]["score"] != other
    assert found["runs"][0]["final"] == alone["final"]
    assert found["final"]["best_single"]["se"] == 0.0


def test_a_person_reads_means_over_seeds(tmp_path, file):
    said = ok(tmp_path, "replay", str(file), "--rounds", "1", "--rows", "60", "--seeds", "2", "--jobs", "1")
    assert "means over 2 seeds" in said.out
    assert "95% intervals held the truth in" in said.out
    assert "promotions" in said.out
