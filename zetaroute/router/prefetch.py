"""What policies expect of the next queries of a batch: asked for many at once it takes a third of the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from zetaroute.domain import Arm, Query
from zetaroute.errors import ZetarouteError
from zetaroute.policy import Policy
from zetaroute.policy.policy import Expectation

Task = tuple[Query, str | None]
"""A query and the model that is pinned for it."""

BLOCK = 16
"""Queries that are looked at together: the sockets wait meanwhile, and more would save hardly anything."""
MOST_CHARACTERS = 16_000
"""Characters after which a block ends before that: each policy takes some four milliseconds for it at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedForecast:
    """What is expected of one query."""

    by_version: Mapping[str, Expectation] = field(default_factory=dict)
    took_s: float = 0.0
    """Its share of the time that it took."""


@dataclass(slots=True)
class ForecastCache:
    """What is expected of queries that are still to be decided."""

    _known: dict[tuple[str, str | None], CachedForecast] = field(default_factory=dict)

    def prefetch(self, queries: Sequence[Query], policies: Sequence[Policy], arms: Sequence[Arm]) -> None:
        """Look at some queries; a policy that goes by the record or by given vectors cannot know before its turn."""
        able = [policy for policy in policies if policy.reads_words]
        queries = [query for query in queries if query.embedding is None]
        if not able or not queries:
            return
        start = time.perf_counter()
        found = [policy.expect(queries, arms) for policy in able]
        took_s = (time.perf_counter() - start) / len(queries)
        for row, query in enumerate(queries):
            by_version = {policy.version: seen[row] for policy, seen in zip(able, found, strict=True)}
            self._known[query.text, query.task] = CachedForecast(by_version=by_version, took_s=took_s)

    def pop(self, query: Query) -> CachedForecast:
        """Return what is expected of a query, once; nothing where it was not looked at."""
        return self._known.pop((query.text, query.task), _NOTHING)


_NOTHING = CachedForecast()


def prefetching(
    feed: Iterator[Task | None], look: Callable[[Sequence[Query]], None]
) -> Iterator[Task | None]:
    """Yield what a feed yields, a block at a time looked at before; pinned queries need no look.

    Where the feed breaks off, what came before is yielded first.
    """
    failure: ZetarouteError | None = None
    ended = False
    while not ended:
        block: list[Task | None] = []
        characters = 0
        try:
            for task in feed:
                block.append(task)
                characters += 0 if task is None else len(task[0].text)
                if len(block) == BLOCK or characters >= MOST_CHARACTERS:
                    break
            else:
                ended = True
        except ZetarouteError as error:
            failure, ended = error, True
        look([task[0] for task in block if task is not None and task[1] is None])
        yield from block
    if failure is not None:
        raise failure
