"""Look at the models: what is configured of each, how it stands, what it did, and whether it answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from zetaroute.domain import ALL_TASKS, Arm, Completion, Query, Standing, Tally
from zetaroute.errors import ConfigError, ProviderError, StoreBusyError
from zetaroute.log.log import Log
from zetaroute.log.partitions import Span, narrow
from zetaroute.log.views import FIRST
from zetaroute.policy import cooling_until, doubt
from zetaroute.policy.exploration import ENOUGH_GRADED, PROBATION, QUOTA
from zetaroute.policy.guards import Exclusion
from zetaroute.providers.pool import Providers, open_providers
from zetaroute.router.router import Router

PROMPT = "Reply with the single word: ok"
MOST_TOKENS = 16
"""Tokens that the answer to it may have."""
LATEST = 1000
"""Served queries that shares and costs are taken from."""
_PRICES = ("input", "cached_input", "output")
_OLDEST = f"SELECT min(id) FROM (SELECT id FROM outcomes WHERE {FIRST} ORDER BY id DESC LIMIT {LATEST})"
_SHARES = f"""
    WITH latest AS (SELECT model, cost_usd FROM served ORDER BY id DESC LIMIT {LATEST})
    SELECT model, count(*) / (SELECT count(*) FROM latest), avg(cost_usd) FROM latest GROUP BY model
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCheck:
    """What came of calling a model once."""

    model: str
    error: str | None
    response_s: float
    completion: Completion | None = None

    def json(self) -> dict[str, Any]:
        """Return the shape that `models check --json` prints."""
        done = self.completion
        return {
            "model": self.model,
            "ok": self.error is None,
            "error": self.error,
            "response_s": self.response_s,
            **{name: getattr(done, name, None) for name in ("served_model", "input_tokens", "output_tokens")},
            "tokens_estimated": done is not None and done.tokens_estimated,
            "cost_usd": done.cost_usd if done else None,
        }


def model_table(router: Router, log: Log) -> list[dict[str, Any]]:
    """Return every model with its price, priors, tags, how it stands and what it did lately.

    `state` is `no key`, `cooling`, `demoted`, `onboarding` or `active`, and `standing` says it in words. Shares are
    of the latest queries served; accuracy and the like of the model's own latest rows.
    """
    shares = _shares(log)
    learned = _rows_learned(router)
    return [
        {
            "model": arm.id,
            "provider": arm.provider,
            "price": arm.prices and {name: getattr(arm.prices, name) for name in _PRICES},
            "price_source": arm.price_source or "unknown",
            "prior_accuracy": arm.prior_accuracy,
            "prior_response_s": arm.prior_response_s,
            "context_window": arm.context_window,
            "accepts": list(arm.accepts),
            "tags": list(arm.tags),
            "of": arm.of,
            "effort": arm.effort,
            "aliases": list(arm.aliases),
            **_state(router, arm, learned.get(arm.id, 0)),
            "share": None if shares is None else shares.get(arm.id, (0.0, None))[0],
            "kpis": _figures(router.standings.get(arm.id), (shares or {}).get(arm.id, (0.0, None))[1]),
        }
        for arm in router.settings.arms
    ]


async def check(arms: Sequence[Arm]) -> list[ModelCheck]:
    """Call every model once, all at the same time; nothing of it enters the log."""
    async with open_providers(arms) as providers:
        return list(await asyncio.gather(*(_called(arm, providers) for arm in arms)))


async def _called(arm: Arm, providers: Providers) -> ModelCheck:
    started_at = time.perf_counter()
    error: str | None = None
    done: Completion | None = None
    try:
        done = await providers.complete(arm, Query(text=PROMPT, options={"max_tokens": MOST_TOKENS}))
    except (ProviderError, ConfigError) as failure:
        # A model that thinks may need all its tokens for that: it was reached.
        if not (isinstance(failure, ProviderError) and failure.kind == "empty"):
            error = str(failure)
    elapsed_s = time.perf_counter() - started_at
    return ModelCheck(model=arm.id, error=error, response_s=elapsed_s, completion=done)


def _shares(log: Log) -> dict[str, tuple[float, float | None]] | None:
    """Return each model's share of the latest queries and its mean cost; None while the log cannot be asked."""
    if not log.is_begun:
        return None
    try:
        with log.open(patience_s=1.0) as connection:
            (first,) = connection.execute(_OLDEST).fetchone() or (None,)
            narrow(connection, Span(first, None))
            found = connection.execute(_SHARES).fetchall()
    except StoreBusyError:
        return None
    return {model: (share, cost_usd) for model, share, cost_usd in found}


def _rows_learned(router: Router) -> Mapping[str, int]:
    """Return the training rows behind each model in the policy that serves."""
    predictor, arms = router.policy.predictor, router.settings.arms
    rows = predictor.forecast(predictor.vectors([""], [None]), arms).rows
    return {arm.id: int(count) for arm, count in zip(arms, rows, strict=True)}


def _state(router: Router, arm: Arm, learned: int) -> dict[str, Any]:
    standing = router.standings.get(arm.id)
    if arm.id in router.closed:
        return {"state": "no key", "standing": router.closed[arm.id]}
    found = _doubted(router, standing)
    if found is not None:
        state = "demoted" if found.demoted else "cooling"
        return {"state": state, "standing": _doubt_words(found, standing)}
    tally = standing.tallies.get(ALL_TASKS) if standing else None
    graded = max(learned, tally.graded if tally else 0)
    if graded < ENOUGH_GRADED:
        return {"state": "onboarding", "standing": "ok", "graded": graded, "graded_wanted": ENOUGH_GRADED}
    return {"state": "active", "standing": "ok"}


def _doubted(router: Router, standing: Standing | None) -> Exclusion | None:
    """Return why a model is better left alone now, overall or for one of the kinds of query that guards name."""
    guards = router.settings.guards
    kinds = sorted({(rule.task or "", rule.segment or "") for rule in guards} | {("", "")})
    found = (
        doubt(standing, task=task or None, segment=segment or None, guards=guards, now_s=time.time())
        for task, segment in kinds
    )
    return next((one for one in found if one is not None), None)


def _doubt_words(found: Exclusion, standing: Standing | None) -> str:
    if found.demoted or standing is None or (until_s := cooling_until(standing)) <= time.time():
        return found.reason
    moment = datetime.fromtimestamp(until_s, UTC).isoformat(timespec="seconds")
    return (
        f"cooling down until {moment} after {standing.consecutive_errors} failures in a row; "
        "`zetaroute models check` ends it where the model answers"
    )


def state_words(row: Mapping[str, Any]) -> str:
    """Return a row's state as people read it, with what there is to say of it."""
    words = str(row["standing"]) if row["state"] in {"cooling", "demoted"} else str(row["state"])
    if row["state"] == "demoted":
        words += f"; gets its part of {PROBATION:.0%} of those queries until it keeps the bound again"
    if row["state"] == "no key":
        words += f": {row['standing']}"
    return words + ("; price unknown" if row["price"] is None else "")


def state_notes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for every model of which there is more to say than its state, and one for all newcomers."""
    notes = [f"{row['model']}: {words}" for row in rows if (words := state_words(row)) != row["state"]]
    return [*notes, *onboarding_notes(rows)]


def onboarding_notes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return how far the newcomers are, and what it takes to be one no longer; nothing where there is none."""
    counts = [(row["model"], row["graded"]) for row in rows if row["state"] == "onboarding"]
    if not counts:
        return []
    (model, graded), *others = counts
    told = "".join(f", {other} {count}" for other, count in others)
    return [
        f"onboarding: {model} has {graded} of {ENOUGH_GRADED} graded answers{told}; until {ENOUGH_GRADED}, newcomers "
        f"share {QUOTA:.0%} of the queries, then each competes as any other"
    ]


def _figures(standing: Standing | None, cost_usd: float | None) -> dict[str, Any]:
    tally = (standing.tallies.get(ALL_TASKS) if standing else None) or Tally()
    if cost_usd is None and tally.charged:
        # Of a model that was asked to learn from alone.
        cost_usd = tally.cost_usd
    return {
        "calls": tally.calls,
        "graded": tally.graded,
        "accuracy": tally.accuracy if tally.graded else None,
        "rated": tally.rated,
        "satisfaction": tally.satisfaction if tally.rated else None,
        "error_rate": tally.errors / tally.calls if tally.calls else None,
        "p95_response_s": tally.p95_s,
        "cost_per_query_usd": cost_usd,
    }
