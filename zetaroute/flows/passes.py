"""The two looks at a log: a survey of all of it, then a harvest of its parts.

What has not changed since the last retrain is not looked at again, but for the newest rows, which are read one by
one. Apart from `learning` because what is learned does not depend on it.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from zetaroute.domain import Arm
from zetaroute.evaluate.scales import Scales
from zetaroute.flows.reading import Reader
from zetaroute.learn.harvest import Harvest, ReadRows, Wanted, harvest
from zetaroute.learn.parts import Parts
from zetaroute.learn.remembered import (
    Remembered,
    SpanNote,
    in_spans,
    name_of,
    read_remembered,
    write_remembered,
)
from zetaroute.learn.statistics import Statistics, combined
from zetaroute.learn.survey import Survey, survey, total
from zetaroute.store.spans import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed:
    """The first look."""

    whole: Survey
    parts: Sequence[Survey]
    """Of every part, without rows and texts."""
    unchanged: Mapping[int, Survey]
    """What is remembered of parts that have not changed, by their number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Harvested:
    """The second look."""

    statistics: Statistics
    training: ReadRows
    """The newest training rows."""
    held_out: ReadRows
    counted: Mapping[int, int]
    """How many rows of every part are in the sums, in the order in which they are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is remembered of the home's own log from one retrain to the next, span by span."""

    path: Path
    spans: Sequence[Span]
    fingerprints: Sequence[str]
    """Of all that the log says in every span. They are taken before anything is read: what comes in between makes
    the next retrain read the span again."""
    scales: Scales

    def recall(self, arms: Sequence[Arm], seed: int) -> Remembered | None:
        """Return what is remembered, where it is of use."""
        return read_remembered(self.path, _surveyed_as(arms, seed), self.fingerprints)

    def counted_as(self, wanted: Wanted, feature_map: str) -> str:
        """Return what the sums of a span depend on besides its rows."""
        return repr((feature_map, wanted.trust, self.scales, [(arm.id, arm.prices) for arm in wanted.arms]))

    def keep(self, look: Surveyed, found: Harvested, wanted: Wanted, *, seed: int) -> None:
        """Remember what was found, in place of what was remembered before."""
        place = {number: place for place, number in enumerate(found.counted)}
        lows, places = (
            [span.low or "" for span in self.spans],
            [place[number] for number in range(len(place))],
        )
        write_remembered(
            self.path,
            Remembered(
                surveyed_as=_surveyed_as(wanted.arms, seed),
                counted_as=self.counted_as(wanted, found.statistics.map),
                sums=name_of(found.statistics.parts),
                spans=tuple(
                    SpanNote(fingerprint=self.fingerprints[number], survey=look.parts[number], parts=count)
                    for number, count in found.counted.items()
                ),
                training=in_spans(look.whole.training, lows, places),
                held_out=in_spans(look.whole.held_out, lows, places),
            ),
        )


def surveyed(
    reader: Reader, arms: Sequence[Arm], *, seed: int, remembered: Remembered | None = None
) -> Surveyed:
    """Survey a log with these arms; parts that are remembered and have not changed are not read."""
    unchanged = remembered.surveys() if remembered else {}
    fresh = reader.each(partial(survey, seed=seed), arms, but=unchanged)
    parts = []

    def each() -> Iterator[Survey]:
        for number in range(reader.parts):
            found = unchanged[number] if number in unchanged else next(fresh)
            parts.append(found.without_rows())
            yield found

    whole = total(each())
    if remembered and not remembered.suffices(whole):
        return surveyed(reader, arms, seed=seed)
    return Surveyed(whole=whole, parts=parts, unchanged=unchanged)


def at_rest(remembered: Remembered, look: Surveyed, wanted: Wanted, counted_as: str) -> dict[int, slice]:
    """Return the parts that need no second look, by their number, and where their rows are among the earlier sums'.

    Those have not changed, nor has what their sums depend on, and they hold none of the newest rows.
    """
    earlier = wanted.earlier
    if earlier is None or remembered.counted_as != counted_as or remembered.sums != name_of(earlier.parts):
        return {}
    places = remembered.counted()
    return {
        number: places[number]
        for number, found in look.unchanged.items()
        if wanted.training.select(found.training).is_empty()
        and wanted.held_out.select(found.held_out).is_empty()
    }


def harvested(
    reader: Reader, wanted: Wanted, feature_map: str, resting: Mapping[int, slice] | None = None
) -> Harvested:
    """Return the sums of all parts in vectors of the map with this identity, and the newest rows of either side.

    The rows of parts at rest are in the earlier sums.
    """
    resting, earlier = resting or {}, wanted.earlier
    idle, active = _apart(earlier, resting) if earlier and resting else (None, earlier)
    numbers = [number for number in range(reader.parts) if number not in resting]
    counts, sums, near, held_out = dict.fromkeys(numbers, 0), None, [], []
    harvests: Iterator[Harvest] = reader.each(harvest, replace(wanted, earlier=active), but=resting)
    for number, found in zip(numbers, harvests, strict=True):
        sums = found.counted if sums is None else sums + found.counted
        counts[number] = len(found.counted.parts)
        near.append(found.training)
        held_out.append(found.held_out)
    assert sums is not None  # noqa: S101  - the newest rows are read
    models = [arm.id for arm in wanted.arms]
    statistics = combined(sums, models, feature_map=feature_map, earlier=active)
    if statistics is None:
        return harvested(reader, replace(wanted, earlier=None), feature_map)
    if idle is not None:
        statistics = replace(statistics, parts=idle + statistics.parts)
    order = sorted(resting, key=lambda number: resting[number].start)
    return Harvested(
        statistics=statistics,
        training=ReadRows.together(near),
        held_out=ReadRows.together(held_out),
        counted={number: resting[number].stop - resting[number].start for number in order} | counts,
    )


def _apart(earlier: Statistics, resting: Mapping[int, slice]) -> tuple[Parts, Statistics]:
    """Return the parts at rest, in their order, and the earlier sums as those of the other parts."""
    rests = np.zeros(len(earlier.parts), dtype=bool)
    for place in resting.values():
        rests[place] = True
    return earlier.parts.take(rests), replace(earlier, parts=earlier.parts.take(~rests))


def _surveyed_as(arms: Sequence[Arm], seed: int) -> str:
    """Return what a survey depends on besides its rows; hashes are the same in these versions alone."""
    versions = [importlib.metadata.version(name) for name in ("zetaroute", "duckdb", "polars")]
    return repr((versions, [arm.id for arm in arms], seed))
