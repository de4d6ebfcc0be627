"""What `ask --explain`, `ask --dry-run` and `log show` say of a decision beside its table.

Apart from the commands because two of them say it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zetaroute.cli.context import Session
    from zetaroute.config import Objective
    from zetaroute.domain import Decision, Query
    from zetaroute.flows.router import Router


def explained(
    run: Session, router: Router, query: Query, decision: Decision, objective: Objective | None
) -> dict[str, Any]:
    """Return the explanation of a decision that was made just now."""
    from zetaroute.flows.explain import explain
    from zetaroute.registry import Registry

    policy, other = router.policy, router.challenger
    if other is not None and other.policy.version == decision.policy_version:
        policy = other.policy
    return explain(
        decision,
        query,
        arms=router.settings.arms,
        policy=policy.remembering(router.standings),
        objective=objective or router.settings.objective,
        registry=Registry(run.home.artifacts),
    ).json()


def explained_past(run: Session, row: dict[str, Any]) -> dict[str, Any] | None:
    """Return the explanation of a logged decision; None where nothing was decided."""
    from zetaroute.flows.explain import explain_past
    from zetaroute.registry import Registry

    found = explain_past(row, registry=Registry(run.home.artifacts))
    return found.json() if found else None
