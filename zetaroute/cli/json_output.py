"""The shapes of `ask --json`: what scripts rely on, key by key.

Apart from the command because these names may not change when it does.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zetaroute.domain import Decision
    from zetaroute.router.attempts import Round


def decision_json(decision: Decision) -> dict[str, Any]:
    """Return a decision with every candidate."""
    return {
        "model": decision.model,
        "policy": decision.policy_version,
        "propensity": decision.propensity,
        "forced": decision.forced,
        "explored": decision.explored,
        "seed": decision.seed,
        "router_s": decision.router_s,
        "note": decision.note,
        "candidates": [
            {
                "model": candidate.model,
                "eligible": candidate.eligible,
                "reason": candidate.reason,
                "accuracy": candidate.accuracy.mean,
                "satisfaction": candidate.satisfaction.mean,
                "satisfied": candidate.satisfied,
                "response_s": candidate.response_s.mean,
                "cost_usd": candidate.cost_usd.mean if candidate.cost_usd else None,
                "utility_usd": candidate.utility_usd.mean,
                "probability": candidate.probability,
                "se": {
                    name: asdict(estimate)["se"]
                    for name in ("accuracy", "satisfaction", "response_s", "cost_usd", "utility_usd")
                    if (estimate := getattr(candidate, name)) is not None
                },
            }
            for candidate in decision.candidates
        ],
    }


def round_json(played: Round) -> dict[str, Any]:
    """Return an answered query with the decision behind it."""
    outcome = played.outcome
    return {
        "id": outcome.id,
        "answer": outcome.response,
        "served_model": outcome.served_model,
        **decision_json(played.decision),
        "model": outcome.model,
        "response_s": played.response_s,
        "ttft_s": outcome.ttft_s,
        "input_tokens": outcome.input_tokens,
        "output_tokens": outcome.output_tokens,
        "tokens_estimated": outcome.tokens_estimated,
        "cost_usd": played.cost_usd,
        "accuracy": played.accuracy,
        "check": played.check,
        "judge_cost_usd": played.judge_cost_usd,
        "attempts": [{"model": row.model, "error": row.error} for row in played.entry.outcomes],
    }
