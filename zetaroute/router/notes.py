"""What is to be said beside answers, to people and in logs alike: what befell one, and who serves from now on."""

from __future__ import annotations

from collections.abc import Iterator

from zetaroute.domain import LARGEST_SHARE, LEAST_SHARE, is_cut, is_same_model
from zetaroute.policy.guards import COOLING
from zetaroute.router.answer import Answer
from zetaroute.router.router import Router
from zetaroute.wire.draft import REFUSAL


def failed_before(answer: Answer) -> Iterator[str]:
    """Yield why models failed that were asked before the one that answered."""
    for failed in answer.entry.outcomes:
        if failed.status == "ok":
            return
        yield f"{failed.model} failed ({failed.error}); {answer.model} answered"


def notes_of(answer: Answer, *, asked_for: str) -> Iterator[str]:
    """Yield what the text does not show: models that rest, a cut, a refusal, another model than was `asked_for`."""
    for one in answer.candidates:
        if one.reason.startswith(COOLING):
            yield f"{one.model} rests, {one.reason}: `zetaroute models check` ends it where the model answers"
    reason, served = answer.outcome.finish_reason, answer.outcome.served_model
    if is_cut(reason):
        yield f"the answer was cut (finish reason: {reason}): it is not whole"
    if reason == REFUSAL:
        yield f"{answer.model} refused to answer (finish reason: {reason})"
    if served is not None and not is_same_model(asked_for, served):
        yield f"{answer.model} was asked for {asked_for}, and its server says that {served} answered"


def news(router: Router) -> Iterator[str]:
    """Yield what has changed since a user was answered last."""
    if router.moved:
        yield f"{router.serving} serves since the last answer: `zetaroute policies show` says why"


def turns(before: Router, now: Router) -> Iterator[str]:
    """Yield what has changed between two looks: who serves, who challenges it, and a share at one of its ends."""
    old, new = before.contest, now.contest
    if now.serving != before.serving:
        yield f"{now.serving} serves from now on, in place of {before.serving}: `zetaroute policies show` says why"
    elif new is None or new.promoted:
        return
    elif old is None or old.policy.version != new.policy.version:
        yield f"{new.policy.version} challenges {now.serving} from now on, on {new.share:.0%} of the queries"
    elif old.share < LARGEST_SHARE <= new.share:
        yield f"the share of {new.policy.version} rose to its most, {new.share:.0%} of the queries"
    elif old.share > LEAST_SHARE >= new.share:
        yield f"the share of {new.policy.version} fell to its least, {new.share:.0%} of the queries"
