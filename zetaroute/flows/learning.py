"""From a log to what it teaches: surveyed as a whole, then learned from part by part.

Apart from `retrain` because judging, storing and promoting what was learned are other matters.
"""

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
from zetaroute.flows.cluster import Clustered
from zetaroute.flows.passes import Memory, at_rest, harvested, surveyed
from zetaroute.flows.reading import Blocks, Reader, Whole
from zetaroute.flows.vectors import logged_vectors
from zetaroute.learn.checks import MeasuredCheck, measured_checks
from zetaroute.learn.fit import Fitted, conclude, map_of
from zetaroute.learn.frame import forgotten_rows, learnable, read_frame, read_scales
from zetaroute.learn.harvest import ReadRows, Wanted
from zetaroute.learn.known import read_vectors, write_vectors
from zetaroute.learn.map import MOST_TEXTS
from zetaroute.learn.reliability import Reliability, reliabilities, trust_in
from zetaroute.learn.statistics import kept_statistics
from zetaroute.learn.survey import Survey
from zetaroute.learn.vectors import KnownVectors
from zetaroute.registry import Registry
from zetaroute.store.log import Log
from zetaroute.store.sources import open_sources
from zetaroute.store.spans import fingerprints, spans

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FEWEST_ROWS = 20
"""Training rows below which a fit would be noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where rows come from, and how they are read."""

    open: Callable[[], AbstractContextManager[DuckDBPyConnection]]
    reader: Reader
    memory: Memory | None
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
class Lesson:
    """What a log teaches, and the rows that a candidate is judged by."""

    survey: Survey
    fitted: Fitted
    training: ReadRows
    """The newest training rows."""
    held_out: ReadRows
    reliability: dict[str, Reliability]


def open_source(
    log: Log, settings: Settings, *, since: str | None, sources: Sequence[str], cluster: bool, block: int
) -> Source:
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
                memory = Memory(
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
    return Source(
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


def learn(
    source: Source,
    settings: Settings,
    registry: Registry,
    log: Log,
    *,
    known: AnyMap | None,
    seed: int,
    jobs: int,
) -> Lesson:
    """Learn from all rows of a source, on the `known` feature map while it is not outgrown.

    Raises ZetarouteError when there is too little to learn from.
    """
    arms, models = settings.arms, [arm.id for arm in settings.arms]
    # Of a map that has read as many texts as it ever will, no text is asked any more.
    settled = isinstance(known, FeatureMap) and known.texts >= MOST_TEXTS
    remembered = source.memory.recall(arms, seed) if source.memory and settled else None
    look = surveyed(source.reader, arms, seed=seed, remembered=remembered)
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
    wanted = Wanted(
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
        resting = at_rest(remembered, look, wanted, source.memory.counted_as(wanted, identity))
    found = harvested(source.reader, wanted, identity, resting)
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
    return Lesson(survey=seen, fitted=fitted, training=training, held_out=held_out, reliability=believed)


def _keep_vectors(log: Log, source: Source, identity: str, rows: Sequence[ReadRows]) -> None:
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
