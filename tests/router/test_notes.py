"""What is said beside answers: one line for everything that the text does not show."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.log.test_log import outcome
from tests.router.test_answer import DECISION, FAILED, WON, answer_of
from tests.router.test_router import router_of
from zetaroute.domain import Promotion
from zetaroute.log.contest_events import promotions_since, proven_versions
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.policy import Contest, Policy, PriorPredictor
from zetaroute.registry import COLD, Registry
from zetaroute.router.notes import failed_before, news, notes_of, turns
from zetaroute.router.router import open_router


def test_a_plain_answer_needs_no_words():
    assert [*failed_before(answer_of(WON)), *notes_of(answer_of(WON), asked_for="b")] == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"finish_reason": "length"}, "was cut (finish reason: length)"),
        ({"finish_reason": "content_filter"}, "was cut (finish reason: content_filter)"),
        ({"finish_reason": "refusal"}, "b refused to answer"),
        ({"served_model": "c-1"}, "b was asked for b, and its server says that c-1 answered"),
    ],
)
def test_what_befell_an_answer_is_said(changes, words):
    (said,) = notes_of(answer_of(replace(WON, **changes)), asked_for="b")
    assert words in said


def test_a_model_that_rests_and_one_that_failed_are_named():
    (candidate,) = DECISION.candidates
    resting = replace(candidate, eligible=False, reason="cooling down for 30 s after 3 failures in a row")
    answer = replace(answer_of(FAILED, WON), decision=replace(DECISION, candidates=(resting,)))
    assert [*failed_before(answer)] == ["a failed (a: is down.); b answered"]
    (said,) = notes_of(answer, asked_for="b")
    assert said.startswith("a rests, cooling down for 30 s")


def contested(settings, share: float, *, version: str = "v0002", promoted: bool = False):
    policy = Policy(version=version, predictor=PriorPredictor())
    return router_of(settings, contest=Contest(epoch="e", policy=policy, share=share, promoted=promoted))


def test_who_serves_and_how_far_a_challenger_has_come_is_said_once(settings):
    alone, usual = router_of(settings), contested(settings, 0.6)
    most, least, none = (contested(settings, share) for share in (0.9, 0.25, 0.0))
    serving = contested(settings, 0.5, promoted=True)
    said = [
        (alone, usual, "v0002 challenges v0000 from now on, on 60% of the queries"),
        (usual, most, "the share of v0002 rose to its most, 90% of the queries"),
        (usual, least, "the share of v0002 fell to its least, 25% of the queries"),
        (usual, none, "the share of v0002 fell to its least, 0% of the queries"),
        (usual, contested(settings, 0.6, version="v0003"), "v0003 challenges v0000 from now on"),
        (usual, serving, "v0002 serves from now on, in place of v0000"),
        (serving, alone, "v0000 serves from now on, in place of v0002"),
    ]
    for before, now, words in said:
        (line,) = turns(before, now)
        assert line.startswith(words)
    for before, now in ((alone, alone), (most, most), (least, least), (serving, serving), (usual, alone)):
        assert not [*turns(before, now)]


def test_promotions_are_told_from_a_moment_on(home):
    log = Log(home)
    rows = [
        Promotion(
            id=str(number),
            time=f"2026-01-0{number}T00:00:00",
            version=f"v000{number}",
            previous=None,
            reason="PROMOTE: proven" if number > 1 else "by hand",
            author="retrain",
        )
        for number in (1, 2, 3)
    ]
    log.append([Entry(promotions=tuple(rows))])
    with log.open() as connection:
        found = promotions_since(connection, "2026-01-02T00:00:00+00:00")
        proven = proven_versions(connection)
    assert [(one.version, one.previous) for one in found] == [("v0002", None), ("v0003", None)]
    assert proven == {"v0002": "proven", "v0003": "proven"}


def test_a_version_that_was_made_current_elsewhere_is_told_with_the_next_answer(home, settings):
    registry, log = Registry(home.artifacts), Log(home)

    def told() -> list[str]:
        return [*news(open_router(home, settings))]

    registry.make_current(COLD)
    assert told() == [], "nobody was answered yet"
    moved_s = datetime.fromtimestamp(registry.moved_s(), UTC).replace(tzinfo=None)
    earlier = [moved_s + timedelta(seconds=away) for away in (-60, 60)]
    for time, words in zip(
        earlier, (["v0000 serves since the last answer: `zetaroute policies show` says why"], []), strict=True
    ):
        row = outcome(time=time.isoformat(), role="served", model=settings.arms[0].id)
        log.append([Entry(outcomes=(row,))])
        assert told() == words, "from the journal"
        log.merge()
        assert told() == words
