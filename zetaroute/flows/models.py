"""Look at the models: what is configured of each, how it stands, and whether it answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from zetaroute.domain import Arm, Query, Standing
from zetaroute.errors import ConfigError, ProviderError
from zetaroute.flows.router import Router
from zetaroute.policy import cooling_until, doubt
from zetaroute.providers.opening import Providers, open_providers

PROMPT = "Reply with the single word: ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What came of calling a model once."""

    model: str
    error: str | None
    response_s: float

    def json(self) -> dict[str, Any]:
        """Return the shape that `models check --json` prints."""
        return {
            "model": self.model,
            "ok": self.error is None,
            "error": self.error,
            "response_s": self.response_s,
        }


def model_table(router: Router) -> list[dict[str, Any]]:
    """Return every model with its price, priors, tags and how it stands."""
    return [
        {
            "model": arm.id,
            "provider": arm.provider,
            "price": None
            if arm.prices is None
            else {
                "input": arm.prices.input,
                "cached_input": arm.prices.cached_input,
                "output": arm.prices.output,
            },
            "price_source": arm.price_source or "unknown",
            "prior_accuracy": arm.prior_accuracy,
            "prior_response_s": arm.prior_response_s,
            "context_window": arm.context_window,
            "accepts": list(arm.accepts),
            "tags": list(arm.tags),
            "standing": _standing(router, router.standings.get(arm.id)),
        }
        for arm in router.settings.arms
    ]


async def check(arms: Sequence[Arm]) -> list[Check]:
    """Call every model once, all at the same time; nothing of it enters the log."""
    async with open_providers(arms) as providers:
        return list(await asyncio.gather(*(_called(arm, providers) for arm in arms)))


async def _called(arm: Arm, providers: Providers) -> Check:
    started_at = time.perf_counter()
    error: str | None = None
    try:
        await providers.complete(arm, Query(text=PROMPT))
    except (ProviderError, ConfigError) as failure:
        error = str(failure)
    return Check(model=arm.id, error=error, response_s=time.perf_counter() - started_at)


def _standing(router: Router, standing: Standing | None) -> str:
    """Return `ok`, `cooling down until ...` or what a guard says, overall or of a task."""
    if standing is None:
        return "ok"
    now_s = time.time()
    until_s = cooling_until(standing)
    if until_s > now_s:
        moment = datetime.fromtimestamp(until_s, UTC).isoformat(timespec="seconds")
        return f"cooling down until {moment} after {standing.consecutive_errors} errors in a row"
    tasks = (None, *sorted({rule.task for rule in router.settings.guards if rule.task}))
    found = (doubt(standing, task=task, guards=router.settings.guards, now_s=now_s) for task in tasks)
    return next((one.reason for one in found if one is not None), "ok")
