"""/v1/feedback: what programs say of answers, one thing or many, now or weeks later.

The shape is that of TensorZero's endpoint, so that its clients need another address alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from zetaroute.errors import StoreError, UsageError
from zetaroute.feedback.ingest import ResolvedFeedback, resolve
from zetaroute.feedback.judgement import Judgement, checked_value, source_named
from zetaroute.log.journal import Entry
from zetaroute.serve.answer_facts import outcome_named
from zetaroute.serve.api_errors import ApiError, bad
from zetaroute.serve.body import read_json
from zetaroute.serve.decision_endpoint import REPORTED, DecisionDesk, ReportedOutcome, read_report
from zetaroute.serve.service import Service

MOST = 1000
"""Remarks in one request."""
BREATH_S = 0.1
"""For how long the log is left alone, at least, between two openings."""
_KNOWN = frozenset(
    {"inference_id", "outcome_id", "metadata", "metric_name", "value", "tags", "comment", "dryrun", *REPORTED}
)


async def feedback(request: Request) -> Response:
    """Keep what is said; a list is kept whole or, where one of it is no good, not at all."""
    post: Post = request.app.state.post
    body = await read_json(request)
    reports, remarks = read_remarks(body, key=request.headers.get("idempotency-key"))
    await _report(reports, remarks, request.app.state.desk)
    ids = await post.send(remarks) if remarks else []
    if isinstance(body, list):
        return JSONResponse({"feedback_ids": ids})
    return JSONResponse({"feedback_id": ids[0] if ids else None})


async def _report(reports: list[ReportedOutcome], remarks: list[Judgement], desk: DecisionDesk) -> None:
    """Write the rows of decisions whose outcome is told, or of which anything is said."""
    told = {report.outcome_id: report for report in reports}
    named = {remark.outcome_id for remark in remarks if remark.outcome_id is not None}
    waiting = await desk.waits_for(told.keys() | named)
    if unknown := [one for one in told if one not in waiting]:
        raise _unknown(unknown)
    for one in sorted(named & waiting):
        told.setdefault(one, ReportedOutcome(outcome_id=one))
    for report in told.values():
        await desk.settle(report)


def read_remarks(body: Any, *, key: str | None) -> tuple[list[ReportedOutcome], list[Judgement]]:
    """Return what a body says; raise ApiError, naming the place, for what is no feedback."""
    items = body if isinstance(body, list) else [body]
    if not 1 <= len(items) <= MOST:
        raise bad(f"send between 1 and {MOST} judgements at once.")
    reports, remarks = list[ReportedOutcome](), list[Judgement]()
    for place, item in enumerate(items):
        where = f"[{place}]"
        if not isinstance(item, dict):
            raise bad(f"{where} must be an object.", where)
        unknown = sorted(item.keys() - _KNOWN)
        if unknown:
            raise bad(
                f"{where} has an unknown key {unknown[0]!r}; known are {', '.join(sorted(_KNOWN))}.", where
            )
        named = _text(item, "outcome_id", where)
        report = read_report(item, outcome_named(named) if named else None, where)
        if report is not None:
            reports.append(report)
        if report is None or not item.keys().isdisjoint({"metric_name", "value"}):
            remarks.append(_remark(item, place, key=key))
    return reports, remarks


def _remark(item: dict[str, Any], place: int, *, key: str | None) -> Judgement:
    where = f"[{place}]"
    value, metric = item.get("value"), _text(item, "metric_name", where)
    if not metric or not isinstance(value, bool | int | float):
        raise bad(f"{where} needs a metric_name and a value that is a number, true or false.", where)
    outcome_id = _text(item, "outcome_id", where) or _text(item, "inference_id", where)
    custom_id = _text(_object(item, "metadata", where), "correlation_id", where)
    if not outcome_id and not custom_id:
        raise bad(
            f"{where} names no answer: give outcome_id, inference_id or metadata.correlation_id.", where
        )
    tags = _object(item, "tags", where)
    try:
        return Judgement(
            metric=metric,
            value=checked_value(metric, _number(value), value),
            outcome_id=outcome_named(outcome_id) if outcome_id else None,
            custom_id=custom_id,
            source=source_named(_text(tags, "source", where) or None),
            author=_text(tags, "author", where) or "api",
            comment=_text(item, "comment", where),
            key=None if key is None else hashlib.sha256(f"{key}\0{place}".encode()).hexdigest(),
        )
    except UsageError as error:
        raise bad(f"{where} {error}.", where) from error


def _number(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _text(item: dict[str, Any], name: str, where: str) -> str | None:
    value = item.get(name)
    if value is not None and not isinstance(value, str):
        raise bad(f"{where}.{name} must be a text.", where)
    return value


def _object(item: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    value = item.get(name)
    if value is not None and not isinstance(value, dict):
        raise bad(f"{where}.{name} must be an object.", where)
    return value or {}


@dataclass(frozen=True, slots=True)
class _Letter:
    remarks: Sequence[Judgement]
    ids: asyncio.Future[list[str]] = field(compare=False)


class Post:
    """Looks up the answers that feedback means: all that waits in one opening of the log."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._letters: asyncio.Queue[_Letter | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._work())

    async def send(self, remarks: Sequence[Judgement]) -> list[str]:
        """Return the ids under which the remarks are kept; raise ApiError when an answer is not known."""
        letter = _Letter(remarks, asyncio.get_running_loop().create_future())
        self._letters.put_nowait(letter)
        return await letter.ids

    async def aclose(self) -> None:
        """Keep what waits."""
        self._letters.put_nowait(None)
        await self._task

    async def _work(self) -> None:
        ended = False
        while not ended:
            group = [await self._letters.get()]
            while not self._letters.empty():
                group.append(self._letters.get_nowait())
            ended = None in group
            letters = [one for one in group if one is not None]
            if letters:
                start = time.monotonic()
                await self._answer(letters)
                if not ended:
                    # Other commands want the log too, and get it only while no thread here has it.
                    await asyncio.sleep(max(BREATH_S, time.monotonic() - start))

    async def _answer(self, letters: Sequence[_Letter]) -> None:
        remarks = [remark for letter in letters for remark in letter.remarks]
        try:
            found = await asyncio.to_thread(resolve, self._service.log, remarks)
        except Exception as error:
            # Whatever it is, those who wait must be told, and the next ones served.
            _fail(letters, error)
            return
        good: list[tuple[_Letter, list[ResolvedFeedback]]] = []
        start = 0
        for letter in letters:
            part = found[start : start + len(letter.remarks)]
            start += len(letter.remarks)
            missing = [place for place, one in enumerate(part) if one is None]
            if missing:
                names = (letter.remarks[place] for place in missing)
                _fail([letter], _unknown([one.outcome_id or one.custom_id or "" for one in names]))
            else:
                good.append((letter, [one for one in part if one is not None]))
        await self._keep(good)

    async def _keep(self, good: Sequence[tuple[_Letter, list[ResolvedFeedback]]]) -> None:
        new = {one.feedback.id: one.feedback for _, part in good for one in part if not one.known}
        kept = not new or await self._service.writer.add_entry(Entry(feedback=tuple(new.values())))
        if not kept:
            _fail(
                [letter for letter, _ in good],
                self._service.failure or StoreError("nothing can be kept now."),
            )
            return
        self._service.metrics.add("zetaroute_feedback_total", len(new))
        if self._service.telemetry is not None:
            for said in new.values():
                self._service.telemetry.judged(said)
        for letter, part in good:
            if not letter.ids.done():
                letter.ids.set_result([one.feedback.id for one in part])


def _unknown(names: Sequence[str]) -> ApiError:
    told = ", ".join(name[:80] for name in names[:5])
    return ApiError(
        404, f"no answer has this id: {told}; nothing of this request was kept.", code="unknown_outcome"
    )


def _fail(letters: Sequence[_Letter], error: Exception) -> None:
    for letter in letters:
        if not letter.ids.done():
            letter.ids.set_exception(error)
