"""Asking people for ratings: who is asked is a matter of lot, and the lot is written down.

Apart from `ask` because it decides nothing about the answer. Only a known chance of being asked tells what those
think who would not have rated by themselves.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from zetaroute.domain import RatingLot
from zetaroute.flows.feedback import Given, feedback_of, parse_rating
from zetaroute.flows.round import Round
from zetaroute.store.journal import Entry, Journal

KEYS = {**{key: key for key in "12345"}, "u": "up", "d": "down"}
"""What one key says; every other one says nothing."""


def draw_lot(ask_share: float, *, seed: int) -> RatingLot:
    """Draw whether a rating is asked for; the decision's seed repeats the lot too, by numbers of its own."""
    return RatingLot(probability=ask_share, asked=Random(f"rating {seed}").random() < ask_share)


def with_lot(played: Round, lot: RatingLot) -> Round:
    """Return a round whose answer carries the lot."""
    answer = replace(played.outcome, ask_probability=lot.probability, asked=lot.asked)
    rows = tuple(answer if row.id == answer.id else row for row in played.entry.outcomes)
    return replace(played, entry=replace(played.entry, outcomes=rows))


def rating_of(key: str) -> Given | None:
    """Return the rating that a key says; None for a key that says nothing."""
    return parse_rating(KEYS[key.lower()]) if key.lower() in KEYS else None


def keep_rating(journal: Journal, outcome_id: str, given: Given, *, prompted: bool) -> None:
    """Keep a rating of an answer that was just given; the log need not be free for that."""
    journal.append([Entry(feedback=(feedback_of(given, outcome_id, prompted=prompted),))])
