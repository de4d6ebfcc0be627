"""From a log to what it teaches: open it, survey it, collect sums and newest rows, fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from zetaroute.config import Settings
from zetaroute.errors import UsageError, ZetarouteError
from zetaroute.features import AnyMap, EmbeddedMap, Embeddings, FeatureMap
from zetaroute.learn.embeddings import logged_vectors
from zetaroute.learn.feature_maps import MOST_TEXTS
from zetaroute.learn.fit import Fitted, conclude, map_of
from zetaroute.learn.frame import forgotten_rows, learnable, read_frame, read_scales
from zetaroute.learn.incremental.cache import PartitionCache
from zetaroute.learn.incremental.collect import Collected, CollectRequest, ReadRows, collect
from zetaroute.learn.incremental.readers import Partitions, Reader, Whole
from zetaroute.learn.incremental.survey import Survey, survey_log
from zetaroute.learn.incremental.vectors import KnownVectors, keep_vectors
from zetaroute.learn.label_trust import (
    MeasuredCheck,
    SourceReliability,
    measured_checks,
    reliabilities,
    trust_in,
)
from zetaroute.log.log import Log
from zetaroute.log.partitions import fingerprints, spans
from zetaroute.log.sources import open_sources

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PARTITION_ROWS = 50_000
"""Rows that are read at once."""
MOST_PARTITIONS = 2_000
"""Of a log that a cluster reads: the driver adds up their surveys one after the other."""
FEWEST_ROWS = 20
"""Training rows below which a fit would be noise."""


Opener = Callable[[], AbstractContextManager["DuckDBPyConnection"]]
"""Opens a log for a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSource:
    """Where rows come from, and how they are read."""

    open: Opener
    reader: Reader
    cache: PartitionCache | None
    """None where no partition can be left unread."""
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
    """What a log teaches."""

    survey: Survey
    fitted: Fitted
    newest: ReadRows
    """The newest training rows."""
    reliability: dict[str, SourceReliability]


def opener(log: Log, sources: Sequence[str]) -> Opener:
    """Return what opens a log, or what `sources` name in place of its own rows."""
    return partial(open_sources, sources) if sources else log.open


def open_source(
    connection: DuckDBPyConnection,
    log: Log,
    settings: Settings,
    *,
    since: str | None,
    sources: Sequence[str],
    cluster: bool,
    partition_rows: int = PARTITION_ROWS,
) -> TrainingSource:
    """Return how the rows of a log are read, or those that `sources` name; `connection` shows them.

    A large log is read `partition_rows` at a time. Where rows have vectors in place of a text, all must be seen at
    once; raises UsageError where a `cluster` should read those.
    """
    opened = opener(log, sources)
    given, cache = None, None
    notes, checks = forgotten_rows(connection, since=since), measured_checks(connection)
    by_text = settings.embedding is None and not _count(connection, "store IS NOT NULL")
    if cluster:
        if not by_text:
            raise UsageError(
                "--cluster learns from texts, and this log has vectors in place of some: retrain without it."
            )
        partition_rows = max(partition_rows, _count(connection, "true") // MOST_PARTITIONS)
    parts, gone = spans(connection, partition_rows), _count(connection, "forgotten IS NOT NULL")
    if by_text and (cluster or len(parts) > 1):
        scales = read_scales(connection, since=since)
        reader: Reader = Partitions(
            open=partial(open_sources, sources or [str(log.home.database)]) if cluster else opened,
            spans=parts,
            since=since,
            scales=scales,
            clustered=cluster,
        )
        if not sources and not cluster and since is None:
            cache = PartitionCache(
                folder=log.home.partitions, spans=parts, fingerprints=fingerprints(connection, parts)
            )
    else:
        frame = read_frame(connection, since=since)
        given = logged_vectors(frame, settings, log.home)
        frame, unread = learnable(frame, given)
        reader, notes = Whole(frame), notes + unread
    return TrainingSource(
        open=opened,
        reader=reader,
        cache=cache,
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
    log: Log,
    *,
    known: AnyMap | None,
    anchor: str | None,
    seed: int,
) -> TrainingResult:
    """Learn from all rows of a source, on the `known` feature map while it is not outgrown.

    The single model `anchor` is kept unless another is better (see `conclude`).

    Raises ZetarouteError when there is too little to learn from.
    """
    arms = settings.arms
    surveyed_as = repr(("survey", [arm.id for arm in arms], seed))
    seen = survey_log(
        source.reader,
        arms,
        seed=seed,
        cache=source.cache,
        key=surveyed_as,
        # Of a map that has read as many texts as it ever will, no text is asked any more.
        settled=isinstance(known, FeatureMap) and known.texts >= MOST_TEXTS,
    )
    _require_rows(seen, source.notes)
    believed = reliabilities(seen.pairs)
    feature_map, vectors = map_of(
        seen.text_labels(), known, seed=seed, distinct=seen.texts.height, given=source.given
    )
    # Where vectors come from outside, that of a text may change without its row.
    keeps_vectors = source.own and not source.clustered and not isinstance(feature_map, EmbeddedMap)
    wanted = CollectRequest(
        arms=arms,
        trust=trust_in(believed),
        # What has fitted a map knows the vectors of the texts that it was fitted on, and is too large to send.
        vectors=feature_map.vectors if source.clustered else vectors,
        size=feature_map.size,
        newest=seen.newest(),
        known=KnownVectors.read(log.home.vectors, feature_map.identity(), feature_map.size)
        if keeps_vectors
        else KnownVectors(),
    )
    found = _collected(source, wanted, seen, feature_map, surveyed_as)
    if keeps_vectors:
        keep_vectors(log.home.vectors, feature_map.identity(), found.newest.rows.key, found.newest.x)
    fitted = conclude(
        found.sums,
        found.newest.rows,
        found.newest.x.astype(np.float64),
        arms,
        arm_rows=seen.arm_rows,
        feature_map=feature_map,
        vectors=vectors,
        objective=settings.objective,
        anchor=anchor,
    )
    return TrainingResult(survey=seen, fitted=fitted, newest=found.newest, reliability=believed)


def _collected(
    source: TrainingSource, wanted: CollectRequest, seen: Survey, feature_map: AnyMap, surveyed_as: str
) -> Collected:
    cache = source.cache
    if cache is None or not isinstance(source.reader, Partitions):
        return collect(source.reader, wanted)
    costs = [(arm.id, arm.prices) for arm in wanted.arms]
    counted_as = repr(("sums of all rows", feature_map.identity(), wanted.trust, source.reader.scales, costs))
    newest = cache.holding(seen.latest)
    found = collect(source.reader, wanted, cache=cache, key=counted_as, newest=newest)
    cache.keep_only([surveyed_as, counted_as])
    return found


def drop_forgotten(connection: DuckDBPyConnection, log: Log, source: TrainingSource) -> None:
    """Keep nothing for the next retrain where rows of a source were forgotten while this one read them."""
    if source.own and _count(connection, "forgotten IS NOT NULL") != source.forgotten:
        log.home.drop_retrain_cache()


def _count(connection: DuckDBPyConnection, which: str) -> int:
    (count,) = connection.execute(f"SELECT count(*) FROM outcomes WHERE {which}").fetchone() or (0,)
    return int(count)


def _require_rows(seen: Survey, notes: Sequence[str]) -> None:
    if seen.rows["all"] == 0:
        left_out = f" ({'; '.join(notes)})" if notes else ""
        raise ZetarouteError(
            f"there are no rows to learn from yet{left_out}: `zetaroute batch` or `zetaroute ask` bring some."
        )
    if max(seen.graded, seen.rows["rated"]) < FEWEST_ROWS:
        raise ZetarouteError(
            f"only {seen.graded} training rows have a known accuracy and {seen.rows['rated']} a rating, at least "
            f"{FEWEST_ROWS} are needed: ask with --reference, run a batch with references, or rate answers."
        )
