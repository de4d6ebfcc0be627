"""Rules on tags: nothing that is learned, drawn, tried, pinned or fallen back to may override them."""

from __future__ import annotations

import asyncio

import pytest

from zetaroute.config import DEFAULT_RULES, GuardRule, TagRule
from zetaroute.domain import ALL_TASKS, Query, Standing, Tally
from zetaroute.errors import ForbiddenQueryError, NoAnswerError, ProviderError, UnfitQueryError
from zetaroute.policy import Contest, Limits, Policy, PriorPredictor, allowed
from zetaroute.policy.guards import may_matter
from zetaroute.providers.retry import answer

from .test_decide import ARMS, CHEAP, GOOD, UNKNOWN, by_model, decided

PRIVATE = Query(text="hello there", tags=("private",))


@pytest.mark.parametrize(
    ("arm", "query", "rules", "may"),
    [
        ((), (), DEFAULT_RULES, True),
        ((), ("private",), DEFAULT_RULES, False),
        (("local",), ("private",), DEFAULT_RULES, True),
        ((), ("other",), DEFAULT_RULES, True),
        ((), ("private",), (), True),
        (("eu",), ("a", "b"), (TagRule(tag="a", require="eu"), TagRule(tag="b", require="local")), False),
        (
            ("eu", "local"),
            ("a", "b"),
            (TagRule(tag="a", require="eu"), TagRule(tag="b", require="local")),
            True,
        ),
    ],
)
def test_what_tags_allow(arm, query, rules, may):
    assert allowed(arm, query, rules) is may


@pytest.mark.parametrize(
    ("rules", "places", "matter"),
    [
        (DEFAULT_RULES, [("local",), ("local", "eu")], False),
        (DEFAULT_RULES, [("local",), ("eu",)], True),
        ((), [()], False),
        ((TagRule(tag="a", require="local"), TagRule(tag="b", require="eu")), [("local",)], True),
    ],
)
def test_tags_matter_where_some_place_breaks_some_rule(rules, places, matter):
    assert may_matter(rules, places) is matter


def test_other_models_get_no_probability_whatever_is_explored():
    for seed in range(200):
        found = decided(query=PRIVATE, rate=1.0, seed=seed)
        assert found.model == CHEAP.id
        assert found.propensity == pytest.approx(1.0)
        assert found.fallbacks() == ()
    out = by_model(found)[GOOD.id]
    assert (out.eligible, out.probability) == (False, 0.0)
    assert out.reason == "has no tag local, which private queries need"


def test_a_contest_gives_them_none_either():
    tried = Contest(epoch="c", policy=Policy(version="v0002-x", predictor=PriorPredictor()), share=0.5)
    for seed in range(50):
        found = decided(query=PRIVATE, rate=0.5, seed=seed, contest=tried)
        assert found.model == CHEAP.id
        assert {c.model for c in found.candidates if c.probability > 0} == {CHEAP.id}


def test_a_failing_and_demoted_model_is_still_the_only_one():
    worst = Standing(
        model=CHEAP.id,
        consecutive_errors=9,
        last_error_s=999.0,
        tallies={ALL_TASKS: Tally(calls=100, graded=100, accuracy=0.0)},
    )
    guards = (GuardRule(metric="accuracy", bound=0.5),)
    for seed in range(50):
        found = decided(query=PRIVATE, standings={CHEAP.id: worst}, guards=guards, seed=seed)
        assert (found.model, found.fallbacks()) == (CHEAP.id, ())


@pytest.mark.parametrize("forced", [None, GOOD.id])
def test_without_an_allowed_model_nothing_is_decided(forced):
    arms = (GOOD, UNKNOWN) if forced is None else ARMS
    with pytest.raises(ForbiddenQueryError, match="^nothing was sent: good has no tag local") as caught:
        decided(query=PRIVATE, arms=arms, forced=forced)
    assert caught.value.exit_code == 2
    assert isinstance(caught.value, UnfitQueryError)  # a batch goes on with the next row


def test_an_allowed_model_that_may_not_be_called_is_no_reason_to_ask_another():
    with pytest.raises(NoAnswerError) as caught:
        decided(query=PRIVATE, limits=Limits(closed={CHEAP.id: "no key"}))
    assert not isinstance(caught.value, ForbiddenQueryError)


def test_a_pinned_model_that_is_allowed_answers():
    assert decided(query=PRIVATE, forced=CHEAP.id).model == CHEAP.id


def test_a_rule_of_the_config_counts_too():
    rule = TagRule(tag="private", require="nowhere")
    with pytest.raises(ForbiddenQueryError):
        decided(query=PRIVATE, rules=(rule,))


class _Failing:
    """Providers of which every one fails, and who was asked."""

    def __init__(self):
        self.asked = []

    async def complete(self, arm, query, on_text):
        self.asked.append(arm.id)
        raise ProviderError("down", kind="rejected")


def test_no_fallback_reaches_a_forbidden_model():
    providers = _Failing()
    arms = {arm.id: arm for arm in ARMS}
    for tags, reached in (((), set(arms)), (("private",), {CHEAP.id})):
        providers.asked.clear()
        query = Query(text="hello there", tags=tags)
        found = asyncio.run(
            answer(decision=decided(query=query), arms=arms, providers=providers, query=query)
        )
        assert set(providers.asked) == reached
        assert found[-1].status == "error"
