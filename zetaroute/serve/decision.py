"""/v1/decision: which model would answer, for programs that call models themselves and report back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from zetaroute.domain import Attempt, Completion, Decision, Query, new_id
from zetaroute.errors import StoreError
from zetaroute.providers.base import call_cost_usd
from zetaroute.router.conversations import last_answer
from zetaroute.router.options import AskOptions
from zetaroute.router.records import OutcomeRecords
from zetaroute.serve.body import read_json
from zetaroute.serve.errors import ApiError, bad
from zetaroute.serve.request import read_request
from zetaroute.serve.response import decision_json
from zetaroute.serve.service import Service
from zetaroute.wire.doors.chat import CHAT, COMPLETIONS
from zetaroute.wire.doors.form import Door
from zetaroute.wire.doors.messages import MESSAGES
from zetaroute.wire.doors.responses import RESPONSES
from zetaroute.wire.json_values import MOST_COUNTED, count, mapping, sequence, text

MOST_OPEN = 10_000
"""Decisions whose outcome is waited for."""
REPORTED = frozenset({"input_tokens", "output_tokens", "response_s", "finish_reason"})
"""What of an outcome is reported."""
_LONGEST_S = 1e6
_OTHER_BLOCKS = frozenset({"tool_use", "tool_result", "image", "document", "thinking"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedOutcome:
    """What came of a model that its client has asked."""

    outcome_id: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    response_s: float | None = None
    finish_reason: str | None = None


async def decide_alone(request: Request) -> Response:
    """Decide a request of any format, and wait for its outcome."""
    service: Service = request.app.state.service
    body = await read_json(request, most_bytes=int(service.settings.serving.max_body_mb * 1e6))
    if not isinstance(body, dict):
        raise bad("the body must be a JSON object.")
    if service.metrics.workers > 1:
        raise ApiError(
            503, "one process decides for others to call: serve with one worker.", code="too_many_workers"
        )
    inbound = door_for(body).read(body)
    earlier = None if inbound.previous is None else await service.earlier.of(inbound.previous)
    wanted = read_request(inbound, service.settings, headers=request.headers, earlier=earlier)
    outcome_id = new_id()
    query, decision, options = await service.decide(wanted, outcome_id=outcome_id, no_audit="asked elsewhere")
    if not wanted.only_decided:
        request.app.state.open_decisions.add(outcome_id, query, decision, options)
    return JSONResponse({**decision_json(decision), "outcome_id": outcome_id})


def door_for(body: Mapping[str, Any]) -> Door:
    """Return the format of a body."""
    if "input" in body:
        return RESPONSES
    if "prompt" in body:
        return COMPLETIONS
    contents = [mapping(message).get("content") for message in sequence(body.get("messages"))]
    kinds = {text(mapping(part).get("type")) for content in contents for part in sequence(content)}
    tools = any("input_schema" in mapping(tool) for tool in sequence(body.get("tools")))
    return MESSAGES if "system" in body or tools or not kinds.isdisjoint(_OTHER_BLOCKS) else CHAT


def read_report(item: Mapping[str, Any], outcome_id: str | None, where: str) -> ReportedOutcome | None:
    """Return what an item of feedback reports, None where it does not; raise ApiError for what is no report."""
    if item.keys().isdisjoint(REPORTED):
        return None
    if outcome_id is None:
        raise bad(f"{where} reports tokens or times, which needs an outcome_id.", where)
    for name in ("input_tokens", "output_tokens"):
        if item.get(name) is not None and (count(item[name]) is None or isinstance(item[name], float)):
            raise bad(f"{where}.{name} must be a whole number from 0 to {MOST_COUNTED}.", where)
    seconds, reason = item.get("response_s"), item.get("finish_reason")
    known = isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds <= _LONGEST_S
    if seconds is not None and not known:
        raise bad(f"{where}.response_s must be a number of seconds.", where)
    if reason is not None and (not isinstance(reason, str) or len(reason) > 200):
        raise bad(f"{where}.finish_reason must be a text of up to 200 characters.", where)
    return ReportedOutcome(
        outcome_id=outcome_id,
        input_tokens=item.get("input_tokens"),
        output_tokens=item.get("output_tokens"),
        response_s=None if seconds is None else float(seconds),
        finish_reason=reason,
    )


class OpenDecisions:
    """Decisions whose outcome is to come; one that never comes leaves no row."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._open: OrderedDict[str, tuple[Query, Decision, AskOptions]] = OrderedDict()

    def __contains__(self, outcome_id: object) -> bool:
        return outcome_id in self._open

    def add(self, outcome_id: str, query: Query, decision: Decision, options: AskOptions) -> None:
        """Wait for an outcome; the oldest is given up where too many are waited for."""
        self._open[outcome_id] = (query, decision, options)
        while len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)

    async def settle(self, report: ReportedOutcome) -> None:
        """Write the row of an outcome; raise StoreError where it cannot be kept."""
        query, decision, options = self._open.pop(report.outcome_id)
        arms = self._service.router.arms
        read, written = report.input_tokens, report.output_tokens
        failed = report.finish_reason == "error"
        done = Completion(
            text="",
            served_model=None,
            finish_reason=report.finish_reason,
            ttft_s=None,
            response_s=report.response_s or 0.0,
            input_tokens=read,
            output_tokens=written,
            cost_usd=call_cost_usd(arms[decision.model], input_tokens=read, output_tokens=written),
        )
        attempt = Attempt(
            model=decision.model,
            completion=None if failed else done,
            arrived=done if failed else None,
            status="error" if failed else "ok",
            error_kind="reported" if failed else None,
            error=f"{decision.model}: its client reports that it failed." if failed else None,
            elapsed_s=report.response_s or 0.0,
        )
        rows = OutcomeRecords(query, decision, options, arms)
        rows.add((attempt,))
        self._service.router.observe(rows.outcomes)
        if query.conversation is not None and not failed:
            last = last_answer(done, decision.model, before=options.kept)
            self._service.conversations.answered(query.conversation, last)
        if not await self._service.writer.add_entry(rows.entry()):
            raise self._service.failure or StoreError("nothing can be kept now.")
