"""A challenger whose answers have ratings alone is given its share by them."""

from __future__ import annotations

import pytest

from tests.log.test_log import feedback, outcome
from tests.support.contested_rows import BEGAN_S, began
from zetaroute.domain import FIRST_SHARE, LARGEST_SHARE, LEAST_SHARE, Objective, Pairing, new_id
from zetaroute.log.contest_events import running_contest
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log

OBJECTIVE = Objective(answer_value_usd=0.01, satisfaction_value_usd=0.01, second_value_usd=0.001)


def share(home, *, champion: float, challenger: float, rated: int = 60, dear_usd: float = 0.0) -> float:
    """Return the share after so many rated answers of each side with these mean stars."""
    log, event = Log(home), began("v0001", "v0002")
    log.append([Entry(contests=(event,))])
    for number in range(2 * rated):
        side = "challenger" if number % 2 else "champion"
        pairing = Pairing(
            epoch=event.epoch,
            challenger="v0002",
            share=0.5,
            kept=0.9,
            side=side,
            champion_model="a",
            challenger_model="b",
            champion_p=0.5,
            challenger_p=0.5,
            champion_usd=0.0,
            challenger_usd=0.0,
            champion_accuracy=0.5,
            challenger_accuracy=0.5,
        )
        row = outcome(
            id=new_id(BEGAN_S + 1.0 + number),
            model="b" if number % 2 else "a",
            contest=pairing,
            objective=OBJECTIVE,
            cost_usd=dear_usd if number % 2 else 0.0,
            response_s=1.0,
        )
        stars = challenger if number % 2 else champion
        whole = int(stars) + (number // 2 % 10 < 10 * (stars % 1))
        said = feedback(row.id, float(whole), metric="rating", source="user")
        log.append([Entry(outcomes=(row,), feedback=(said,))])
    with log.open() as connection:
        running = running_contest(connection)
    assert running is not None
    return running.share


@pytest.mark.parametrize(
    ("stars", "expected"),
    [((2.5, 4.5), LARGEST_SHARE), ((4.5, 2.5), LEAST_SHARE)],
)
def test_the_share_follows_what_people_like(home, stars, expected):
    assert share(home, champion=stars[0], challenger=stars[1]) == expected


def test_what_is_liked_a_little_more_and_costs_much_more_loses_its_share(home):
    assert share(home, champion=3.5, challenger=4.0, dear_usd=0.01) == LEAST_SHARE


def test_few_ratings_change_the_first_share_little(home):
    assert share(home, champion=3.5, challenger=4.5, rated=1) == pytest.approx(FIRST_SHARE, abs=0.1)


def test_without_ratings_the_first_share_stands(home):
    assert share(home, champion=3.0, challenger=3.0, rated=0) == FIRST_SHARE
