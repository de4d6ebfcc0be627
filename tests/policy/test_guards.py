"""What no learning may override: budgets, what a model can take, and one probe at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zetaroute.config import GuardRule
from zetaroute.domain import (
    ALL_TASKS,
    Attachment,
    FileNote,
    Message,
    Prices,
    PriceTier,
    Query,
    Standing,
    Tally,
)
from zetaroute.errors import NoAnswerError, UnfitQueryError
from zetaroute.policy import Limits
from zetaroute.policy.exploration import PROBATION

from .test_decide import ARMS, CHEAP, GOOD, UNKNOWN, by_model, decided

HELLO = Query(text="hello there")
FREE = replace(CHEAP, id="free", prices=None)
SPENT = Limits(left_usd=0.0, budget="daily budget of $1")


def attached(kind, size=30):
    note = FileNote(name="a", media_type="x/y", sha256="0", size=size)
    return replace(HELLO, attachments=(Attachment(note=note, kind=kind, content=b"x" * size),))


def test_used_up_budget_leaves_what_costs_nothing():
    found = by_model(decided(arms=(FREE, *ARMS), limits=SPENT))
    assert [model for model, candidate in found.items() if candidate.eligible] == ["free"]
    assert {found[model].reason for model in ("cheap", "good", "unpriced")} == {
        "the daily budget of $1 is used up"
    }


@pytest.mark.parametrize("forced", [None, "good"])
def test_used_up_budget_refuses_when_every_model_costs(forced):
    with pytest.raises(NoAnswerError, match="the daily budget of .1 is used up") as caught:
        decided(limits=SPENT, forced=forced)
    assert not isinstance(caught.value, UnfitQueryError)


def test_what_is_left_must_hold_the_expected_cost():
    found = by_model(decided(limits=Limits(left_usd=0.001, budget="daily budget of $1")))
    assert found["cheap"].eligible
    assert not found["good"].eligible
    assert "$0.001 of the daily budget of $1 is left" in found["good"].reason


def test_pinning_sets_place_and_price_aside_but_not_the_budget():
    limits = Limits(local_only=True, max_cost_usd=0.0)
    assert decided(forced="good", limits=limits).model == "good"


@pytest.mark.parametrize(
    ("query", "options", "fits"),
    [
        (Query(text="x" * 240), {}, True),
        # 300 bytes may be 100 tokens, and 4 are for being a message.
        (Query(text="x" * 300), {}, False),
        (Query(text="ü" * 150), {}, False),
        (Query(text="x" * 150, system="x" * 150), {}, False),
        (Query(text="x", history=(Message(role="user", content="x" * 300),)), {}, False),
        (attached("text", 300), {}, False),
        (Query(text="x" * 30), {"max_tokens": 95}, False),
        (Query(text="x" * 30, options={"max_tokens": 5}), {"max_tokens": 95}, True),
    ],
)
def test_context_window_must_hold_the_query_and_the_answer(query, options, fits):
    narrow = replace(CHEAP, context_window=100, options=options)
    found = by_model(decided(arms=(narrow, GOOD), query=query))["cheap"]
    assert found.eligible is fits
    assert fits or "context window of 100 tokens" in found.reason


@pytest.mark.parametrize(
    ("kind", "eligible"), [("image", ["good"]), ("text", ["cheap", "good"]), ("file", ["cheap"])]
)
def test_files_go_to_models_that_take_them(kind, eligible):
    arms = (replace(CHEAP, accepts=("file",)), replace(GOOD, accepts=("image",)))
    found = by_model(decided(arms=arms, query=attached(kind)))
    assert [model for model, candidate in found.items() if candidate.eligible] == eligible
    assert all(found[model].reason.startswith(f"takes no {kind}") for model in found if model not in eligible)


@pytest.mark.parametrize("forced", [None, "good"])
def test_a_query_that_no_model_takes_is_told_apart(forced):
    with pytest.raises(UnfitQueryError, match="good.*takes no image"):
        decided(query=attached("image"), forced=forced)


def test_reading_the_files_counts_as_cost():
    limits = Limits(max_cost_usd=0.01)
    assert by_model(decided(limits=limits))["good"].eligible
    found = by_model(decided(limits=limits, query=attached("text", 40_000)))
    assert not found["good"].eligible
    assert "more than $0.01" in found["good"].reason
    assert found["cheap"].eligible


@pytest.mark.parametrize(("characters", "eligible"), [(30_000, True), (50_000, False)])
def test_a_long_input_counts_at_the_prices_of_its_length(characters, eligible):
    tier = PriceTier(tokens=10_000, prices=Prices(input=20.0, output=4.0))
    tiered = replace(CHEAP, prices=Prices(input=0.1, output=0.2, above=(tier,)))
    found = by_model(
        decided(arms=(tiered, FREE), query=Query(text="x" * characters), limits=Limits(max_cost_usd=0.1))
    )
    assert found["cheap"].eligible is eligible


@pytest.mark.parametrize(
    ("standing", "eligible", "reason"),
    [
        (Standing(model="good", consecutive_errors=3, last_error_s=980.0), False, "cooling down"),
        (Standing(model="good", consecutive_errors=3, last_error_s=900.0), True, "prior"),
        (Standing(model="good", consecutive_errors=3, last_error_s=900.0, probe_s=990.0), False, "one query"),
        (Standing(model="good", consecutive_errors=3, last_error_s=800.0, probe_s=820.0), True, "prior"),
    ],
)
def test_one_query_at_a_time_tries_a_failing_model(standing, eligible, reason):
    found = by_model(decided(arms=(CHEAP, GOOD, UNKNOWN), standings={"good": standing}))["good"]
    assert found.eligible is eligible
    assert reason in found.reason


FLOOR = (GuardRule(metric="accuracy", bound=0.6),)


def graded(accuracy: float, *, demoted: bool, rows: int = 100) -> dict[str, Standing]:
    tallies = {ALL_TASKS: Tally(calls=rows, graded=rows, accuracy=accuracy)}
    marks = frozenset({"greeting", ""}) if demoted else frozenset()
    return {"cheap": Standing(model="cheap", tallies=tallies, demoted=marks)}


@pytest.mark.parametrize(
    ("accuracy", "demoted_before", "eligible"),
    [
        (0.45, False, False),
        (0.56, False, True),  # below the floor, but not surely
        (0.56, True, False),  # the same figure does not bring it back
        (0.61, True, True),
    ],
)
def test_between_the_bound_and_the_figure_a_model_stays_what_it_is(accuracy, demoted_before, eligible):
    found = by_model(decided(guards=FLOOR, standings=graded(accuracy, demoted=demoted_before)))
    assert found["cheap"].eligible is eligible


def test_demoted_model_keeps_a_small_exact_share():
    found = decided(guards=FLOOR, standings=graded(0.3, demoted=True))
    chances = {candidate.model: candidate.probability for candidate in found.candidates}
    assert chances["cheap"] == pytest.approx(PROBATION)
    assert sum(chances.values()) == pytest.approx(1.0)
    assert any(
        decided(guards=FLOOR, standings=graded(0.3, demoted=True), seed=seed).model == "cheap"
        for seed in range(400)
    )


def test_model_that_the_user_excludes_has_no_probation():
    standings = {"good": replace(graded(0.3, demoted=True)["cheap"], model="good")}
    found = by_model(decided(guards=FLOOR, standings=standings, limits=Limits(local_only=True)))
    assert found["good"].probability == 0.0
    assert found["cheap"].probability == 1.0
