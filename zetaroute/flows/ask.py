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
from zetaroute.flows.purse import Purse
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
    kept: str | None = None,
    limits: Limits | None = None,
    objective: Objective | None = None,
) -> Decision:
    """Decide a query; `model` pins one, and an unknown one raises ConfigError with those that exist.

    `kept` is the one that answered last in the conversation, and goes on where it may.
    """
    if model is not None:
        router.settings.arm(model)
    return router.decide(query, seed=seed, limits=limits, objective=objective, forced=model, kept=kept)


async def ask(
    router: Router,
    query: Query,
    decision: Decision,
    *,
    journal: Journal | None,
    on_text: OnText | None = None,
    on_switch: Callable[[Attempt, str], None] | None = None,
    timeout_s: float | None = None,
    limits: Limits | None = None,
    lot: RatingLot | None = None,
) -> Round:
    """Answer a decided query and journal what happened (with journal=None nothing is kept).

    `limits` bind what follows the decision too: the judges, and the cost of all models together. `lot` says whether
    a rating will be asked for and is written on the answer's row; None where nobody can be asked.
    Raises NoAnswerError, after its rows are safe, when no model answered.
    """
    limits = limits or Limits()
    providers = open_providers(router.settings.arms)
    purse = Purse(decision, spending=router.spending, most_usd=limits.max_cost_usd)
    purse.open()
    try:
        played = await play(
            query,
            decision,
            arms=router.arms,
            providers=providers,
            graders=Graders(router.settings, local_only=limits.local_only),
            on_text=on_text,
            on_switch=on_switch,
            purse=purse,
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
        refused = ", ".join(dict.fromkeys(purse.refused))
        limit = f"; asking {refused} would cost more than may be spent" if refused else ""
        raise NoAnswerError(f"no model could answer: {played.failures}{limit}.")
    return played
