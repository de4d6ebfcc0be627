"""Counters of all workers in one piece of shared memory, and how Prometheus reads them.

Written by hand because a scrape reaches one worker and must report all: every name and label is known at the
start, so each worker has a row of numbers of its own, and a reader adds them up. No file, no lock, no library.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from multiprocessing import get_context
from typing import Any

PLACES = ("chat", "embeddings", "feedback", "models", "page", "other")
STATUSES = (
    *map(str, (200, 400, 401, 404, 405, 408, 413, 415, 429, 499, 500, 502, 503, 504)),
    "other",
)
_QUOTED = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})
BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


@dataclass(frozen=True, slots=True)
class _Family:
    name: str
    help: str
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    kind: str = field(default="counter", kw_only=True)

    def series(self) -> Iterator[tuple[str, str]]:
        """Yield name and labels of every number, in the order in which they lie in a row."""
        if self.kind != "histogram":
            for values in product(*self.labels.values()):
                yield self.name, _labels(dict(zip(self.labels, values, strict=True)))
            return
        for bound in (*map(str, BOUNDS_S), "+Inf"):
            yield f"{self.name}_bucket", _labels({"le": bound})
        yield f"{self.name}_sum", ""


def _families(models: Sequence[str]) -> tuple[_Family, ...]:
    kinds, statuses = ("input", "output"), ("ok", "error", "cancelled")
    told: tuple[tuple[str, str, Mapping[str, Sequence[str]]], ...] = (
        ("requests_total", "Requests by place and status.", {"place": PLACES, "status": STATUSES}),
        ("outcomes_total", "Rows of the log by model and status.", {"model": models, "status": statuses}),
        ("tokens_total", "Tokens by model and kind.", {"model": models, "kind": kinds}),
        ("cost_usd_total", "Known cost in USD by model.", {"model": models}),
        ("audits_total", "Rows of audits among them: answers of other models, to learn from.", {}),
        ("audit_cost_usd_total", "Known cost in USD of audits, their judges included.", {}),
        ("unkept_total", "Rows that the journal did not take.", {}),
        ("feedback_total", "Judgements that were kept.", {}),
    )
    seconds = (
        ("answer_seconds", "Time of chat requests, from their head to their last byte."),
        ("added_seconds", "The same without the time that models took."),
    )
    return (
        *(_Family(f"zetaroute_{name}", words, labels) for name, words, labels in told),
        _Family("zetaroute_in_flight", "Requests under way.", kind="gauge"),
        *(_Family(f"zetaroute_{name}", words, kind="histogram") for name, words in seconds),
    )


class Metrics:
    """The numbers of all workers; this process adds to one row of them."""

    def __init__(self, models: Sequence[str], *, cells: Any = None, workers: int = 1, slot: int = 0) -> None:
        self.workers = workers
        self._families = _families(models)
        self._models = frozenset(models)
        names = [series for family in self._families for series in family.series()]
        self._width = len(names)
        self._place = {name: place for place, name in enumerate(names)}
        self.cells: Any = (
            get_context("spawn").RawArray("d", self._width * workers) if cells is None else cells
        )
        self._start = slot * self._width
        # What was under way in a worker that died is not any more.
        self.cells[self._start + self._place["zetaroute_in_flight", ""]] = 0.0

    def add(self, name: str, value: float = 1.0, **labels: str) -> None:
        """Add to a counter or a gauge."""
        self.cells[self._start + self._place[name, _labels(labels)]] += value

    def request(self, place: str, status: int) -> None:
        """Count one request."""
        known = str(status) if str(status) in STATUSES else "other"
        self.add("zetaroute_requests_total", place=place, status=known)

    def observe(self, name: str, seconds_s: float) -> None:
        """Take a duration into a histogram."""
        bound = next((str(bound) for bound in BOUNDS_S if seconds_s <= bound), "+Inf")
        self.add(f"{name}_bucket", le=bound)
        self.add(f"{name}_sum", seconds_s)

    def text(self, **now: float) -> str:
        """Return all numbers as Prometheus reads them; `now` are gauges that are read this moment."""
        rows = [self.cells[start : start + self._width] for start in range(0, len(self.cells), self._width)]
        totals = [sum(column) for column in zip(*rows, strict=True)]
        lines: list[str] = []
        for family in self._families:
            lines += [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} {family.kind}"]
            lines += self._lines(family, totals)
        for name, value in now.items():
            lines += [f"# TYPE zetaroute_{name} gauge", f"zetaroute_{name} {value:.15g}"]
        return "\n".join(lines) + "\n"

    def _lines(self, family: _Family, totals: Sequence[float]) -> Iterator[str]:
        below = 0.0
        for series in family.series():
            name, labels = series
            value = totals[self._place[series]]
            if name.endswith("_bucket"):
                # Stored separately and shown together: a bucket counts all that is at most its bound.
                below = value = below + value
            yield f"{name}{labels} {value:.15g}"
        if family.kind == "histogram":
            yield f"{family.name}_count {below:.15g}"


def _labels(values: Mapping[str, str]) -> str:
    if not values:
        return ""
    return "{" + ",".join(f'{name}="{value.translate(_QUOTED)}"' for name, value in values.items()) + "}"
