"""What zetaroute tells of an answer, whatever the format."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from zetaroute.domain import Decision
from zetaroute.router.answer import Answer

_PREFIXES = ("chatcmpl-", "cmpl-", "resp_", "msg_")


def outcome_named(answer_id: str) -> str:
    """Return the outcome's id in the id of an answer of any format."""
    return next((answer_id.removeprefix(one) for one in _PREFIXES if answer_id.startswith(one)), answer_id)


def facts(answer: Answer, *, kept: bool) -> dict[str, Any]:
    """Return the field `zetaroute` of an answer."""
    outcome, decision = answer.outcome, answer.decision
    return {
        "outcome": outcome.id,
        "model": outcome.model,
        "served_model": outcome.served_model,
        "request_id": answer.completion.request_id if answer.completion else None,
        "policy": decision.policy_version,
        "propensity": decision.propensity,
        "forced": decision.forced,
        "switch": None if decision.switch is None else asdict(decision.switch),
        "explored": decision.explored,
        "attempts": answer.attempts,
        "chain": answer.chain,
        "response_s": answer.response_s,
        "router_s": decision.router_s,
        "cost_usd": answer.cost_usd,
        "tokens_estimated": outcome.tokens_estimated,
        "kept": kept,
    }


def headers(decision: Decision, *, outcome_id: str, model: str) -> dict[str, str]:
    """Return the headers of an answer: a name that ASCII cannot hold is percent-encoded."""
    found = {
        "x-zetaroute-outcome": outcome_id,
        "x-zetaroute-model": _in_ascii(model),
        "x-zetaroute-policy": decision.policy_version,
    }
    if decision.propensity is not None:
        found["x-zetaroute-propensity"] = f"{decision.propensity:.9g}"
    if decision.switch is not None and decision.switch.taken:
        found["x-zetaroute-switch"] = f"{_in_ascii(decision.switch.kept)} {_in_ascii(decision.switch.model)}"
    return found


def _in_ascii(model: str) -> str:
    return quote(model, safe="/:@ !#$&'()*+,;=?[]~")


def decision_json(decision: Decision) -> dict[str, Any]:
    """Return what a decision without a call tells: the model, and why each one is or is not it."""
    how = "explored" if decision.explored else "preferred by the policy"
    if decision.forced:
        how = "goes on in its conversation" if decision.kept else "pinned by the request"
        if decision.switch is not None and decision.switch.taken:
            how = f"takes over from {decision.switch.kept} in its conversation, where that pays"
    reasons = [f"{one.model}: {one.reason}" for one in decision.candidates]
    return {
        "model": decision.model,
        "propensity": decision.propensity,
        "reasons": [f"{decision.model}: {how}", *reasons, *([decision.note] if decision.note else ())],
        "policy": decision.policy_version,
    }
