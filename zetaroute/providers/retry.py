"""Get an answer out of a decision: ask, retry, fall back."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from zetaroute.domain import Arm, Attempt, Completion, Decision, Query
from zetaroute.errors import ProviderError
from zetaroute.providers.base import OnText
from zetaroute.providers.call_errors import PartialAnswerError
from zetaroute.providers.pool import Providers
from zetaroute.wire.pieces import piece_taker_like

OnSwitch = Callable[[Attempt, str], None]
"""Told of an attempt that failed with a part of its answer shown, and of the model that is asked next."""

MayFollow = Callable[[str, bool], bool]
"""Told the model that would be asked next and whether the try before it may be billed; says whether it may be."""

Sleep = Callable[[float], Awaitable[object]]

_FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 20.0
"""A server that asks for more patience than this is left for the next model."""


async def answer(
    *,
    decision: Decision,
    arms: Mapping[str, Arm],
    providers: Providers,
    query: Query,
    on_text: OnText | None = None,
    on_switch: OnSwitch | None = None,
    on_ask: Callable[[str], None] | None = None,
    may_follow: MayFollow | None = None,
    retries: int = 2,
    deadline_s: float | None = None,
    start_anew: bool = True,
    sleep: Sleep = asyncio.sleep,
    rng: random.Random | None = None,
) -> tuple[Attempt, ...]:
    """Ask the decided model, then the fallbacks in order, until one answers.

    Returns one attempt per model asked, retries inside it: the last one is ok, or all of them failed. A
    pinned model has no fallback. `deadline_s` bounds the whole of it in seconds from now. `on_ask` is told of
    each model before it is asked, and `may_follow` is asked before every call but the first. `start_anew` lets the
    next model begin where a part of an answer was shown.
    """
    patience = _Patience(
        retries=retries,
        deadline_s=deadline_s,
        deadline_at=None if deadline_s is None else asyncio.get_running_loop().time() + deadline_s,
        sleep=sleep,
        rng=rng,
        may_follow=may_follow or (lambda model, perhaps_billed: True),
    )
    models = (decision.model,) if decision.pinned else (decision.model, *decision.fallbacks())
    attempts: list[Attempt] = []
    shown = False
    for model in models:
        if attempts and not patience.may_follow(model, attempts[-1].perhaps_billed):
            continue
        if shown and on_switch is not None:
            on_switch(attempts[-1], model)
        screen = _Screen(on_text)
        if on_ask is not None:
            on_ask(model)
        attempt = await _attempt(arms[model], providers, query, screen, patience)
        attempts.append(attempt)
        if attempt.completion is not None or patience.is_over() or (screen.shown and not start_anew):
            break
        shown = screen.shown
    return tuple(attempts)


class _Screen:
    """Passes text on and remembers that there was some."""

    def __init__(self, on_text: OnText | None) -> None:
        self._on_text = on_text
        self.on_text = None if on_text is None else piece_taker_like(on_text, self._show)
        self.shown = False

    def _show(self, text: str) -> None:
        self.shown = True
        if self._on_text is not None:
            self._on_text(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Patience:
    """How often, how long and until when to try."""

    retries: int
    deadline_s: float | None
    deadline_at: float | None
    """In the event loop's time."""
    sleep: Sleep
    rng: random.Random | None
    """None makes one when it is needed, which is seldom: to seed it takes longer than to decide."""
    may_follow: MayFollow

    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return self._is_past(asyncio.get_running_loop().time())

    def wait_s(self, error: ProviderError, tries: int) -> float | None:
        """Return how long to wait before the same model is asked again; None when it is not."""
        asked_s = error.retry_after_s or 0.0
        if not error.retryable or tries > self.retries or asked_s > LONGEST_WAIT_S:
            return None
        # Jitter on top of what the server asked for, so that calls refused together do not return together.
        backoff_s = min(_FIRST_WAIT_S * 2 ** (tries - 1), LONGEST_WAIT_S)
        wait_s = asked_s + backoff_s * (self.rng or random.Random()).uniform(0.5, 1.0)
        return None if self._is_past(asyncio.get_running_loop().time() + wait_s) else wait_s

    def _is_past(self, moment: float) -> bool:
        return self.deadline_at is not None and moment >= self.deadline_at


async def _attempt(
    arm: Arm, providers: Providers, query: Query, screen: _Screen, patience: _Patience
) -> Attempt:
    started_at, lost_usd = time.perf_counter(), 0.0
    for tries in itertools.count(1):
        try:
            completion = await _call(arm, providers, query, screen, patience)
            return Attempt(
                model=arm.id,
                completion=completion,
                lost_usd=lost_usd,
                elapsed_s=time.perf_counter() - started_at,
            )
        except ProviderError as error:
            failure, arrived = error, error.arrived if isinstance(error, PartialAnswerError) else None
        # Another try would write the beginning of its answer behind that of this one.
        wait_s = None if screen.shown else patience.wait_s(failure, tries)
        if wait_s is None or not patience.may_follow(arm.id, failure.perhaps_billed):
            break
        lost_usd += arrived.cost_usd or 0.0 if arrived else 0.0
        await patience.sleep(wait_s)
    return Attempt(
        model=arm.id,
        arrived=arrived,
        lost_usd=lost_usd,
        error_kind=failure.kind,
        error=str(failure),
        perhaps_billed=failure.perhaps_billed,
        retry_after_s=failure.retry_after_s,
        elapsed_s=time.perf_counter() - started_at,
        status="error",
    )


async def _call(
    arm: Arm, providers: Providers, query: Query, screen: _Screen, patience: _Patience
) -> Completion:
    limit = asyncio.timeout_at(patience.deadline_at)
    try:
        async with limit:
            return await providers.complete(arm, query, screen.on_text)
    except TimeoutError:
        if not limit.expired():
            raise
        raise ProviderError(
            f"{arm.id}: the time for this query, {patience.deadline_s:g} s, was over before its answer came.",
            kind="timeout",
            perhaps_billed=True,
        ) from None
