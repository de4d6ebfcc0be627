"""What the learner does in worlds whose truth is known: the promises of the product, one by one."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.support.worlds import (
    OBJECTIVE,
    World,
    best_single,
    choices,
    learned,
    shares,
    together,
    value,
)
from zetaroute.domain import Arm, Prices
from zetaroute.learn.fit import fit
from zetaroute.policy.serialise import policy_from, stored_files
from zetaroute.registry import ARRAYS, VOCABULARY, Artifact, unpack

# The small model is cheap and as good as the large one, except at stories.
MISSION = World(
    right={"dates": (0.9, 0.92), "sorting": (0.9, 0.92), "stories": (0.3, 0.9)}, cost_usd=(0.0001, 0.002)
)
EVEN = World(
    right={"dates": (0.9, 0.92), "sorting": (0.9, 0.92), "stories": (0.9, 0.92)}, cost_usd=(0.0001, 0.002)
)


def test_only_the_kind_that_the_small_model_fails_at_moves():
    """The mission's own example: those queries go to the larger model, and the others change by less than 2%."""
    arms, queries = MISSION.arms(), MISSION.queries(1500, seed=99)
    before = choices(learned(EVEN.log(2000, seed=1), arms), queries, arms)
    after = choices(learned(MISSION.log(2000, seed=1), arms), queries, arms)
    small_before, small_after = shares(before, queries, 0), shares(after, queries, 0)
    assert small_before["stories"] > 0.98
    assert small_after["stories"] < 0.02
    for kind in ("dates", "sorting"):
        assert abs(small_after[kind] - small_before[kind]) < 0.02


def test_strong_newcomer_takes_over_and_a_poor_one_does_not():
    strong = World(right=dict.fromkeys(MISSION.right, (0.6, 0.7, 0.95)), cost_usd=(0.0002, 0.0002, 0.0002))
    poor = World(right=dict.fromkeys(MISSION.right, (0.6, 0.7, 0.2)), cost_usd=(0.0002, 0.0002, 0.0002))
    quota = (0.45, 0.45, 0.10)
    for world, low, high in ((strong, 0.95, 1.0), (poor, 0.0, 0.0)):
        arms, queries = world.arms(), world.queries(300, seed=5)
        old = world.log(600, seed=2, pmf=(0.5, 0.5, 0.0))
        chosen = choices(
            learned(together(old, world.log(900, seed=3, pmf=quota, start_s=600)), arms), queries, arms
        )
        assert low <= np.mean(chosen == 2) <= high


def test_newcomer_without_a_row_is_never_held_best():
    arms, queries = MISSION.arms(3), MISSION.queries(100, seed=5)
    arms = (*arms[:2], replace(arms[2], prior_accuracy=1.0))
    log = MISSION.log(600, seed=2)
    wide = replace(
        log,
        pmf=np.column_stack([log.pmf, np.zeros(600)]),
        eligible=np.column_stack([log.eligible, np.zeros(600, bool)]),
    )
    assert not (choices(learned(wide, arms), queries, arms) == 2).any()


def test_best_model_that_gets_worse_is_left_and_found_again_when_it_recovers():
    good = World(right=dict.fromkeys(MISSION.right, (0.9, 0.8)), cost_usd=(0.0005, 0.0005))
    bad = World(right=dict.fromkeys(MISSION.right, (0.65, 0.8)), cost_usd=(0.0005, 0.0005))
    arms, queries = good.arms(), good.queries(200, seed=5)
    first = good.log(1200, seed=1)
    assert np.mean(choices(learned(first, arms), queries, arms) == 0) > 0.9
    fallen = together(first, bad.log(400, seed=2, start_s=1200))
    found = fit(fallen, arms, objective=OBJECTIVE, seed=0)
    assert [drift.arm for drift in found.drifts] == [0]
    assert found.drifts[0].z < 0
    assert found.drifts[0].since_s >= 1100
    assert np.mean(choices(found.policy("fitted"), queries, arms) == 1) > 0.9
    back = together(fallen, good.log(600, seed=3, start_s=1600))
    assert np.mean(choices(learned(back, arms), queries, arms) == 0) > 0.9


def test_no_drift_is_seen_where_nothing_changes():
    alarms = 0
    for seed in range(25):
        found = fit(MISSION.log(600, seed=seed), MISSION.arms(), objective=OBJECTIVE, seed=0)
        alarms += len(found.drifts)
    assert alarms <= 1


@pytest.mark.parametrize(("factor", "small_share"), [(10.0, 1.0), (0.1, 0.0)])
def test_price_in_the_config_counts_at_once(factor, small_share):
    """At ten times the price the large model is not worth it; at a tenth it is always worth it."""
    world = World(right=dict.fromkeys(MISSION.right, (0.85, 0.95)), cost_usd=(0.0001, 0.001))
    old = (Prices(input=1, output=1), Prices(input=10, output=10))
    arms = tuple(replace(arm, prices=price) for arm, price in zip(world.arms(), old, strict=True))
    log = world.log(1500, seed=4)
    log = replace(log, tokens=np.full((1500, 2), 50.0))
    policy, queries = learned(log, arms), world.queries(200, seed=5)
    now = (arms[0], replace(arms[1], prices=Prices(input=10 * factor, output=10 * factor)))
    assert np.mean(choices(policy, queries, now) == 0) == pytest.approx(small_share, abs=0.02)


def test_model_that_was_free_costs_its_price_at_once():
    world = World(right=dict.fromkeys(MISSION.right, (0.85, 0.95)), cost_usd=(0.0001, 0.0))
    old = (Prices(input=1, output=1), Prices(input=0, output=0))
    arms = tuple(replace(arm, prices=price) for arm, price in zip(world.arms(), old, strict=True))
    log = replace(world.log(600, seed=4), tokens=np.full((600, 2), 50.0))
    policy, queries = learned(log, arms), world.queries(200, seed=5)
    now = (arms[0], replace(arms[1], prices=Prices(input=10, output=10)))
    vectors = policy.predictor.vectors([text for text, _ in queries])
    cost = policy.predictor.forecast(vectors, now).cost_usd
    np.testing.assert_allclose(cost.mean(axis=0), [0.0001, 0.001], rtol=0.2)


@pytest.mark.parametrize("rows", [300, 700])
def test_skewed_log_never_costs_much_against_the_best_single_model(rows):
    """Most rows are of one poor model; the learner must not fall below the best single one by over half a point."""
    world = World(
        right={
            "dates": (0.55, 0.80, 0.70, 0.60, 0.65),
            "sorting": (0.55, 0.70, 0.72, 0.60, 0.65),
            "stories": (0.55, 0.75, 0.70, 0.60, 0.65),
        },
        cost_usd=(0.0001,) * 5,
    )
    arms, queries = world.arms(), world.queries(300, seed=50)
    losses = []
    for seed in range(8):
        log = world.log(rows, seed=seed, pmf=(0.8, 0.05, 0.05, 0.05, 0.05))
        losses.append(best_single(world) - value(choices(learned(log, arms), queries, arms), queries, world))
    uniform_loss = best_single(world) - np.mean(
        [value(np.full(300, k), queries, world) for k in range(world.count)]
    )
    assert np.mean(losses) < uniform_loss


def test_two_identical_models_do_no_harm():
    world = World(right=dict.fromkeys(MISSION.right, (0.8, 0.8)), cost_usd=(0.0005, 0.0005))
    arms, queries = world.arms(), world.queries(200, seed=5)
    chosen = choices(learned(world.log(500, seed=1), arms), queries, arms)
    assert value(chosen, queries, world) == pytest.approx(best_single(world))


def test_one_model_is_fitted_and_always_chosen():
    world = World(right=dict.fromkeys(MISSION.right, (0.8,)), cost_usd=(0.0005,))
    arms, queries = world.arms(), world.queries(50, seed=5)
    assert (choices(learned(world.log(100, seed=1), arms), queries, arms) == 0).all()


def test_twenty_models_with_two_hundred_rows_hardly_leave_a_single_one():
    rng = np.random.default_rng(0)
    world = World(
        right={kind: tuple(rng.uniform(0.4, 0.8, 20)) for kind in MISSION.right}, cost_usd=(0.0005,) * 20
    )
    fitted = fit(world.log(200, seed=1), world.arms(), objective=OBJECTIVE, seed=0)
    assert np.isfinite(fitted.predictor.accuracy.coef).all()
    queries = world.queries(200, seed=2)
    counts = np.bincount(choices(fitted.policy("fitted"), queries, world.arms()), minlength=20)
    assert world.arms()[int(counts.argmax())].id == fitted.anchor
    assert counts.max() > 150


def test_head_without_a_single_label_leaves_the_prior():
    log = replace(MISSION.log(200, seed=1), satisfaction=np.full(200, np.nan), cost_usd=np.full(200, np.nan))
    policy = learned(log, MISSION.arms())
    forecast = policy.predictor.forecast(policy.predictor.vectors(["hello"]), MISSION.arms())
    assert np.isnan(forecast.cost_usd).all()
    assert np.isnan(forecast.satisfied).all()
    assert np.isfinite(forecast.satisfaction).all()


def test_constant_targets_and_repeated_rows_are_no_problem():
    log = MISSION.log(150, seed=1)
    flat = replace(log, accuracy=np.ones(150), response_s=np.full(150, 0.5), cost_usd=np.zeros(150))
    forecast_of = learned(together(flat, flat, flat), MISSION.arms())
    forecast = forecast_of.predictor.forecast(forecast_of.predictor.vectors(log.texts), MISSION.arms())
    np.testing.assert_allclose(forecast.accuracy, 1.0, atol=0.02)
    np.testing.assert_allclose(forecast.response_s, 0.5, rtol=0.05)
    assert forecast.cost_usd.max() < 1e-6


def test_absurd_values_leave_everything_finite():
    log = MISSION.log(300, seed=1)
    wild = log.response_s.copy()
    wild[:5] = (0.0, 1e12, 1e-12, np.nan, 5e8)
    costly = log.cost_usd.copy()
    costly[:3] = (1e9, 0.0, np.nan)
    fitted = fit(replace(log, response_s=wild, cost_usd=costly), MISSION.arms(), objective=OBJECTIVE, seed=0)
    forecast = fitted.predictor.forecast(fitted.predictor.vectors(log.texts), MISSION.arms())
    assert np.isfinite(forecast.response_s).all()
    assert np.isfinite(forecast.cost_usd).all()


def test_stored_policy_forecasts_as_the_fitted_one():
    fitted = fit(MISSION.log(400, seed=1), MISSION.arms(), objective=OBJECTIVE, seed=0)
    files = stored_files(fitted.predictor, fitted.average)
    manifest = {
        "models": ["m0", "m1"],
        "routes": fitted.routes,
        "anchor": fitted.anchor,
        "features": {"tasks": [], "texts": 400},
        "priced": {},
    }
    artifact = Artifact(
        version="v1",
        manifest=manifest,
        arrays=unpack(files[ARRAYS]),
        vocabulary=tuple(json.loads(files[VOCABULARY])),
    )
    loaded, queries = policy_from(artifact), MISSION.queries(80, seed=5)
    assert loaded.anchor == fitted.anchor
    assert (
        choices(loaded, queries, MISSION.arms()) == choices(fitted.policy("fitted"), queries, MISSION.arms())
    ).all()
    vectors = loaded.predictor.vectors([text for text, _ in queries])
    for name in ("accuracy", "accuracy_se", "response_s", "cost_usd"):
        np.testing.assert_allclose(
            getattr(loaded.predictor.forecast(vectors, MISSION.arms()), name),
            getattr(fitted.predictor.forecast(vectors, MISSION.arms()), name),
            rtol=1e-6,
        )


def test_map_is_kept_until_it_is_outgrown():
    arms = MISSION.arms()
    first = fit(MISSION.log(300, seed=1), arms, objective=OBJECTIVE, seed=0)
    kept = fit(MISSION.log(500, seed=2), arms, objective=OBJECTIVE, seed=0, known=first.map)
    outgrown = fit(MISSION.log(700, seed=3), arms, objective=OBJECTIVE, seed=0, known=first.map)
    assert kept.map is first.map
    assert outgrown.map is not first.map
    assert outgrown.map.texts == 700


def test_a_newcomer_without_a_claim_is_taken_for_one_of_the_known_models_or_of_its_own():
    world = World(right=dict.fromkeys(MISSION.right, (0.7, 0.9)), cost_usd=(0.0001, 0.001))
    arms = world.arms()
    policy = learned(world.log(1000, seed=3), arms)
    claimed, unknown, effort = (
        Arm(id="claimed", provider="practice", model="m", prior_accuracy=0.3),
        Arm(id="unknown", provider="practice", model="m"),
        Arm(id="effort", provider="practice", model="m", of=arms[1].id),
    )
    texts = [text for text, _ in world.queries(50, seed=5)]
    forecast = policy.predictor.forecast(policy.predictor.vectors(texts), (*arms, claimed, unknown, effort))
    mean, se = forecast.accuracy.mean(axis=0), forecast.accuracy_se.mean(axis=0)
    assert mean[2:] == pytest.approx([0.3, mean[:2].mean(), mean[1]], abs=0.02)
    assert se[2] == pytest.approx(0.2)
    assert se[:2].max() < se[4] < se[3]
