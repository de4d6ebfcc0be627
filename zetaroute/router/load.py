"""How loaded each model is, by the calls in flight and the latest response times of a running process."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from zetaroute.domain import Decision, Outcome, Standing

HALF_LIFE_S = 60.0
"""After this an answer counts half, so that a model which was slow and is not asked any more is tried again."""
KEPT = 0.9
"""Share of its weight that an answer keeps with each later one."""
USUAL = 3.0
"""Answers as fast as forecast, and calls in flight that did not matter, that every model is taken to have had."""
LEAST, MOST = 0.3, 20.0
"""Times the forecast that an answer is taken to need now."""


@dataclass(slots=True)
class _Seen:
    """Sums over the latest answers of a model: of their weights, and with these of q, q q, r, and q r.

    q were in flight when an answer was asked for that took 1 + r times its forecast.
    """

    n: float = 0.0
    q: float = 0.0
    qq: float = 0.0
    r: float = 0.0
    qr: float = 0.0
    at_s: float = 0.0
    in_flight: int = 0

    def fade(self, kept: float) -> None:
        for name in ("n", "q", "qq", "r", "qr"):
            setattr(self, name, kept * getattr(self, name))

    def factor(self) -> float:
        """Return how many times its forecast an answer takes now: 1 + a + c q by least squares, c >= 0."""
        n, qq = self.n + USUAL, self.qq + USUAL
        slope = max((n * self.qr - self.q * self.r) / (n * qq - self.q**2), 0.0)
        return min(max(1.0 + (self.r - slope * self.q) / n + slope * self.in_flight, LEAST), MOST)


def answered_s(decision: Decision, rows: Sequence[Outcome]) -> list[float]:
    """Return the seconds of the answer that the decided model gave first; none where it failed or is recorded."""
    row = rows[0]
    given = row.model == decision.model and row.status == "ok" and not row.recorded
    return [row.response_s] if given and row.response_s is not None else []


class Load:
    """The load of the models that a process asks."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def onto(self, standings: Mapping[str, Standing], now_s: float) -> Mapping[str, Standing]:
        """Return the standings with how slow each model is at this moment, in seconds of any clock."""
        slow = {model: seen.factor() for model in self._seen if (seen := self._now(model, now_s)).n > 0}
        found = {model: standings.get(model) or Standing(model=model) for model in slow}
        return {**standings, **{model: replace(one, slow=slow[model]) for model, one in found.items()}}

    @contextmanager
    def asking(self, model: str, forecast_s: float | None) -> Iterator[list[float]]:
        """Count a call of a model while it lasts, and take in the seconds that are put into the list.

        `forecast_s` are those without load; None where nothing was learned.
        """
        took, seen = list[float](), self._now(model, time.monotonic())
        q, seen.in_flight = seen.in_flight, seen.in_flight + 1
        try:
            yield took
        finally:
            seen.in_flight -= 1
            for took_s in took:
                if forecast_s:
                    self.saw(model, took_s / forecast_s, q, time.monotonic())

    def saw(self, model: str, times: float, in_flight: int, now_s: float) -> None:
        """Take in an answer of `times` its forecast that was asked for with so many in flight."""
        seen, late = self._now(model, now_s), min(times, MOST) - 1.0
        seen.fade(KEPT)
        seen.n += 1.0
        seen.q += in_flight
        seen.qq += in_flight**2
        seen.r += late
        seen.qr += late * in_flight

    def _now(self, model: str, now_s: float) -> _Seen:
        seen = self._seen.setdefault(model, _Seen(at_s=now_s))
        seen.fade(0.5 ** (max(now_s - seen.at_s, 0.0) / HALF_LIFE_S))
        seen.at_s = now_s
        return seen
