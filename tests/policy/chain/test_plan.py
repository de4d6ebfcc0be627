"""A chain's steps: whom to ask, when to stop, what to return, and where it may not begin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.chains import ARMS, COST_USD, WORTH, forecast_of, made_rows
from zetaroute.domain import Objective
from zetaroute.learn.chains import fit_chain
from zetaroute.policy.chain.files import chain_arrays, chain_from, chain_manifest
from zetaroute.policy.chain.plan import FEWEST_SEEN, ChainPlan, ChainState

QUERY = "How many of 30?"
ALL = np.ones(3, dtype=bool)


@pytest.fixture(scope="module")
def plan() -> ChainPlan:
    found = fit_chain(made_rows(300), ARMS)
    assert found is not None
    return replace(found.plan, objective=WORTH, gain_usd=0.002, gain_se=0.001)


def begun(plan: ChainPlan, **changes) -> ChainState:
    wanted = {"objective": WORTH, "eligible": ALL, "cell": 0} | changes
    state = plan.begin(QUERY, forecast_of(1), ARMS, **wanted)
    assert state is not None
    return state


@pytest.mark.parametrize("second_usd", [0.0, 0.0004])
def test_first_steps_of_many_are_those_of_each(plan, second_usd: float) -> None:
    objective = replace(WORTH, second_value_usd=second_usd)
    shares, seconds = np.linspace(0.1, 0.9, 15).reshape(5, 3), np.arange(1.0, 16.0).reshape(5, 3) % 4
    forecast = replace(forecast_of(5), accuracy=shares, response_s=seconds)
    found = plan.first_steps(forecast, ARMS, objective)
    each = [plan.begin(QUERY, one, ARMS, objective, ALL, cell=0, guarded=False) for one in forecast.each()]
    assert [(one.value, one.first, one.second) for one in each if one is not None] == found
    assert any(second >= 0 for _, _, second in found) == (second_usd > 0.0)


def test_two_that_agree_are_enough(plan) -> None:
    state = begun(plan)
    first = state.next()
    assert first in {"small", "medium"}
    state = state.with_answer(first, "The answer is 4321.")
    second = state.next()
    assert second in {"small", "medium"} - {first}
    state = state.with_answer(second, "It is 4321.")
    assert state.next() is None
    assert [one.agrees for one in state.thoughts] == [1.0, 1.0]
    assert min(one.probability_right for one in state.thoughts) > 0.9


def test_where_they_differ_a_third_is_asked_and_the_likeliest_answer_is_returned(plan) -> None:
    state = begun(plan).with_answer("small", "It is 4321.").with_answer("medium", "It is 8765.")
    assert state.next() == "large"
    alone = state.with_answer("large", "It is 1111.")
    assert alone.best() == "large"
    assert alone.next() is None
    confirmed = state.with_answer("large", "It is 4321.")
    right = {one.model: one.probability_right for one in confirmed.thoughts}
    assert right[confirmed.best()] == max(right.values())
    assert min(right["small"], right["large"]) > 0.9
    assert right["medium"] < 0.5
    assert [one.agrees for one in confirmed.thoughts] == [0.5, 0.0, 0.5]


def test_an_answer_that_failed_a_check_is_returned_only_where_there_is_no_other(plan) -> None:
    failed = begun(plan).with_answer("large", "It is 4321.", vetoed=True)
    assert failed.next() is not None
    assert failed.best() == "large"
    state = failed.with_answer("small", "It is 8765.")
    assert state.best() == "small"


def test_a_model_that_failed_is_asked_no_more(plan) -> None:
    state = begun(plan)
    while (model := state.next()) is not None:
        state = state.without(model)
    assert not state.asked


def test_the_whole_chain_stays_below_its_limit(plan) -> None:
    state = begun(plan, limit_usd=COST_USD[0] + COST_USD[1])
    state = state.with_answer("small", "It is 4321.").with_answer("medium", "It is 8765.")
    assert state.next() is None
    state = begun(plan, limit_usd=COST_USD[0] * 1.5).with_answer("small", "It is 1.")
    assert state.next() is None


def test_what_is_cheap_is_asked_more_and_what_is_not_less(plan) -> None:
    state = begun(plan).with_answer("small", "It is 4321.").with_answer("medium", "It is 8765.")
    mean = replace(WORTH, answer_value_usd=0.001)
    poor = begun(replace(plan, objective=mean), objective=mean)
    poor = poor.with_answer("small", "It is 4321.").with_answer("medium", "It is 8765.")
    assert (state.next(), poor.next()) == ("large", None)


@pytest.mark.parametrize(
    "changes",
    [
        {"objective": Objective()},
        {"objective": replace(WORTH, answer_value_usd=0.0)},
        {"eligible": np.array([True, False, False])},
        {"cell": None},
        {"cell": 1},
        {"cell": 2},
    ],
)
def test_where_a_chain_may_not_begin(plan, changes) -> None:
    cells = replace(plan, cells=np.array([300.0, FEWEST_SEEN - 1]))
    wanted = {"objective": WORTH, "eligible": ALL, "cell": 0} | changes
    assert cells.begin(QUERY, forecast_of(1), ARMS, **wanted) is None
    assert cells.begin(QUERY, forecast_of(1), ARMS, WORTH, ALL, cell=0) is not None


def test_a_gain_within_one_standard_error_does_not_serve(plan) -> None:
    doubtful = replace(plan, gain_se=plan.gain_usd)
    assert doubtful.begin(QUERY, forecast_of(1), ARMS, WORTH, ALL, cell=0) is None
    assert doubtful.begin(QUERY, forecast_of(1), ARMS, WORTH, ALL, cell=0, guarded=False) is not None


def test_a_kind_of_answer_that_was_hardly_graded_ends_the_chain(plan) -> None:
    state = begun(plan).with_answer("small", "A poem about the sea and the wind in the evening, with rhymes.")
    assert state.next() is None
    assert "too few answers of this kind (text)" in state.why


def test_reasons_are_words(plan) -> None:
    state = begun(plan)
    assert state.why == f"asks {state.next()} first"
    state = state.with_answer("small", "It is 4321.").with_answer("medium", "It is 8765.")
    assert state.why.startswith("by then ")
    assert state.why.endswith("large is worth asking")
    assert state.with_answer("large", "It is 1111.").why.endswith("3 models were asked")


def test_an_artifact_keeps_a_chain(plan) -> None:
    manifest, arrays = chain_manifest(plan), chain_arrays(plan)
    assert manifest is not None
    loaded = chain_from(manifest, arrays)
    assert loaded is not None
    states = [begun(one).with_answer("small", "It is 4321.") for one in (plan, loaded)]
    assert states[0].thoughts == states[1].thoughts
    assert states[0].expected_usd == states[1].expected_usd
    assert chain_from(None, {}) is None
    assert chain_from(manifest | {"signs": ["other"]}, arrays) is None
    with pytest.raises(ValueError, match="scale has the shape"):
        chain_from(manifest, arrays | {"chain.scale": np.ones((2, 2))})


def test_of_two_at_once_the_later_one_is_waited_for_where_that_is_worth_the_wait_alone(plan) -> None:
    hasty = replace(WORTH, second_value_usd=0.0004)
    state = begun(replace(plan, objective=hasty), objective=hasty)
    assert (state.next(), state.beside()) == ("small", "medium")
    # One answer alone tells little here, and half a second more of waiting tells whether the other agrees.
    assert state.with_answer("small", "It is 4321.", running="medium").next() == "medium"


def test_a_gain_that_was_shown_holds_where_money_counts_more_and_not_where_it_counts_less(plan) -> None:
    shown = replace(plan, gain_usd=1.0)
    wanted = {"eligible": ALL, "cell": 0}
    for price, begins in ((1.0, True), (3.0, True), (0.5, False)):
        chain = shown.begin(QUERY, forecast_of(1), ARMS, objective=WORTH.at_price(price), **wanted)
        assert (chain is not None) == begins
