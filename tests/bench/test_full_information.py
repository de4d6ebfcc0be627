"""`bench`: the contract's JSON, figures that follow from a known truth, and one fit for many values."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.cli.command import ok, refused, run, shape
from tests.support.recordings import COST_USD, MODELS, written
from zetaroute.bench.datasets import Recordings, read_recordings
from zetaroute.bench.datasets.recordings import utility
from zetaroute.bench.full_information import bench_full_information
from zetaroute.bench.sweep import STEPS, ladder, sweep
from zetaroute.config import Objective
from zetaroute.errors import UsageError

OBJECTIVE = Objective(answer_value_usd=0.01, satisfaction_value_usd=0.0, second_value_usd=0.0005)
WAYS = ("router", "best_single", "cheapest", "random", "task_best", "knn", "oracle", "mix")
WORTH = {
    "score": "number",
    "score_by_task": "object",
    "score_macro": "number",
    "cost_usd": "number",
    "response_s": "number",
    "utility_usd": "number",
    "share": "object",
    "regret_fraction": "number",
    "routerarena": "number",
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("made") / "made.parquet")


@pytest.fixture(scope="module")
def recordings(file: Path) -> Recordings:
    return read_recordings(file)


@pytest.fixture(scope="module")
def swept(recordings: Recordings) -> dict:
    return sweep(recordings, objective=OBJECTIVE, jobs=1)


def test_json_is_that_of_the_contract(tmp_path, file):
    found = ok(tmp_path, "bench", str(file), "--jobs", "1", "--json").json
    wrong = shape(
        found,
        {
            "dataset": "text",
            "train_queries": "number",
            "test_queries": "number",
            "models": "list",
            "results": "object",
            "singles": "object",
            "two_models": "object?",
            "fit_s": "number",
            "decide_us": "object",
        },
    )
    assert wrong == []
    assert (found["dataset"], found["train_queries"], found["test_queries"]) == ("made", 200, 100)
    assert found["models"] == list(MODELS)
    assert set(found["results"]) == set(WAYS)
    assert {name: shape(row, WORTH) for name, row in found["results"].items()} == {name: [] for name in WAYS}
    assert set(found["decide_us"]) == {"p50", "p99"}
    assert 0 < found["decide_us"]["p50"] <= found["decide_us"]["p99"]
    assert found["two_models"] is None


def test_router_finds_the_kinds_of_query_that_nobody_named(swept):
    results = swept["results"]
    assert swept["routes"]
    assert results["router"]["score"] > results["best_single"]["score"] + 0.2
    gain = results["router"]["gain_over_best_single_usd"]
    assert 0 < gain["low"] < gain["value"] < gain["high"]
    assert 0.0 < results["router"]["regret_fraction"] < 0.5
    assert results["router"]["share"].keys() == {"big", "small"}


def test_figures_follow_from_the_recording(swept, recordings):
    test = recordings.side(test=True)
    results, singles = swept["results"], swept["singles"]
    for index, model in enumerate(MODELS):
        assert singles[model]["score"] == pytest.approx(test.score[:, index].mean())
        assert singles[model]["cost_usd"] == pytest.approx(test.cost_usd[:, index].mean())
    assert results["random"]["score"] == pytest.approx(test.score.mean())
    assert results["cheapest"]["share"] == {"small": 1.0}
    assert results["oracle"]["score"] == pytest.approx(test.score.max(axis=1).mean())
    truth = utility(test, OBJECTIVE)
    assert results["oracle"]["utility_usd"] == pytest.approx(truth.max(axis=1).mean())
    single = swept["best_single"]
    assert results["best_single"]["share"] == {single: 1.0}
    assert results["best_single"]["utility_usd"] == pytest.approx(truth[:, MODELS.index(single)].mean())
    assert results["oracle"]["regret_fraction"] == 0.0
    assert results["best_single"]["regret_fraction"] == 1.0
    by_task = results["task_best"]["score_by_task"]
    assert results["task_best"]["score_macro"] == pytest.approx(np.mean(list(by_task.values())))
    assert by_task["sums"] == pytest.approx(test.score[test.tasks == "sums", 2].mean())


def test_an_unknown_cost_counts_as_the_dearest_of_its_query(recordings):
    few = recordings.take(np.arange(len(recordings.texts)) < 2)
    few.cost_usd[:] = [[0.004, np.nan, 0.001], [np.nan, np.nan, np.nan]]
    few.score[:], few.latency_s[:] = 1.0, np.nan
    expected = [[0.006, 0.006, 0.009], [0.01, 0.01, 0.01]]
    np.testing.assert_allclose(utility(few, OBJECTIVE), expected)


def test_sweep_decides_at_a_value_as_bench_does_there(swept, recordings):
    points = swept["sweep"]["points"]
    assert len(points) == STEPS
    for point in (points[1], points[4]):
        value = point["answer_value_usd"]
        alone = bench_full_information(
            recordings,
            objective=Objective(
                answer_value_usd=value,
                satisfaction_value_usd=0.0,
                second_value_usd=OBJECTIVE.second_value_usd,
            ),
            jobs=1,
        )
        assert point["routes"] == alone["routes"]
        assert point["best_single"] == alone["best_single"]
        for way in ("router", "best_single", "oracle"):
            assert point["results"][way]["share"] == alone["results"][way]["share"]
            assert point["results"][way]["utility_usd"] == pytest.approx(alone["results"][way]["utility_usd"])
        gain = alone["results"]["router"]["gain_over_best_single_usd"]["value"]
        assert point["gain_over_best_single"]["utility_usd"]["value"] == pytest.approx(gain)


def test_a_dearer_answer_is_bought_at_a_higher_price(swept):
    points = swept["sweep"]["points"]
    values = [point["answer_value_usd"] for point in points]
    assert values == sorted(values)
    oracle = [point["results"]["oracle"] for point in points]
    for before, after in pairwise(oracle):
        assert after["score"] >= before["score"] - 1e-12
        assert after["cost_usd"] >= before["cost_usd"] - 1e-12
    first, last = (point["results"]["router"] for point in (points[0], points[-1]))
    assert first["share"] == {"small": 1.0}
    assert last["score"] > first["score"] + 0.2
    gain = points[-1]["gain_over_best_single"]
    assert gain["score"]["se"] > 0
    assert gain["score"]["value"] == pytest.approx(
        last["score"] - points[-1]["results"]["best_single"]["score"]
    )
    assert gain["cost_usd"]["value"] == pytest.approx(
        last["cost_usd"] - points[-1]["results"]["best_single"]["cost_usd"]
    )


def test_measures_of_the_curve_are_in_order(swept):
    curve = swept["sweep"]
    assert curve["aiq"]["singles"] < curve["aiq"]["router"] < curve["aiq"]["oracle"]
    equal = curve["equal_quality"]
    assert equal["model"] == "big"
    assert equal["oracle_cost_usd"] <= equal["router_cost_usd"] < equal["singles_cost_usd"]
    assert equal["singles_cost_usd"] == pytest.approx(equal["cost_usd"])
    low, high = curve["aiq_range_usd"]
    assert low == pytest.approx(min(row["cost_usd"] for row in swept["singles"].values()))
    assert high == pytest.approx(max(row["cost_usd"] for row in swept["singles"].values()))


def test_ladder_reaches_from_the_cheapest_model_to_a_hundred_of_the_dearest(recordings):
    values = np.array(ladder(recordings))
    assert values[0] == pytest.approx(COST_USD["small"], rel=0.1)
    assert values[-1] == pytest.approx(100 * COST_USD["big"], rel=0.1)
    ratios = values[1:] / values[:-1]
    assert ratios.max() / ratios.min() < 1.1


def test_two_models_without_costs_are_measured_as_routellm_does(tmp_path):
    file = written(tmp_path / "free.parquet", cost_usd=None)
    recordings = read_recordings(file, models=["big", "small"])
    found = bench_full_information(recordings, objective=OBJECTIVE, jobs=1)
    two = found["two_models"]
    assert (two["weak"], two["strong"]) == ("small", "big")
    assert two["apgr"] > 0.8
    assert two["cpt50"] < two["cpt80"] < 0.6
    assert found["results"]["cheapest"]["share"] == {"big": 0.5, "small": 0.5}
    assert found["results"]["router"]["cost_usd"] is None
    assert found["results"]["router"]["routerarena"] is None
    with pytest.raises(UsageError, match="holds no costs: --sweep needs cost_usd"):
        sweep(recordings, objective=OBJECTIVE, jobs=1)


def test_an_empty_side_is_refused(tmp_path):
    file = tmp_path / "one-sided.parquet"
    pl.DataFrame({"query_id": ["a"], "query": ["a"], "model": ["m"], "score": [1.0]}).write_parquet(file)
    told = refused(run(tmp_path, "bench", str(file)), 2)
    assert "1 training and 0 test" in told or "0 training and 1 test" in told


def test_output_folder_gets_json_markdown_and_picture(tmp_path, file):
    folder = tmp_path / "deep" / "report"
    said = ok(tmp_path, "bench", str(file), "--sweep", "-o", str(folder), "--jobs", "1", "--json")
    assert json.loads((folder / "bench.json").read_text()) == said.json
    report = (folder / "bench.md").read_text()
    assert report.startswith("# made: routing gains +$")
    assert "(bench.svg)" in report
    assert (folder / "bench.svg").read_text().lstrip().startswith("<?xml")


def test_output_that_cannot_be_written_is_refused(tmp_path, file):
    (tmp_path / "taken").write_text("a file")
    told = refused(run(tmp_path, "bench", str(file), "-o", str(tmp_path / "taken"), "--jobs", "1"), 2)
    assert "cannot write to" in told
    assert "choose another -o" in told


def test_a_person_reads_the_same_figures(tmp_path, file):
    said = ok(tmp_path, "bench", str(file), "--sweep", "--jobs", "1")
    assert "AIQ: singles" in said.out
    assert "cost of 1,000 queries at the" in said.out
    assert said.err == ""
