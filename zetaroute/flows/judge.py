"""Let a configured model mark one answer; its money and time are counted apart from the answer's.

Apart from the other graders because it calls a model; what it is told and how its reply is read stand in `grade`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from zetaroute.config import JudgeGrader
from zetaroute.domain import Arm, Attempt, Decision, Query
from zetaroute.grade.verdict import SYSTEM, Verdict, against_prompt, alone_prompt, read_verdict
from zetaroute.providers.calling import answer as answer_of
from zetaroute.providers.opening import Providers


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a judge made of an answer."""

    score: float | None
    note: str | None
    """The judge's reason, or why there is no score."""
    cost_usd: float | None
    """Of all its calls; None when any of them is unknown."""
    response_s: float
    """Of all its calls together."""


async def judge(
    grader: JudgeGrader,
    *,
    answer: str,
    query: str,
    reference: str | None,
    arms: Mapping[str, Arm],
    providers: Providers,
) -> Judged:
    """Ask the judge for a score 0..1: of the answer alone, or twice beside the reference, in both orders.

    Beside a reference the score is the mean of the two, so that a liking for the first or the last text cancels
    out; without both there is none. A reply that is not one JSON object with a score is no grade.
    """
    if reference is None:
        prompts = [alone_prompt(query=query, answer=answer, rubric=grader.rubric, fence=_fence())]
    else:
        prompts = [
            against_prompt(
                query=query,
                answer=answer,
                reference=reference,
                rubric=grader.rubric,
                fence=_fence(),
                answer_first=answer_first,
            )
            for answer_first in (True, False)
        ]
    attempts = await asyncio.gather(*(_asked(grader.judge, prompt, arms, providers) for prompt in prompts))
    replies = [attempt.completion for attempt in attempts]
    verdicts = [read_verdict(reply.text) if reply else None for reply in replies]
    costs = [reply.cost_usd for reply in replies if reply]
    known = [verdict for verdict in verdicts if verdict is not None]
    complete = len(known) == len(prompts)
    return Judged(
        score=sum(verdict.score for verdict in known) / len(known) if complete else None,
        note=_reasons(known) if complete else _failure(attempts, verdicts),
        cost_usd=None if None in costs else sum(cost for cost in costs if cost is not None),
        response_s=sum(
            reply.response_s if reply else attempt.elapsed_s
            for attempt, reply in zip(attempts, replies, strict=True)
        ),
    )


async def _asked(model: str, prompt: str, arms: Mapping[str, Arm], providers: Providers) -> Attempt:
    pinned = Decision(
        candidates=(),
        model=model,
        propensity=None,
        forced=True,
        explored=False,
        policy_version="judge",
        seed=0,
    )
    query = Query(text=prompt, system=SYSTEM)
    return (await answer_of(decision=pinned, arms=arms, providers=providers, query=query))[-1]


def _fence() -> str:
    """Return a word that nobody could know who wrote one of the texts."""
    return f"mark-{secrets.token_hex(8)}"


def _reasons(verdicts: list[Verdict]) -> str | None:
    return " / ".join(verdict.reason for verdict in verdicts if verdict.reason) or None


def _failure(attempts: list[Attempt], verdicts: list[Verdict | None]) -> str:
    for attempt, verdict in zip(attempts, verdicts, strict=True):
        if attempt.completion is None:
            return attempt.error or "the judge gave no reply"
        if verdict is None:
            return "the judge's reply is not one JSON object with a score from 0 to 1"
    return "the judge gave no reply"
