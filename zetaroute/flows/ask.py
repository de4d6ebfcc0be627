"""Ask one query: decide, answer, write down.

The row is safe in the journal before this returns; merging it into the DuckDB file is left for after the answer
is on screen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from zetaroute.config import Objective
from zetaroute.domain import Attempt, Decision, Query, RatingLot
from zetaroute.errors import NoAnswerError
from zetaroute.flows.asking import with_lot
from zetaroute.flows.grading import Graders
from zetaroute.flows.round import Round, play
from zetaroute.flows.router import Router
from zetaroute.policy import Limits
from zetaroute.providers.opening import open_providers
from zetaroute.providers.protocol import OnText
from zetaroute.store.journal import Journal


def choose(
    router: Router,
    query: Query,
    *,
    seed: int,
    model: str | None = None,
    limits: Limits | None = None,
    objective: Objective | None = None,
) -> Decision:
    """Decide a query; `model` pins one, and an unknown one raises ConfigError with those that exist."""
    if model is not None:
        router.settings.arm(model)
    return router.decide(query, seed=seed, limits=limits, objective=objective, forced=model)


async def ask(
    router: Router,
    query: Query,
    decision: Decision,
    *,
    journal: Journal | None,
    on_text: OnText | None = None,
    on_switch: Callable[[Attempt, str], None] | None = None,
    timeout_s: float | None = None,
    local_only: bool = False,
    lot: RatingLot | None = None,
) -> Round:
    """Answer a decided query and journal what happened (with journal=None nothing is kept).

    With `local_only` no judge is asked that is elsewhere. `lot` says whether a rating will be asked for and is
    written on the answer's row; None where nobody can be asked.
    Raises NoAnswerError, after its rows are safe, when no model answered.
    """
    providers = open_providers(router.settings.arms)
    try:
        played = await play(
            query,
            decision,
            arms=router.arms,
            providers=providers,
            graders=Graders(router.settings, local_only=local_only),
            on_text=on_text,
            on_switch=on_switch,
            may_spend=lambda model: _is_affordable(router, decision, model),
            deadline_s=timeout_s,
        )
    except asyncio.CancelledError as error:
        if journal is not None and error.args and isinstance(error.args[0], Round):
            journal.append([error.args[0].entry])
        raise
    finally:
        await providers.aclose()
    if lot is not None and played.outcome.status == "ok":
        played = with_lot(played, lot)
    if journal is not None:
        journal.append([played.entry])
    if played.outcome.status != "ok":
        raise NoAnswerError(f"no model could answer: {played.failures}.")
    return played


def _is_affordable(router: Router, decision: Decision, model: str) -> bool:
    left_usd, _ = router.spending.left_usd()
    return left_usd is None or decision.expected_usd(model) <= left_usd
