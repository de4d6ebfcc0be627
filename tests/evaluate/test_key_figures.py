"""KPIs of known rows, and a before/after that is not fooled by another mix of queries."""

from __future__ import annotations

import numpy as np
import pytest

from zetaroute.config import Objective
from zetaroute.evaluate.key_figures import Served, figures, mix_weights, on_one_mix
from zetaroute.evaluate.nonresponse import Covariates, Invitation
from zetaroute.evaluate.satisfaction import SatisfactionEstimate, satisfaction_estimate

OBJECTIVE = Objective()


def opinion_of(satisfaction) -> SatisfactionEstimate:
    """Return few ratings as they are."""
    n = len(satisfaction)
    seen = Covariates(
        x=np.ones((n, 1)), arm=np.zeros(n, dtype=int), arms=1, fold=np.arange(n) % 5, after=np.zeros((n, 0))
    )
    nobody = Invitation(
        chance=np.full(n, np.nan), asked=np.zeros(n, dtype=bool), answered=np.zeros(n, dtype=bool)
    )
    return satisfaction_estimate(seen, satisfaction, nobody, could=np.ones(n, dtype=bool))


def served(accuracy, segment=None, **changes) -> Served:
    n = len(accuracy)
    blank = np.full(n, np.nan)
    values = {
        "accuracy": np.asarray(accuracy, dtype=float),
        "opinion": opinion_of(blank),
        "rated": np.zeros(n),
        "response_s": np.ones(n),
        "ttft_s": blank,
        "cost_usd": np.full(n, 0.001),
        "charged_usd": np.full(n, 0.001),
        "router_s": np.full(n, 0.0005),
        "router_cost_usd": np.full(n, np.nan),
        "escalated": np.zeros(n),
        "judge_cost_usd": np.zeros(n),
        "failed": np.zeros(n),
        "fell_back": np.zeros(n),
        "segment": np.array(segment if segment is not None else ["all"] * n),
    }
    return Served.of_rows(**(values | changes))


def test_figures_of_known_rows():
    satisfaction = np.array([1.0, 0.25, np.nan, np.nan])
    rows = served([1, 0, 1, np.nan], opinion=opinion_of(satisfaction), rated=np.array([1.0, 1.0, 0.0, 0.0]))
    found = figures(rows, OBJECTIVE)
    assert found["accuracy_rate"].value == pytest.approx(2 / 3)
    assert found["accuracy_rate"].n == 3
    assert found["satisfaction_score"].value == pytest.approx(0.625)
    assert found["satisfied_share"].value == 0.5
    assert found["rating_rate"].value == 0.5
    assert found["cost_per_correct_usd"].value == pytest.approx(0.003 / 2)
    assert found["utility_usd"].value == pytest.approx(
        (0.02 / 3) + 0.002 * (1.0 + 0.25 + 0.625) / 3 - 0.001 - 0.0005
    )


def test_utility_never_passes_what_a_liked_right_answer_is_worth():
    nothing = {"charged_usd": np.zeros(3), "cost_usd": np.zeros(3), "response_s": np.full(3, 0.001)}
    found = figures(served([1, 1, 0], **nothing), OBJECTIVE)["utility_usd"]
    assert found.high == OBJECTIVE.answer_value_usd + OBJECTIVE.satisfaction_value_usd


def test_failed_queries_have_no_response_time_but_an_error_rate():
    rows = served([0, 1], failed=np.array([1.0, 0.0]), response_s=np.array([60.0, 1.0]))
    found = figures(rows, OBJECTIVE)
    assert found["mean_response_s"].value == 1.0
    assert found["error_rate"].value == 0.5


def test_unknown_cost_is_left_out_and_never_nothing():
    rows = served([1, 1], cost_usd=np.array([np.nan, 0.004]))
    figure = figures(rows, OBJECTIVE)["cost_per_query_usd"]
    assert (figure.value, figure.n) == (0.004, 1)


def test_other_mix_of_queries_is_not_taken_for_a_change():
    """Easy and hard queries, no model changed; only the mix did."""
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(200):
        before_hard, after_hard = rng.random(400) < 0.2, rng.random(400) < 0.6
        before = served(rng.random(400) < np.where(before_hard, 0.4, 0.9), np.where(before_hard, "h", "e"))
        after = served(rng.random(400) < np.where(after_hard, 0.4, 0.9), np.where(after_hard, "h", "e"))
        figure = on_one_mix(before, after, OBJECTIVE).difference["accuracy_rate"]
        inside += figure.low <= 0 <= figure.high
    assert inside / 200 >= 0.92


def test_real_change_is_seen():
    rng = np.random.default_rng(1)
    before = served(rng.random(500) < 0.6, ["a"] * 500)
    after = served(rng.random(500) < 0.8, ["a"] * 500)
    figure = on_one_mix(before, after, OBJECTIVE).difference["accuracy_rate"]
    assert figure.low > 0
    assert figure.value == pytest.approx(0.2, abs=0.08)


def test_segments_that_only_one_side_has_are_left_out():
    before = served([1, 1, 0, 0], ["a", "a", "b", "b"])
    after = served([1, 0], ["a", "c"])
    assert on_one_mix(before, after, OBJECTIVE).difference["accuracy_rate"].value == 0.0


def test_both_sides_on_one_mix_add_up_and_stay_in_range():
    rng = np.random.default_rng(2)
    for _ in range(100):
        n = int(rng.integers(2, 30))
        sides = [
            served(
                rng.random(n) < rng.choice([0.02, 0.5, 0.98]),
                rng.choice(["a", "b", "c"], n),
                response_s=rng.exponential(size=n),
                cost_usd=np.where(rng.random(n) < 0.9, 0.0, 0.01),
            )
            for _ in range(2)
        ]
        found = on_one_mix(*sides, OBJECTIVE)
        for name, change in found.difference.items():
            old, new = found.before[name], found.after[name]
            if change.value is not None:
                assert change.value == new.value - old.value
            for figure in (old, new):
                if figure.low is not None and figure.high is not None and name != "utility_usd":
                    assert 0.0 <= figure.low <= figure.value
                    assert figure.value <= figure.high
                    assert figure.high <= 1.0 or not name.endswith(("rate", "share", "score"))


def test_weights_give_the_other_mix():
    weights = mix_weights(served([1] * 4, ["a", "a", "a", "b"]), served([1] * 2, ["a", "b"]))
    assert weights.tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 6, 0.5])


def test_nothing_served_gives_empty_figures():
    found = figures(served([]), OBJECTIVE)
    assert all(figure.value is None and figure.n == 0 for figure in found.values())
