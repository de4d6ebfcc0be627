"""From a log to what it teaches: surveyed as a whole, then learned from part by part.

Apart from `retrain` because judging, storing and promoting what was learned are other matters.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zetaroute.config import Settings
from zetaroute.domain import Arm
from zetaroute.errors import UsageError, ZetarouteError
from zetaroute.evaluate.satisfaction import Scales
from zetaroute.features import AnyMap, EmbeddedMap, Embeddings, FeatureMap
from zetaroute.learn.embeddings import logged_vectors
from zetaroute.learn.feature_maps import MOST_TEXTS
from zetaroute.learn.fit import Fitted, conclude, map_of
from zetaroute.learn.frame import forgotten_rows, learnable, read_frame, read_scales
from zetaroute.learn.incremental.cache import (
    RetrainCache,
    SpanNote,
    fingerprint,
    in_spans,
    read_cache,
    read_vectors,
    write_cache,
    write_vectors,
)
from zetaroute.learn.incremental.collect import (
    CollectRequest,
    PartitionStatistics,
    ReadRows,
    collect_statistics,
)
from zetaroute.learn.incremental.readers import Blocks, Clustered, Reader, Whole
from zetaroute.learn.incremental.survey import Survey, survey, total
from zetaroute.learn.incremental.update import RowFingerprints, Statistics, combined, kept_statistics
from zetaroute.learn.incremental.vectors import KnownVectors
from zetaroute.learn.label_trust import (
    MeasuredCheck,
    SourceReliability,
    measured_checks,
    reliabilities,
    trust_in,
)
from zetaroute.log.log import Log
from zetaroute.log.partitions import Span, fingerprints, spans
from zetaroute.log.sources import open_sources
from zetaroute.registry import Registry

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSurvey:
    """The first look."""

    whole: Survey
    parts: Sequence[Survey]
    """Of every part, without rows and texts."""
    unchanged: Mapping[int, Survey]
    """What is remembered of parts that have not changed, by their number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedStatistics:
    """The second look."""

    statistics: Statistics
    training: ReadRows
    """The newest training rows."""
    held_out: ReadRows
    counted: Mapping[int, int]
    """How many rows of every part are in the sums, in the order in which they are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionCache:
    """What is remembered of the home's own log from one retrain to the next, span by span."""

    path: Path
    spans: Sequence[Span]
    fingerprints: Sequence[str]
    """Of all that the log says in every span. They are taken before anything is read: what comes in between makes
    the next retrain read the span again."""
    scales: Scales

    def recall(self, arms: Sequence[Arm], seed: int) -> RetrainCache | None:
        """Return what is remembered, where it is of use."""
        return read_cache(self.path, _surveyed_as(arms, seed), self.fingerprints)

    def counted_as(self, wanted: CollectRequest, feature_map: str) -> str:
        """Return what the sums of a span depend on besides its rows."""
        return repr((feature_map, wanted.trust, self.scales, [(arm.id, arm.prices) for arm in wanted.arms]))

    def keep(self, look: LogSurvey, found: CollectedStatistics, wanted: CollectRequest, *, seed: int) -> None:
        """Remember what was found, in place of what was remembered before."""
        place = {number: place for place, number in enumerate(found.counted)}
        lows, places = (
            [span.low or "" for span in self.spans],
            [place[number] for number in range(len(place))],
        )
        write_cache(
            self.path,
            RetrainCache(
                surveyed_as=_surveyed_as(wanted.arms, seed),
                counted_as=self.counted_as(wanted, found.statistics.map),
                sums=fingerprint(found.statistics.parts),
                spans=tuple(
                    SpanNote(fingerprint=self.fingerprints[number], survey=look.parts[number], parts=count)
                    for number, count in found.counted.items()
                ),
                training=in_spans(look.whole.training, lows, places),
                held_out=in_spans(look.whole.held_out, lows, places),
            ),
        )


def survey_log(
    reader: Reader, arms: Sequence[Arm], *, seed: int, remembered: RetrainCache | None = None
) -> LogSurvey:
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
        return survey_log(reader, arms, seed=seed)
    return LogSurvey(whole=whole, parts=parts, unchanged=unchanged)


def unchanged_parts(
    remembered: RetrainCache, look: LogSurvey, wanted: CollectRequest, counted_as: str
) -> dict[int, slice]:
    """Return the parts that need no second look, by their number, and where their rows are among the earlier sums'.

    Those have not changed, nor has what their sums depend on, and they hold none of the newest rows.
    """
    earlier = wanted.earlier
    if (
        earlier is None
        or remembered.counted_as != counted_as
        or remembered.sums != fingerprint(earlier.parts)
    ):
        return {}
    places = remembered.counted()
    return {
        number: places[number]
        for number, found in look.unchanged.items()
        if wanted.training.select(found.training).is_empty()
        and wanted.held_out.select(found.held_out).is_empty()
    }


def collect(
    reader: Reader, wanted: CollectRequest, feature_map: str, resting: Mapping[int, slice] | None = None
) -> CollectedStatistics:
    """Return the sums of all parts in vectors of the map with this identity, and the newest rows of either side.

    The rows of parts at rest are in the earlier sums.
    """
    resting, earlier = resting or {}, wanted.earlier
    idle, active = _apart(earlier, resting) if earlier and resting else (None, earlier)
    numbers = [number for number in range(reader.parts) if number not in resting]
    counts, sums, near, held_out = dict.fromkeys(numbers, 0), None, [], []
    harvests: Iterator[PartitionStatistics] = reader.each(
        collect_statistics, replace(wanted, earlier=active), but=resting
    )
    for number, found in zip(numbers, harvests, strict=True):
        sums = found.counted if sums is None else sums + found.counted
        counts[number] = len(found.counted.parts)
        near.append(found.training)
        held_out.append(found.held_out)
    assert sums is not None  # noqa: S101  - the newest rows are read
    models = [arm.id for arm in wanted.arms]
    statistics = combined(sums, models, feature_map=feature_map, earlier=active)
    if statistics is None:
        return collect(reader, replace(wanted, earlier=None), feature_map)
    if idle is not None:
        statistics = replace(statistics, parts=idle + statistics.parts)
    order = sorted(resting, key=lambda number: resting[number].start)
    return CollectedStatistics(
        statistics=statistics,
        training=ReadRows.together(near),
        held_out=ReadRows.together(held_out),
        counted={number: resting[number].stop - resting[number].start for number in order} | counts,
    )


def _apart(earlier: Statistics, resting: Mapping[int, slice]) -> tuple[RowFingerprints, Statistics]:
    """Return the parts at rest, in their order, and the earlier sums as those of the other parts."""
    rests = np.zeros(len(earlier.parts), dtype=bool)
    for place in resting.values():
        rests[place] = True
    return earlier.parts.take(rests), replace(earlier, parts=earlier.parts.take(~rests))


def _surveyed_as(arms: Sequence[Arm], seed: int) -> str:
    """Return what a survey depends on besides its rows; hashes are the same in these versions alone."""
    versions = [importlib.metadata.version(name) for name in ("zetaroute", "duckdb", "polars")]
    return repr((versions, [arm.id for arm in arms], seed))


FEWEST_ROWS = 20
"""Training rows below which a fit would be noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSource:
    """Where rows come from, and how they are read."""

    open: Callable[[], AbstractContextManager[DuckDBPyConnection]]
    reader: Reader
    memory: PartitionCache | None
    """None where nothing is kept for the next retrain but the sums."""
    given: Embeddings | None
    """The vectors to learn from, where texts are not what is read."""
    checks: dict[str, MeasuredCheck]
    notes: list[str]
    """In words what is left out."""
    clustered: bool
    """Whether others read the rows, and only what they learned comes here."""
    own: bool
    """Whether the rows are the home's own."""
    forgotten: int
    """Rows that were forgotten when it was opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """What a log teaches, and the rows that a candidate is judged by."""

    survey: Survey
    fitted: Fitted
    training: ReadRows
    """The newest training rows."""
    held_out: ReadRows
    reliability: dict[str, SourceReliability]


def open_source(
    log: Log, settings: Settings, *, since: str | None, sources: Sequence[str], cluster: bool, block: int
) -> TrainingSource:
    """Return how the rows of a log are read, or those that `sources` name in place of its own.

    A large log is read `block` rows at a time. Where rows have vectors in place of a text, all must be seen at once.
    """
    opened = partial(open_sources, sources) if sources else log.open
    memory = None
    with opened() as connection:
        notes, checks = forgotten_rows(connection, since=since), measured_checks(connection)
        parts, gone = spans(connection, block), _count(connection, "forgotten IS NOT NULL")
        by_text = settings.embedding is None and not _count(connection, "store IS NOT NULL")
        if cluster and not by_text:
            raise UsageError(
                "--cluster learns from texts, and this log has vectors in place of some: retrain without it."
            )
        if by_text and (cluster or len(parts) > 1):
            scales = read_scales(connection, since=since)
            reader: Reader = (
                Clustered(
                    sources=sources or [str(log.home.database)], spans=parts, since=since, scales=scales
                )
                if cluster
                else Blocks(open=opened, spans=parts, since=since, scales=scales)
            )
            given = None
            if not cluster and not sources and since is None:
                memory = PartitionCache(
                    path=log.home.spans,
                    spans=parts,
                    fingerprints=fingerprints(connection, parts),
                    scales=scales,
                )
        else:
            frame = read_frame(connection, since=since)
            given = logged_vectors(frame, settings, log.home)
            frame, unread = learnable(frame, given)
            reader, notes = Whole(frame), notes + unread
    return TrainingSource(
        open=opened,
        reader=reader,
        memory=memory,
        given=given,
        checks=checks,
        notes=notes,
        clustered=cluster,
        own=not sources,
        forgotten=gone,
    )


def train(
    source: TrainingSource,
    settings: Settings,
    registry: Registry,
    log: Log,
    *,
    known: AnyMap | None,
    seed: int,
    jobs: int,
) -> TrainingResult:
    """Learn from all rows of a source, on the `known` feature map while it is not outgrown.

    Raises ZetarouteError when there is too little to learn from.
    """
    arms, models = settings.arms, [arm.id for arm in settings.arms]
    # Of a map that has read as many texts as it ever will, no text is asked any more.
    settled = isinstance(known, FeatureMap) and known.texts >= MOST_TEXTS
    remembered = source.memory.recall(arms, seed) if source.memory and settled else None
    look = survey_log(source.reader, arms, seed=seed, remembered=remembered)
    seen = look.whole
    _require_rows(seen, source.notes)
    believed = reliabilities(seen.pairs)
    feature_map, vectors = map_of(
        seen.text_labels(), known, seed=seed, distinct=seen.texts.height, given=source.given
    )
    reads_text = not isinstance(feature_map, EmbeddedMap)
    identity, alone = feature_map.identity(), reads_text and not source.clustered
    kept = kept_statistics(registry, identity) if alone else None
    keeps_vectors = alone and source.own
    wanted = CollectRequest(
        arms=arms,
        trust=trust_in(believed),
        # What has fitted a map knows the vectors of the texts that it was fitted on, and is too large to send.
        vectors=feature_map.vectors if source.clustered else vectors,
        size=feature_map.size,
        training=seen.newest_training(),
        held_out=seen.newest_held_out(),
        # Where vectors come from outside, that of a text may change without its row: all are counted again.
        earlier=None if kept is None else kept.of(models, identity),
        known=read_vectors(log.home.vectors, identity, feature_map.size) if keeps_vectors else KnownVectors(),
        keep_parts=not source.clustered,
    )
    resting = {}
    if source.memory and remembered:
        resting = unchanged_parts(remembered, look, wanted, source.memory.counted_as(wanted, identity))
    found = collect(source.reader, wanted, identity, resting)
    training, held_out = found.training, found.held_out
    if keeps_vectors:
        _keep_vectors(log, source, identity, [training, held_out])
    if source.memory:
        source.memory.keep(look, found, wanted, seed=seed)
    fitted = conclude(
        found.statistics,
        training.rows,
        training.x.astype(np.float64),
        arms,
        arm_rows=seen.arm_rows,
        feature_map=feature_map,
        vectors=vectors,
        objective=settings.objective,
        jobs=jobs,
    )
    return TrainingResult(
        survey=seen, fitted=fitted, training=training, held_out=held_out, reliability=believed
    )


def _keep_vectors(log: Log, source: TrainingSource, identity: str, rows: Sequence[ReadRows]) -> None:
    """Keep the vectors for the next retrain, unless one of their rows was forgotten meanwhile."""
    write_vectors(log.home.vectors, identity, rows)
    with source.open() as connection:
        if _count(connection, "forgotten IS NOT NULL") != source.forgotten:
            log.home.vectors.unlink(missing_ok=True)


def _count(connection: DuckDBPyConnection, which: str) -> int:
    (count,) = connection.execute(f"SELECT count(*) FROM outcomes WHERE {which}").fetchone() or (0,)
    return int(count)


def _require_rows(seen: Survey, notes: Sequence[str]) -> None:
    if seen.rows["all"] == 0:
        left_out = f" ({'; '.join(notes)})" if notes else ""
        raise ZetarouteError(
            f"there are no rows to learn from yet{left_out}: `zetaroute batch` or `zetaroute ask` bring some."
        )
    if seen.graded < FEWEST_ROWS:
        raise ZetarouteError(
            f"only {seen.graded} training rows have a known accuracy, at least {FEWEST_ROWS} are needed: "
            "ask with --reference, or run a batch with references."
        )
