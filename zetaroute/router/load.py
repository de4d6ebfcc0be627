"""How loaded each model is, by the calls in flight and the latest response times of a running process."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from zetaroute.domain import Decision, Outcome

HALF_LIFE_S = 60.0
"""After this an answer counts half, so that a model which was slow and is not asked any more is tried again."""
KEPT = 0.9
"""Share of its weight that an answer keeps with each later one."""
USUAL = 3.0
"""Answers as fast as forecast, and calls in flight that did not matter, that every model is taken to have had."""
LEAST, MOST = 0.3, 20.0
"""Times the forecast that an answer is taken to need now."""


class _Seen:
    """Sums over the latest answers of a model: of their weights, and with these of q, q q, r, and q r.

    q were in flight when an answer was asked for that took 1 + r times its forecast.
    """

    __slots__ = ("at_s", "in_flight", "sums")

    def __init__(self) -> None:
        self.sums = [0.0] * 5
        self.at_s, self.in_flight = 0.0, 0

    def faded(self, now_s: float) -> list[float]:
        kept = 0.5 ** (max(now_s - self.at_s, 0.0) / HALF_LIFE_S)
        return [kept * one for one in self.sums]

    def factor(self, now_s: float) -> float:
        """Return how many times its forecast an answer takes now: 1 + a + c q by least squares, c >= 0."""
        n, q, qq, r, qr = self.faded(now_s)
        n, qq = n + USUAL, qq + USUAL
        slope = max((n * qr - q * r) / (n * qq - q**2), 0.0)
        return min(max(1.0 + (r - slope * q) / n + slope * self.in_flight, LEAST), MOST)


def answered_s(decision: Decision, rows: Sequence[Outcome]) -> list[float]:
    """Return the seconds of the answer that the decided model gave first; none where it failed or is recorded."""
    row = rows[0]
    given = row.model == decision.model and row.status == "ok" and not row.recorded
    return [row.response_s] if given and row.response_s is not None else []


class Load:
    """The load of the models that a process asks."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def slow(self, now_s: float) -> dict[str, float]:
        """Return by model how many times its forecast an answer takes at this moment, in seconds of any clock."""
        return {model: seen.factor(now_s) for model, seen in self._seen.items()}

    @contextmanager
    def asking(self, model: str, forecast_s: float | None) -> Iterator[list[float]]:
        """Count a call of a model while it lasts, and take in the seconds that are put into the list.

        `forecast_s` are those without load; None where nothing was learned.
        """
        took, seen = list[float](), self._seen.setdefault(model, _Seen())
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
        seen, late = self._seen.setdefault(model, _Seen()), min(times, MOST) - 1.0
        new = (1.0, in_flight, in_flight**2, late, late * in_flight)
        seen.sums = [KEPT * old + more for old, more in zip(seen.faded(now_s), new, strict=True)]
        seen.at_s = now_s
