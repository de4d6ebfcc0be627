"""/v1/decision: which model would answer, for programs that call models themselves and report back."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from zetaroute.domain import Arm, Attempt, Completion, Decision, Query, new_id, utc_now
from zetaroute.log.open_decisions import MOST_OPEN, OpenDecisions
from zetaroute.providers.base import call_cost_usd
from zetaroute.router.conversations import last_answer
from zetaroute.router.options import AskOptions
from zetaroute.router.records import OutcomeRecords
from zetaroute.serve.answer_endpoint import read_chat
from zetaroute.serve.answer_facts import decision_json
from zetaroute.serve.api_errors import bad
from zetaroute.serve.service import Service
from zetaroute.wire.doors.chat_door import CHAT, COMPLETIONS
from zetaroute.wire.doors.door import Door
from zetaroute.wire.doors.messages_door import MESSAGES
from zetaroute.wire.doors.responses_door import RESPONSES
from zetaroute.wire.json_values import MOST_COUNTED, count, mapping, sequence, text

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
    wanted = await read_chat(request, door_for)
    outcome_id = new_id()
    query, decision, options = await service.decide(wanted, outcome_id=outcome_id, no_audit="asked elsewhere")
    if not wanted.only_decided:
        await request.app.state.desk.add(query, decision, options)
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


class DecisionDesk:
    """Takes decisions and, from any process of the home, the reports on them."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._open = OpenDecisions(service.home, service.log.journal)
        self._talks: OrderedDict[str, tuple[str, str | None]] = OrderedDict()
        """Of decisions of this process: the conversation, and the model that it had."""

    async def add(self, query: Query, decision: Decision, options: AskOptions) -> None:
        """Wait for an outcome; raise StoreError where that cannot be."""
        rows = OutcomeRecords(query, decision, options, self._service.router.arms)
        rows.add((Attempt(model=decision.model, completion=_completion()),))
        entry = rows.entry()
        await asyncio.to_thread(self._open.add, entry)
        if query.conversation is not None:
            self._talks[entry.outcomes[0].id] = (query.conversation, options.kept)
            while len(self._talks) > MOST_OPEN:
                self._talks.popitem(last=False)

    async def waits_for(self, outcome_ids: Iterable[str]) -> set[str]:
        """Return those of which an outcome is waited for."""
        return await asyncio.to_thread(lambda: {one for one in outcome_ids if one in self._open})

    async def settle(self, report: ReportedOutcome) -> None:
        """Write the row of an outcome; raise StoreError where it cannot be kept."""
        row = await asyncio.to_thread(self._open.row, report.outcome_id)
        if row is None:
            return
        arm = self._service.router.arms.get(row["model"])
        done = _completion(report, arm)
        failed = report.finish_reason == "error"
        told = {
            "time": utc_now(),
            "prices": arm.prices.flat(done.input_tokens or 0) if arm and arm.prices else None,
            "status": "error" if failed else "ok",
            "error_kind": "reported" if failed else None,
            "error": f"{row['model']}: its client reports that it failed." if failed else None,
            "response": None if failed else row["response"],
        }
        counted = ("finish_reason", "response_s", "input_tokens", "output_tokens", "cost_usd")
        row |= {**told, **{name: getattr(done, name) for name in counted}}
        await asyncio.to_thread(self._open.settle, row)
        conversation, kept = self._talks.pop(report.outcome_id, (None, None))
        if conversation is not None and not failed:
            last = last_answer(done, row["model"], before=kept)
            self._service.conversations.answered(conversation, last)


def _completion(report: ReportedOutcome | None = None, arm: Arm | None = None) -> Completion:
    """Return the answer that a client has, as far as it is told."""
    read = report.input_tokens if report else None
    written = report.output_tokens if report else None
    return Completion(
        text="",
        served_model=None,
        finish_reason=report.finish_reason if report else None,
        ttft_s=None,
        response_s=(report.response_s if report else None) or 0.0,
        input_tokens=read,
        output_tokens=written,
        cost_usd=call_cost_usd(arm, input_tokens=read, output_tokens=written) if arm else None,
    )
