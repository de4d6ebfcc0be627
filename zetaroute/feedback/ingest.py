"""Feedback that comes later, from programs, many at a time, and maybe more than once.

Ids are made of what is said, so that a repetition adds nothing: of the key that the sender gives, or else of the
judgement and of the one that it comes after. So "4, 2, 4" is three judgements and "4, 4, 4" is one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zetaroute.domain import Feedback, utc_now
from zetaroute.feedback.judgement import Judgement
from zetaroute.log.log import Log
from zetaroute.log.views import GIVEN

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ANSWERS = f"""
    SELECT id, CASE WHEN {GIVEN} THEN fallback_of END, CASE WHEN {GIVEN} THEN custom_id END FROM outcomes
    WHERE status = 'ok' AND (id IN (SELECT unnest($named)) OR fallback_of IN (SELECT unnest($named))
                             OR custom_id IN (SELECT unnest($own)))
    ORDER BY fallback_of IS NOT NULL, id
"""
_LATEST = """
    SELECT outcome_id, metric, author, id, value, comment FROM latest_feedback
    WHERE outcome_id IN (SELECT unnest($answers))
"""

Same = tuple[str, str, str]
"""Outcome, metric and author: of what is said there, the last counts."""
Said = tuple[str, float, str | None]
"""Id, value and comment of a judgement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedFeedback:
    """A remark with its answer found."""

    feedback: Feedback
    known: bool
    """Whether the log has it already."""


def resolve(log: Log, remarks: Sequence[Judgement]) -> list[ResolvedFeedback | None]:
    """Return the feedback that each remark stands for; None where its answer is not in the log.

    A few questions to the log serve all, for others wait for it meanwhile. Raises StoreBusyError when they keep it.
    """
    with log.open() as connection:
        answers = _answers(connection, remarks)
        found = [
            answers.get(remark.outcome_id or "") or answers.get(remark.custom_id or "") for remark in remarks
        ]
        latest = _latest(connection, [one for one in found if one])
        given = [
            None if outcome is None else _feedback(remark, outcome, latest)
            for remark, outcome in zip(remarks, found, strict=True)
        ]
        ids = [one.id for one in given if one is not None]
        query = "SELECT id FROM feedback WHERE id IN (SELECT unnest($ids))"
        known = {row[0] for row in connection.execute(query, {"ids": ids}).fetchall()}
    results: list[ResolvedFeedback | None] = []
    for one in given:
        results.append(None if one is None else ResolvedFeedback(feedback=one, known=one.id in known))
        known |= {one.id} if one is not None else set()
    return results


def _answers(connection: DuckDBPyConnection, remarks: Sequence[Judgement]) -> dict[str, str]:
    """Return by every name that it may have the id of an answer: a fallback's, where its round is named."""
    named = [remark.outcome_id for remark in remarks if remark.outcome_id]
    own = [remark.custom_id for remark in remarks if remark.custom_id]
    rows = connection.execute(_ANSWERS, {"named": named, "own": own}).fetchall()
    return {name: outcome for outcome, *others in rows for name in (outcome, *others) if name}


def _latest(connection: DuckDBPyConnection, answers: Sequence[str]) -> dict[Same, Said]:
    rows = connection.execute(_LATEST, {"answers": list(answers)}).fetchall()
    return {
        (outcome, metric, author): (one, value, comment)
        for outcome, metric, author, one, value, comment in rows
    }


def _feedback(remark: Judgement, outcome: str, latest: dict[Same, Said]) -> Feedback:
    """Return the feedback of a remark, and note it as the last of its kind."""
    same = (outcome, remark.metric, remark.author)
    before = latest.get(same)
    if remark.key is not None:
        own_id = _id("key", remark.key)
    elif before is not None and before[1:] == (remark.value, remark.comment):
        own_id = before[0]
    else:
        own_id = _id("said", *same, repr(remark.value), remark.comment or "", before[0] if before else "")
    latest[same] = (own_id, remark.value, remark.comment)
    return remark.feedback(own_id, outcome, now=utc_now())


def _id(*parts: str) -> str:
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"
