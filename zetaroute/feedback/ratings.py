"""What is said about answers after they were given: ratings."""

from __future__ import annotations

import math
from dataclasses import dataclass

from zetaroute.domain import Feedback, new_id, utc_now
from zetaroute.errors import UsageError
from zetaroute.log.journal import Entry, Journal
from zetaroute.log.log import Log

THUMBS = {"up": 1.0, "down": 0.0}
VERDICTS = {"good_fit": 1.0, "overprovisioned": 1.0, "underpowered": 0.25, "failed": 0.0}
"""What each verdict says of satisfaction: too expensive an answer was a good one; a weak one is like 2 of 5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A rating as it was given, on its own scale."""

    metric: str
    value: float
    label: str | None = None


def rate(
    log: Log,
    value: str,
    *,
    outcome_id: str | None = None,
    metric: str | None = None,
    comment: str | None = None,
    author: str = "user",
) -> Feedback:
    """Keep a rating: 1 to 5, `up` or `down`, a verdict; with `metric` any number under a name of the user's own.

    Without an id the last answer is meant. Who corrects what they said when they were asked is still one of those
    who were. Raises UsageError for an unknown id or value.
    """
    given = parse_rating(value, metric)
    with log.open() as connection:
        row = connection.execute(
            # The last answer is one that was given here, not one that was imported.
            "SELECT id FROM outcomes WHERE id = coalesce($1, id) AND status = 'ok' "
            "AND ($1 IS NOT NULL OR NOT (recorded IS TRUE AND policy_version IS NULL)) "
            "ORDER BY id DESC LIMIT 1",
            [outcome_id],
        ).fetchone()
        answered = (
            row
            and connection.execute(
                "SELECT bool_or(prompted) FROM feedback WHERE outcome_id = ? AND author = ?", [row[0], author]
            ).fetchone()
        )
    if row is None:
        what = f"no answer has the id {outcome_id!r}" if outcome_id else "there is no answer to rate yet"
        raise UsageError(f"{what}: `zetaroute log list` shows the answers.")
    feedback = feedback_of(
        given, row[0], author=author, comment=comment, prompted=bool(answered and answered[0])
    )
    log.append([Entry(feedback=(feedback,))])
    log.merge()
    return feedback


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
        if metric == "accuracy" and not 0 <= number <= 1:
            raise UsageError(f"an accuracy is between 0 and 1, not {value}.")
        return Given(metric=str(metric), value=number)
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
