"""What is said about answers after they were given: ratings."""

from __future__ import annotations

import math
from dataclasses import dataclass

from zetaroute.domain import Feedback, new_id, utc_now
from zetaroute.errors import UsageError
from zetaroute.feedback.judgement import checked_value
from zetaroute.log.journal import Entry, Journal
from zetaroute.log.log import Log
from zetaroute.log.named_outcomes import LAST, outcome_named

THUMBS = {"up": 1.0, "down": 0.0}
VERDICTS = {"good_fit": 1.0, "overprovisioned": 1.0, "underpowered": 0.25, "failed": 0.0}
"""What each verdict says of satisfaction: too expensive an answer was a good one; a weak one is like 2 of 5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A rating as it was given, on its own scale."""

    metric: str
    value: float
    label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedAnswer:
    """A rating that was kept, and the answer that it is about."""

    feedback: Feedback
    model: str
    query: str | None
    """None where the log does not keep texts."""
    response: str | None


def rate(
    log: Log,
    value: str,
    *,
    outcome_id: str = LAST,
    metric: str | None = None,
    comment: str | None = None,
    author: str = "user",
) -> RatedAnswer:
    """Keep a rating: 1 to 5, `up` or `down`, a verdict; with `metric` any number under a name of the user's own.

    `outcome_id` is an id, the beginning of one, or `last`: the last answer of `ask`. Who corrects what they said when
    they were asked is still one of those who were. Raises UsageError for an unknown id or value.
    """
    given = parse_rating(value, metric)
    with log.open() as connection:
        meant = outcome_named(connection, outcome_id, what="answer")
        answer = connection.execute(
            "SELECT model, if(store IS NULL, query, NULL), if(store IS NULL, response, NULL), (SELECT "
            "coalesce(bool_or(prompted), false) FROM feedback WHERE outcome_id = $1 AND author = $2) "
            "FROM outcomes WHERE id = $1 AND status = 'ok'",
            [meant, author],
        ).fetchone()
        if answer is None:
            raise UsageError(
                f"{meant} failed, so there is no answer to rate: `zetaroute log list` shows others."
            )
        model, query, response, prompted = answer
        feedback = feedback_of(given, meant, author=author, comment=comment, prompted=prompted)
        log.write(connection, Entry(feedback=(feedback,)))
    return RatedAnswer(feedback=feedback, model=model, query=query, response=response)


def is_rating(word: str, metric: str | None = None) -> bool:
    """Return whether a typed word is a rating."""
    try:
        parse_rating(word, metric)
    except UsageError:
        return False
    return True


def feedback_of(
    given: Given, outcome_id: str, *, author: str = "user", comment: str | None = None, prompted: bool
) -> Feedback:
    """Return what a person says of an answer as a row of the log."""
    return Feedback(
        id=new_id(),
        outcome_id=outcome_id,
        metric=given.metric,
        value=given.value,
        source="user",
        author=author,
        time=utc_now(),
        comment=comment,
        label=given.label,
        prompted=prompted,
    )


def parse_rating(value: str, metric: str | None = None) -> Given:
    """Return what a typed rating means; raises UsageError where it means nothing."""
    if value in THUMBS and metric in {None, "thumbs"}:
        return Given(metric="thumbs", value=THUMBS[value])
    if value in VERDICTS and metric in {None, "verdict"}:
        return Given(metric="verdict", value=VERDICTS[value], label=value)
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if metric not in {None, "rating", "thumbs", "verdict"} and math.isfinite(number):
        try:
            return Given(metric=str(metric), value=checked_value(str(metric), number, value))
        except UsageError as error:
            raise UsageError(f"the rating {error}.") from None
    if metric in {None, "rating"} and number in {1.0, 2.0, 3.0, 4.0, 5.0}:
        return Given(metric="rating", value=number)
    raise UsageError(f"{value!r} is no rating: give 1 to 5, up, down or {', '.join(VERDICTS)}.")


KEYS = {**{key: key for key in "12345"}, "u": "up", "d": "down"}
"""What one key says; every other one says nothing."""


def rating_of(key: str) -> Given | None:
    """Return the rating that a key says; None for a key that says nothing."""
    return parse_rating(KEYS[key.lower()]) if key.lower() in KEYS else None


def keep_rating(journal: Journal, outcome_id: str, given: Given, *, prompted: bool) -> None:
    """Keep a rating of an answer that was just given; the log need not be free for that."""
    journal.append([Entry(feedback=(feedback_of(given, outcome_id, prompted=prompted),))])
