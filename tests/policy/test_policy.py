"""Which model a version prefers: the single one, unless another is expected to be clearly better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.support.worlds import OBJECTIVE, World, choices
from zetaroute.learn.fit import fit
from zetaroute.learn.routing_gain import kept_anchor
from zetaroute.policy.policy import DEVIATES, held_best, single_best

WORLD = World(
    right={"dates": (0.9, 0.92), "sorting": (0.9, 0.92), "stories": (0.3, 0.9)}, cost_usd=(0.0001, 0.002)
)
ROWS = np.array([50.0, 50.0, 50.0])
ALL = np.ones((1, 3), dtype=bool)
SINGLES = np.array([0.2, np.inf, 0.5])


def preferred(mean, *, se=(0.1, 0.1, 0.1), eligible=ALL, rows=ROWS, singles=SINGLES) -> int:
    return int(held_best(np.array([mean]), np.array([se]), rows, eligible, singles)[0])


def test_the_single_model_answers_unless_another_is_clearly_better():
    step = DEVIATES * np.hypot(0.1, 0.1)
    assert preferred((0.0, 1.0, 1.0 + 0.99 * step)) == 1
    assert preferred((0.0, 1.0, 1.0 + 1.01 * step)) == 2
    assert preferred((0.0, 1.0, 1.0 + 1.01 * step), se=(0.1, 0.1, 0.3)) == 1
    assert preferred((0.0, 1.0, 0.9)) == 1


def test_where_the_single_model_may_not_answer_the_next_one_stands_for_it():
    without = np.array([[True, False, True]])
    assert single_best(SINGLES, ROWS, without).tolist() == [2]
    assert preferred((1.01, 5.0, 1.0), eligible=without) == 2
    assert preferred((2.0, 5.0, 1.0), eligible=without) == 0


def test_a_model_that_was_never_tried_is_not_preferred_while_others_have_a_record():
    assert preferred((0.0, 1.0, 9.0), rows=np.array([50.0, 50.0, 0.0])) == 1
    assert preferred((0.0, 1.0, 9.0), rows=np.array([50.0, 0.0, 0.0])) == 0
    assert preferred((0.0, 1.0, 9.0), rows=np.zeros(3)) == 2


def test_a_version_of_before_goes_by_lower_bounds():
    assert preferred((0.0, 1.0, 1.2), se=(0.1, 0.1, 0.1), singles=None) == 2
    assert preferred((0.0, 1.0, 1.2), se=(0.1, 0.1, 0.9), singles=None) == 1
    fitted = fit(WORLD.log(400, seed=1), WORLD.arms(), objective=OBJECTIVE, seed=0)
    assert replace(fitted.policy("fitted"), anchor=None).singles(WORLD.arms(), OBJECTIVE) is None


def test_single_models_are_ranked_by_the_average_query_with_the_values_of_now():
    fitted = fit(WORLD.log(800, seed=1), WORLD.arms(), objective=OBJECTIVE, seed=0)
    policy = fitted.policy("fitted")
    ranked = policy.singles(WORLD.arms(), OBJECTIVE)
    assert ranked.argmax() == [arm.id for arm in WORLD.arms()].index(fitted.anchor)
    other = policy.singles(WORLD.arms(), replace(OBJECTIVE, answer_value_usd=1e-6))
    assert np.isfinite(other).sum() == 1
    assert other[np.isfinite(other)] < 0 < ranked[np.isfinite(ranked)]


def test_the_single_model_to_beat_is_kept_unless_another_is_better_beyond_the_noise():
    even = World(right=dict.fromkeys(WORLD.right, (0.7, 0.7)), cost_usd=(0.0005, 0.0005))
    kept = 0
    for seed in range(12):
        fitted = fit(even.log(200, seed=seed), even.arms(), objective=OBJECTIVE, seed=0)
        for place, known in enumerate(("m0", "m1")):
            kept += kept_anchor(fitted.predictor, fitted.average, even.arms(), OBJECTIVE, known) == place
    assert kept >= 17, "of 24; the best of each log would be 12"
    better = World(right=dict.fromkeys(WORLD.right, (0.3, 0.9)), cost_usd=(0.0005, 0.0005))
    fitted = fit(better.log(600, seed=3), better.arms(), objective=OBJECTIVE, seed=0)
    assert kept_anchor(fitted.predictor, fitted.average, better.arms(), OBJECTIVE, "m0") == 1
    queries = better.queries(50, seed=1)
    assert (choices(fitted.policy("fitted"), queries, better.arms()) == 1).all()


def test_among_many_models_one_with_few_rows_is_seldom_taken_for_the_best():
    many = World(right=dict.fromkeys(WORLD.right, (0.75, *[0.65] * 7)), cost_usd=(0.0005,) * 8)
    found = {"mean": 0, "bound": 0}
    for seed in range(8):
        log = many.log(300, seed=seed, pmf=(0.79, *[0.03] * 7))
        fitted = fit(log, many.arms(), objective=OBJECTIVE, seed=0)
        average = fitted.predictor.forecast(fitted.average[None], many.arms())
        found["mean"] += average.utility(OBJECTIVE, many.arms())[0].argmax() == 0
        found["bound"] += fitted.anchor == "m0"
    assert found["bound"] >= found["mean"] + 3
