"""A conversation changes its model where that is worth its real price, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.policy.test_decide import POLICY, by_model, decided
from zetaroute.config import Objective
from zetaroute.domain import (
    GOES_ON,
    TAKES_OVER,
    Arm,
    Message,
    Prices,
    PriceTier,
    Query,
    Standing,
    Tally,
    Warm,
)
from zetaroute.policy.switch import go_on

SMALL = Arm(
    id="small", provider="practice", model="small", prices=Prices(input=1, cached_input=0.1, output=2)
)
LARGE = Arm(
    id="large",
    provider="practice",
    model="large",
    prices=Prices(input=3, cached_input=0.3, cache_write=3.75, output=15),
)
HARD = Message(role="user", content="prove the theorem " * 4000)
"""Some 18,000 tokens."""
YES = Query(text="yes, commit it", history=(HARD, Message(role="assistant", content="done")))


def record(accuracy: float, graded: int = 400) -> Tally:
    return Tally(
        calls=graded,
        graded=graded,
        accuracy=accuracy,
        accuracy_sd=0.4,
        timed=graded,
        response_s=1.0,
        counted=graded,
        output_tokens=100.0,
    )


def talk(kept: str, warm: Warm | None, *, small: Tally, large: Tally, value: float, arms=(SMALL, LARGE)):
    standings = {
        "small": Standing(model="small", record=small),
        "large": Standing(model="large", record=large),
    }
    objective = Objective(answer_value_usd=value, second_value_usd=0.0)
    found = decided(query=YES, arms=arms, objective=objective, standings=standings, kept=kept, rate=0.0)
    return go_on(found, YES, warm, arms=arms, policy=POLICY, standings=standings)


def test_what_is_warm_is_weighed_against_the_whole_input_of_another_model() -> None:
    # Warm, large reads 18,000 tokens for half a cent, and small would for 1.8 cents.
    good = {"small": record(0.9), "large": record(0.9), "value": 0.1}
    stays = talk("large", Warm(tokens=18_000), **good)
    assert (stays.model, stays.kept, stays.propensity) == ("large", True, None)
    assert stays.switch is not None
    assert not stays.switch.taken
    assert by_model(stays)["large"].cost_usd.mean == pytest.approx((18_000 * 0.3 + 100 * 15) / 1e6, rel=0.1)
    assert by_model(stays)["small"].cost_usd.mean == pytest.approx((18_000 * 1 + 100 * 2) / 1e6, rel=0.1)
    # Cold, it costs three times as much as small.
    goes = talk("large", Warm(), **good)
    assert (goes.model, goes.kept, goes.forced, goes.propensity) == ("small", True, True, None)
    assert goes.switch.charge_usd == pytest.approx(-(18_000 * 2 + 100 * 13) / 1e6, rel=0.1)
    assert TAKES_OVER in by_model(goes)["small"].reason
    assert "this turn would cost $0.03" in by_model(goes)["small"].reason


def test_a_better_model_takes_over_where_its_answers_are_worth_the_price() -> None:
    known = {"small": record(0.5), "large": record(0.9)}
    dear = Warm(tokens=18_000)
    assert talk("small", dear, **known, value=0.05).model == "small"
    goes = talk("small", dear, **known, value=1.0)
    assert (goes.model, goes.switch.kept, goes.switch.warm_tokens) == ("large", "small", 18_000)
    # What the client has written into caches is written anew there.
    written = talk("small", replace(dear, writes=True), **known, value=1.0)
    assert written.switch.charge_usd - goes.switch.charge_usd == pytest.approx(18_000 * 0.75e-6, rel=0.1)


def test_a_tier_for_long_inputs_counts() -> None:
    above = (PriceTier(tokens=10_000, prices=Prices(input=30, output=15)),)
    longer = replace(LARGE, prices=replace(LARGE.prices, above=above))
    known = {"small": record(0.5), "large": record(0.9), "value": 1.0}
    assert talk("small", Warm(tokens=18_000), **known).model == "large"
    assert talk("small", Warm(tokens=18_000), **known, arms=(SMALL, longer)).model == "small"


def test_claims_of_the_config_and_a_kept_model_without_a_record_change_nothing() -> None:
    for known in (
        {"small": record(0.5), "large": record(1.0, graded=2)},
        {"small": record(0.0, graded=2), "large": record(0.9)},
    ):
        found = talk("small", Warm(), **known, value=100.0)
        assert found.model == "small"
        assert GOES_ON in by_model(found)["small"].reason


def test_a_loop_of_tools_goes_on_whatever_another_model_is_worth() -> None:
    known = {"small": record(0.1), "large": record(0.9), "value": 100.0}
    found = talk("small", None, **known)
    assert (found.model, found.switch) == ("small", None)
    assert by_model(found)["small"].reason.endswith(GOES_ON)
    assert GOES_ON not in by_model(found)["large"].reason


def test_a_talk_is_as_hard_as_all_that_was_asked_in_it() -> None:
    assert YES.talk().startswith("prove the theorem")
    assert YES.talk().endswith("yes, commit it")
    assert Query(text="a", history=(Message(role="user", content="b"),)).talk() == "b\n\na"
