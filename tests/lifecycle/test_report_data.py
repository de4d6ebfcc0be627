"""What a report shows of a trial agrees with the trial and with a world whose truth is known."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.worlds import OBJECTIVE, World, policy_of
from zetaroute.config import Objective, Settings
from zetaroute.features.cluster_names import cell_names
from zetaroute.learn.clusters import cell_terms
from zetaroute.learn.fit import fit
from zetaroute.learn.samples import take
from zetaroute.lifecycle.holdout import Evaluation, evaluate
from zetaroute.lifecycle.report_data import report_data
from zetaroute.policy import Policy, PriorPredictor

WORLD = World(
    right={"dates": (0.9, 0.92), "sorting": (0.9, 0.92), "stories": (0.3, 0.9)}, cost_usd=(0.0001, 0.002)
)
ARMS = tuple(
    replace(arm, prior_accuracy=accuracy) for arm, accuracy in zip(WORLD.arms(), (0.5, 0.9), strict=True)
)
VALUES = Objective(answer_value_usd=0.01, satisfaction_value_usd=0.0, second_value_usd=0.0005)


def tried(*, rows: int = 2000, unknown_cost: bool = False) -> tuple[Evaluation, dict[str, Any]]:
    """Try a policy fitted on one log against the always-large one on another; return also its portrait."""
    training, held_out = WORLD.log(1500, seed=1), WORLD.log(2000, seed=2)
    held_out = take(held_out, np.arange(2000) < rows)
    held_out = replace(held_out, tasks=["labelled" if n % 4 == 0 else None for n in range(rows)])
    if unknown_cost:
        held_out = replace(held_out, cost_usd=np.where(held_out.arm == 1, np.nan, held_out.cost_usd))
    fitted = fit(training, ARMS, objective=VALUES, seed=0)
    named = cell_terms(fitted, training.texts)
    evaluation = evaluate(
        held_out,
        fitted.vectors(held_out.texts, held_out.tasks),
        ARMS,
        Settings(arms=ARMS, objective=VALUES),
        fitted,
        incumbent=Policy(version="v0000", predictor=PriorPredictor()),
        candidate=policy_of(fitted),
        names=cell_names(named, len(fitted.map.spaces.coarse)),
    )
    return evaluation, report_data(evaluation.trial, objective=VALUES, feature_map=fitted.map)


@pytest.fixture(scope="module")
def whole() -> tuple[Evaluation, dict[str, Any]]:
    return tried()


def test_the_frontier_holds_both_policies_every_model_and_a_uniform_draw(
    whole: tuple[Evaluation, dict[str, Any]],
) -> None:
    evaluation, shown = whole
    ways = {way["name"]: way for way in shown["frontier"]}
    assert list(ways) == ["incumbent", "candidate", "m0", "m1", "uniform"]
    for name, figures in (("incumbent", evaluation.before), ("candidate", evaluation.after)):
        for kpi in ("accuracy_rate", "cost_per_query_usd", "mean_response_s", "utility_usd"):
            assert ways[name][kpi] == figures[kpi].json()
    for k, model in enumerate(("m0", "m1")):
        accuracy = ways[model]["accuracy_rate"]
        truth = np.mean([right[k] for right in WORLD.right.values()])
        assert accuracy["low"] <= truth <= accuracy["high"]
    assert ways["uniform"]["accuracy_rate"]["value"] == pytest.approx(
        np.mean([ways[model]["accuracy_rate"]["value"] for model in ("m0", "m1")])
    )


def test_kinds_of_queries_say_where_they_moved_and_what_that_brought(
    whole: tuple[Evaluation, dict[str, Any]],
) -> None:
    evaluation, shown = whole
    kinds = shown["segments"]
    rows = evaluation.trial.rows
    assert sum(kind["rows"] for kind in kinds) == len(rows.texts)
    assert [kind["rows"] for kind in kinds] == sorted((kind["rows"] for kind in kinds), reverse=True)
    assert {"labelled"} < {kind["name"] for kind in kinds}
    for side, share in (("before", evaluation.share_before), ("after", evaluation.share_after)):
        for model in ("m0", "m1"):
            pooled = sum(kind["rows"] * kind[side][model] for kind in kinds) / len(rows.texts)
            assert pooled == pytest.approx(share[model])
    gain = sum(kind["rows"] * kind["utility_usd"]["value"] for kind in kinds) / len(rows.texts)
    assert gain == pytest.approx(evaluation.differences["utility_usd"].mean, abs=1e-4)
    moved = [kind for kind in kinds if kind["switch"]]
    assert moved
    for kind in moved:
        switch = kind["switch"]
        assert (switch["from"], switch["to"]) == ("m1", "m0")
        assert 0 < switch["share"] <= kind["moved"] <= 1
        assert switch["cost_usd"]["after"] < switch["cost_usd"]["before"]
    stayed = [kind for kind in kinds if kind["moved"] == 0]
    assert stayed
    assert all(kind["utility_usd"]["value"] == 0 and kind["switch"] is None for kind in stayed)


def test_where_each_would_win_follows_from_the_estimates(whole: tuple[Evaluation, dict[str, Any]]) -> None:
    _, shown = whole
    picture = shown["break_even"]
    ways = {way["name"]: way for way in shown["frontier"]}
    for row, second in zip(picture["best"], picture["second_values_usd"], strict=True):
        for best, answer in zip(row, picture["answer_values_usd"], strict=True):
            worth = {
                name: answer * ways[name]["accuracy_rate"]["value"]
                - ways[name]["cost_per_query_usd"]["value"]
                - second * ways[name]["mean_response_s"]["value"]
                for name in picture["ways"]
            }
            assert picture["ways"][best] == max(worth, key=worth.__getitem__)
    middle = len(picture["answer_values_usd"]) // 2
    assert picture["answer_values_usd"][middle] == pytest.approx(VALUES.answer_value_usd)
    assert picture["ways"][picture["best"][0][0]] == "m0"
    assert "m1" not in picture["ways"], "the incumbent always asks m1 and stands for it"


def test_a_value_of_nothing_is_put_into_the_middle_of_something() -> None:
    evaluation, _ = tried(rows=300)
    fitted = fit(WORLD.log(300, seed=1), ARMS, objective=OBJECTIVE, seed=0)
    shown = report_data(evaluation.trial, objective=OBJECTIVE, feature_map=fitted.map)
    assert OBJECTIVE.second_value_usd == 0
    assert all(value > 0 for value in shown["break_even"]["second_values_usd"])


def test_a_model_without_a_price_has_no_cost_to_show() -> None:
    _, shown = tried(rows=600, unknown_cost=True)
    costs = {way["name"]: way["cost_per_query_usd"]["value"] for way in shown["frontier"]}
    assert costs["m1"] is costs["incumbent"] is costs["uniform"] is None
    assert costs["m0"] == pytest.approx(WORLD.cost_usd[0], rel=0.2)


def test_a_trial_without_rows_shows_nothing() -> None:
    _, shown = tried(rows=0)
    assert shown["segments"] == []
    assert shown["break_even"] is None
    assert all(way["accuracy_rate"]["value"] is None for way in shown["frontier"])


def test_it_is_stored_as_plain_json(whole: tuple[Evaluation, dict[str, Any]]) -> None:
    stored = json.dumps(whole[1], allow_nan=False)
    assert json.loads(stored) == whole[1]
    assert len(stored) < 20_000
