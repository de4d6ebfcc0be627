"""A cold start goes by the arms' record: it finds the best single model, and rules out only what is surely worse."""

from __future__ import annotations

import numpy as np
import pytest

from tests.policy.test_decide import ARMS, CHEAP, GOOD, UNKNOWN, by_model, decided
from zetaroute.config import Objective
from zetaroute.domain import Prices, Query, Standing, Tally
from zetaroute.policy import PriorPredictor
from zetaroute.policy.prior import newcomers

QUALITY = Objective(answer_value_usd=0.1, satisfaction_value_usd=0.0, second_value_usd=0.0)


def standing(model: str, graded: int, accuracy: float, **known) -> dict[str, Standing]:
    sd = float(np.sqrt(accuracy * (1 - accuracy)))
    tally = Tally(calls=graded, graded=graded, accuracy=accuracy, accuracy_sd=sd, **known)
    return {model: Standing(model=model, record=tally)}


def forecast(standings, text: str = "hello there"):
    predictor = PriorPredictor(standings)
    return predictor.forecast(predictor.vectors([text]), ARMS)


def test_without_a_record_the_config_speaks():
    said, prior = forecast({}), PriorPredictor().forecast(np.array([[11.0]]), ARMS)
    assert said.accuracy == pytest.approx(prior.accuracy)
    assert said.response_s == pytest.approx(prior.response_s)
    assert said.cost_usd == pytest.approx(prior.cost_usd, nan_ok=True)
    assert said.rows.tolist() == [0, 0, 0]


def test_record_takes_the_place_of_a_claim_as_it_grows():
    few, many = (forecast(standing("cheap", n, 0.9)) for n in (4, 400))
    assert 0.6 < few.accuracy[0, 0] < 0.85
    assert many.accuracy[0, 0] == pytest.approx(0.9, abs=0.01)
    assert many.accuracy_se[0, 0] < few.accuracy_se[0, 0] < 0.2
    assert many.rows.tolist() == [400, 0, 0]
    assert many.accuracy[0, 1] == pytest.approx(0.9), "what was said of nobody else stays"


def test_three_equal_answers_prove_nothing():
    said = forecast({"cheap": Standing(model="cheap", record=Tally(graded=3, accuracy=1.0))})
    assert said.accuracy[0, 0] < 0.85
    assert said.accuracy_se[0, 0] > 0.1


def test_unknown_price_is_what_calls_were_charged():
    said = forecast(standing("unpriced", 50, 0.6, charged=50, cost_usd=0.02, cost_usd_sd=0.001))
    assert said.cost_usd[0, 2] == pytest.approx(0.02, rel=0.02)
    assert said.cost_se[0, 2] < 0.002


def test_known_price_stays_with_the_tokens_that_were_counted_and_the_length_of_the_query():
    record = standing("good", 50, 0.9, counted=50, output_tokens=1000.0, output_tokens_sd=10.0)
    short, long = forecast(record), forecast(record, "x" * 40_000)
    assert short.cost_usd[0, 1] == pytest.approx(20 * 1000 / 1e6, rel=0.1)
    assert long.cost_usd[0, 1] - short.cost_usd[0, 1] == pytest.approx(5 * 10_000 / 1e6, rel=0.01)


def test_what_costs_nothing_stays_free():
    free = Prices(input=0, output=0)
    arms = (
        CHEAP.__class__(id="cheap", provider="practice", model="m", prices=free, prior_response_s=0.1),
        GOOD,
    )
    predictor = PriorPredictor(standing("cheap", 9, 0.5, counted=9, output_tokens=50.0, charged=9))
    said = predictor.forecast(predictor.vectors(["hello"]), arms)
    assert said.cost_usd[0, 0] == 0.0
    assert np.isfinite(said.cost_se).all()


def test_cold_start_serves_the_model_with_the_best_record():
    record = standing("cheap", 300, 0.9) | standing("good", 300, 0.5) | standing("unpriced", 300, 0.4)
    found = by_model(decided(objective=QUALITY, rate=0.05, standings=record))
    assert found["cheap"].probability > 0.9
    assert found["cheap"].reason == "record of 300 graded answers"
    assert "price unknown" in found["unpriced"].reason
    assert min(one.probability for one in found.values()) > 0.0


def test_exploring_is_spent_where_it_costs_little():
    """With the price of a try in the way, an arm keeps a floor and no more."""
    record = standing("cheap", 300, 0.8) | standing("good", 300, 0.8)
    dear = record | standing("unpriced", 20, 0.8, charged=20, cost_usd=1.0, cost_usd_sd=0.1)
    equal = record | standing("unpriced", 20, 0.8, charged=20, cost_usd=0.0001, cost_usd_sd=0.0001)
    seldom, often = (
        by_model(decided(objective=QUALITY, rate=0.5, standings=one))["unpriced"].probability
        for one in (dear, equal)
    )
    assert 0.0 < seldom < 0.02
    assert often > 0.1


def test_newcomer_is_one_until_its_record_rules_it_out():
    def who(record) -> list[bool]:
        found = newcomers(
            ARMS,
            np.zeros(3),
            record,
            query=Query(text="hello"),
            objective=QUALITY,
            eligible=np.ones(3, dtype=np.bool_),
        )
        return found.tolist()

    known = standing("cheap", 300, 0.9) | standing("good", 300, 0.9)
    assert who(known) == [False, False, True]
    assert who(known | standing("unpriced", 30, 0.85)) == [False, False, True]
    assert who(known | standing("unpriced", 60, 0.1)) == [False, False, False]
    assert who(known | standing("unpriced", 2, 0.0)) == [False, False, True], "too few answers to rule it out"
    assert who(standing("cheap", 60, 0.9) | standing("good", 60, 0.1)) == [True, True, True], (
        "nobody is known"
    )
    assert UNKNOWN.id == "unpriced"
