"""Audited queries: a router whose coin falls on heads wherever it may, and rows of an audit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tests.log.test_log import feedback, outcome
from zetaroute.config import Home
from zetaroute.domain import Audit, AuditTerms, Decision, Query, new_id, utc_now
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.router.router import Router


@dataclass(slots=True, kw_only=True)
class Heads(Router):
    """Audits ask for every configured model, also for those that the query may not be sent to."""

    def decide(self, query: Query, *, audit: AuditTerms | None = None, **more: Any) -> Decision:
        decision = Router.decide(self, query, audit=audit, **more)
        terms = audit or AuditTerms(probability=0.0)
        coin = Audit(
            probability=terms.probability,
            heads=terms.probability > 0,
            asks=tuple(arm.id for arm in self.settings.arms) if terms.probability else (),
            blocked=terms.blocked,
        )
        return replace(decision, audit=coin)


def heads(router: Router) -> Heads:
    """Return the same router with such a coin."""
    return Heads(**{name: getattr(router, name) for name in Router.__slots__})


def audited_entries(home: Home, *, number: int = 0, fails: bool = False) -> tuple[Entry, Entry]:
    """Journal an audited query, whose first call may have failed; return the entries of its answer and its audit.

    Of the answer, `a` has .001 USD and 1 s; of the audit, `b` has .01 USD, 3 s and a judge of .002 USD.
    """
    first = outcome(
        query=f"private thought {number}",
        custom_id=f"c{number}",
        conversation=f"talk {number}",
        policy_version="v0000",
        propensity=0.5,
        reference="yes",
        response=None if fails else "yes",
        status="error" if fails else "ok",
        error_kind="server" if fails else None,
        model="a",
        cost_usd=0.001,
        response_s=1.0,
        audit_probability=0.25,
        audited=True,
        time=utc_now(),
    )
    later = replace(
        first, propensity=None, fallback_of=first.id, attempt=2, audited=False, model="c", status="ok"
    )
    later = replace(
        later, id=new_id(), role="attempt", error_kind=None, audit_probability=None, response="yes"
    )
    served = (first, later) if fails else (first,)
    audit = replace(
        first, id=new_id(), role="audit", fallback_of=first.id, propensity=None, model="b", status="ok"
    )
    audit = replace(audit, response="no", cost_usd=0.01, response_s=3.0, error_kind=None)
    entries = (
        Entry(outcomes=served, feedback=(feedback(served[-1].id, 1.0, time=utc_now()),)),
        Entry(
            outcomes=(audit,),
            feedback=(
                feedback(audit.id, 0.0, source="judge", cost_usd=0.002, response_s=0.5, time=utc_now()),
            ),
        ),
    )
    Log(home).append(entries)
    return entries
