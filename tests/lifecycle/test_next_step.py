"""How a contest goes on after a retrain: who challenges whom, and when the evidence begins anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.contested_rows import began
from zetaroute.config import Home, JudgeGrader, Settings, graders_hash
from zetaroute.domain import PROVING_UNITS, Arm, ContestEvent, Objective, Prices
from zetaroute.evaluate.e_process import Belief
from zetaroute.learn.progressive import UtilityBounds
from zetaroute.lifecycle.contests import promoted
from zetaroute.lifecycle.next_step import NEW, NextStep, OpenContest, Promote, Terms, next_step
from zetaroute.log.contest_events import RunningContest
from zetaroute.projections.contest_standing import ContestStanding
from zetaroute.registry import COLD, Registry

ARMS = (
    Arm(id="a", provider="practice", model="small", prices=Prices(input=1.0, output=2.0)),
    Arm(id="b", provider="practice", model="large"),
)
SETTINGS = Settings(arms=ARMS, objective=Objective(answer_value_usd=0.01, second_value_usd=0.001))
TERMS = Terms(
    champion=COLD,
    anchor="a",
    bounds=UtilityBounds(low=np.full(2, -0.001), high=np.full(2, 0.01), unknown_usd=0.0005),
    earlier=1.0,
    max_regret_usd=None,
    warning=None,
    drifted=False,
)
FOUND = ContestStanding(
    units=40,
    paired=10,
    e_value=0.5,
    left=0.5,
    accuracy=2.0,
    harm=0.3,
    belief=Belief(mean=0.0001, sd=0.0001),
    own_mean_usd=0.0001,
)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(Home(tmp_path).artifacts)


@pytest.fixture
def event(registry: Registry) -> ContestEvent:
    """A contest of a stored version against the model `a`."""
    prices = {"input": 1.0, "output": 2.0, "cached_input": None}
    priced = {"a": {"prices": prices, "input_tokens": 1.0, "output_tokens": 1.0}}
    manifest = {"priced": priced, "graders": graders_hash(SETTINGS.graders, ARMS)}
    return began(COLD, registry.publish(manifest, {}))


def open_contest(event: ContestEvent, **changes) -> OpenContest:
    units = changes.pop("units", 40)
    found = replace(FOUND, units=units, **changes)
    return OpenContest(running=RunningContest(event=event, last_share=0.7, units=units), found=found)


def after(
    registry: Registry,
    contest: OpenContest | None,
    *,
    promote: Promote = "auto",
    terms: Terms = TERMS,
    settings: Settings = SETTINGS,
    proven: ContestStanding | None = None,
) -> NextStep:
    return next_step(promote, contest, terms, settings, registry, proven=proven, author="test")


def steps(found: NextStep) -> list[str]:
    return [event.step for event in found.events]


def test_a_first_version_challenges_the_best_single_model(registry):
    found = after(registry, None)
    (event,) = found.events
    assert (event.step, event.champion, event.anchor, event.challenger) == ("began", COLD, "a", NEW)
    assert event.epoch == event.id
    assert [(one.model, one.low_usd, one.high_usd) for one in event.ranges] == [
        ("a", -0.001, 0.01),
        ("b", -0.001, 0.01),
    ]
    assert [one.challenger for one in found.named("v0001-x")] == ["v0001-x"]
    assert "challenges the best single model, a," in found.words[0]


def test_what_past_rows_prove_serves_at_once_and_is_tested_in_an_epoch_of_its_own(registry):
    first, second = after(registry, None, proven=replace(FOUND, e_value=25.0)).events
    assert (first.step, second.step) == ("began", "promoted")
    assert first.id < second.id == second.epoch
    assert (second.champion, second.challenger, second.evidence) == (COLD, NEW, 25.0)


def test_a_later_version_goes_on_with_the_evidence(registry, event):
    (now,) = after(registry, open_contest(event)).events
    assert (now.step, now.challenger, now.epoch, now.harm) == ("refitted", NEW, event.epoch, 1.0)
    assert now.evidence == FOUND.e_value


@pytest.mark.parametrize(
    ("terms", "settings", "why"),
    [
        ({"anchor": "b"}, {}, "the best single model is b now"),
        ({"drifted": True}, {}, "a model has changed"),
        ({}, {"objective": Objective(answer_value_usd=0.02, second_value_usd=0.001)}, "is worth has changed"),
        ({}, {"arms": (*ARMS, Arm(id="c", provider="practice", model="large"))}, "set of models has changed"),
        (
            {},
            {"arms": (replace(ARMS[0], prices=Prices(input=3.0, output=2.0)), ARMS[1])},
            "a price has changed",
        ),
        ({}, {"graders": (JudgeGrader(name="fair", judge="a"),)}, "a grader has changed"),
    ],
)
def test_another_question_begins_anew_with_at_most_what_was_left(registry, event, terms, settings, why):
    wider = replace(TERMS, **terms)
    count = len(settings.get("arms", ARMS))
    wider = replace(
        wider, bounds=UtilityBounds(low=np.full(count, -0.001), high=np.full(count, 0.01), unknown_usd=0.0)
    )
    found = after(registry, open_contest(event), terms=wider, settings=replace(SETTINGS, **settings))
    assert steps(found) == ["ended", "began"]
    assert why in found.events[0].reason
    assert why in (found.anew or "")
    assert found.events[0].id < found.events[1].id
    assert found.events[1].evidence == 0.5
    proven = open_contest(event, e_value=27.0, left=0.8)
    lucky = after(registry, proven, terms=wider, settings=replace(SETTINGS, **settings))
    assert lucky.events[1].evidence == 0.8


def test_a_promoted_version_is_tested_before_another_one_challenges_it(registry, event):
    serving = promoted(event, FOUND, reason="proven", author="test")
    held = after(registry, open_contest(serving, units=PROVING_UNITS - 1))
    assert held.events == ()
    assert "tested for harm first" in held.words[0]
    terms = replace(TERMS, champion=serving.challenger, anchor=None)
    found = after(registry, open_contest(serving, units=PROVING_UNITS), terms=terms)
    assert steps(found) == ["ended", "began"]
    assert (found.events[1].champion, found.events[1].anchor) == (serving.challenger, None)
    assert found.events[1].evidence == 1.0, "that of another pair of versions says nothing"


def test_a_pin_and_a_word_from_a_person_hold(registry, event):
    assert steps(after(registry, open_contest(event), promote="never")) == ["paused"]
    assert steps(after(registry, None, promote="never")) == []
    assert steps(after(registry, open_contest(event), promote="force")) == ["ended"]
    registry.pin("v0001-x")
    held = after(registry, open_contest(event))
    assert held.events == ()
    assert "v0001-x is pinned" in held.words[0]


def test_a_limit_on_what_may_be_lost_outlasts_a_new_version_within_the_month(registry, event):
    stopped = replace(event, step="paused", author="evidence", reason="used up")
    (old,) = after(registry, open_contest(replace(stopped, time="2020-01-01T00:00:00"))).events
    assert old.step == "refitted"
    from zetaroute.domain import utc_now

    (now,) = after(registry, open_contest(replace(stopped, time=utc_now()))).events
    assert (now.step, now.challenger, now.reason) == ("paused", NEW, "used up")
    (by_hand,) = after(registry, open_contest(replace(stopped, author="user", time=utc_now()))).events
    assert by_hand.step == "refitted"


def test_a_warning_about_the_limit_is_told(registry):
    found = after(registry, None, terms=replace(TERMS, max_regret_usd=0.1, warning="hardly anything"))
    assert found.words[-1] == "hardly anything"
    assert found.events[0].max_regret_usd == 0.1
