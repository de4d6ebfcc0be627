"""A log read by the workers of a Dask cluster: each learns from spans of it, and only what they learned comes back.

Apart from the other readers because it needs the extra `cluster`.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

import polars as pl

from zetaroute.errors import UsageError
from zetaroute.evaluate.satisfaction import Scales
from zetaroute.learn.frame import read_frame
from zetaroute.log.partitions import Span, narrow
from zetaroute.log.sources import open_sources

if TYPE_CHECKING:
    from dask.distributed import Client
    from duckdb import DuckDBPyConnection


W = TypeVar("W")
R = TypeVar("R")

BLOCK = 100_000
"""Rows that are read at once."""


class Reader(Protocol):
    """Hands the rows of a log to whoever learns from them."""

    @property
    def parts(self) -> int:
        """How many parts the log has."""
        ...

    def each(
        self, learn: Callable[[pl.DataFrame, W], R], wanted: W, but: Collection[int] = ()
    ) -> Iterator[R]:
        """Yield what `learn` makes of every part of the log and of what is `wanted`, in order of the parts.

        `but` names parts by their number that are left out.
        """
        ...


@dataclass(frozen=True, slots=True)
class Whole:
    """A log that is at hand as one frame."""

    frame: pl.DataFrame
    parts = 1

    def each(
        self, learn: Callable[[pl.DataFrame, W], R], wanted: W, but: Collection[int] = ()
    ) -> Iterator[R]:
        """Yield what is learned from the whole."""
        if 0 not in but:
            yield learn(self.frame, wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """A log that is read span by span; nobody has to wait for longer than one takes."""

    open: Callable[[], AbstractContextManager[DuckDBPyConnection]]
    spans: Sequence[Span]
    since: str | None
    scales: Scales

    @property
    def parts(self) -> int:
        """How many spans there are."""
        return len(self.spans)

    def each(
        self, learn: Callable[[pl.DataFrame, W], R], wanted: W, but: Collection[int] = ()
    ) -> Iterator[R]:
        """Yield what is learned from every span."""
        for number, span in enumerate(self.spans):
            if number not in but:
                yield learn(self.read(span), wanted)

    def read(self, span: Span) -> pl.DataFrame:
        """Return the rows of one span."""
        with self.open() as connection:
            narrow(connection, span)
            return read_frame(connection, since=self.since, scales=self.scales)


PATIENCE_S = 30
"""How long a cluster may take to answer at first."""
AT_ONCE = 64
"""Spans whose harvests may wait here together to be added up."""


@contextmanager
def on_cluster(address: str) -> Iterator[None]:
    """Let joblib's work run on the Dask cluster whose scheduler is at `address`, such as tcp://host:8786.

    Raises UsageError where that names no place, the extra is missing, nothing answers there, or no worker has come.
    """
    if "://" not in address:
        raise UsageError(f"--cluster {address!r} must look like tcp://host:8786.")
    try:
        from dask.distributed import Client
        from joblib import parallel_config
    except ImportError as error:
        raise UsageError("--cluster needs another package: pip install 'zetaroute[cluster]'.") from error
    try:
        client = Client(address, timeout=PATIENCE_S, set_as_default=True)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        raise UsageError(
            f"--cluster {address}: no Dask scheduler answers there ({_first_line(error)}): "
            "start one with `dask scheduler`."
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE_S)
        except TimeoutError as error:
            raise UsageError(
                f"--cluster {address}: the scheduler has no worker: start some with `dask worker {address}`."
            ) from error
        _require_same_code(client, address)
        with parallel_config(backend="dask", wait_for_workers_timeout=PATIENCE_S):
            yield


def _require_same_code(client: Client, address: str) -> None:
    """Raise UsageError unless every worker runs this version: what cannot be loaded there is waited for in vain."""
    mine = _version()
    try:
        others = set(client.run(_version).values()) - {mine}
    except Exception as error:
        raise UsageError(
            f"--cluster {address}: a worker cannot load zetaroute {mine} ({_first_line(error)}): install it there."
        ) from error
    if others:
        raise UsageError(
            f"--cluster {address}: there are workers with zetaroute {', '.join(sorted(others))}, and this is {mine}: "
            "install the same version everywhere."
        )


def _version() -> str:
    return importlib.metadata.version("zetaroute")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustered:
    """A log that the workers of the cluster read, from paths that all of them can reach."""

    sources: Sequence[str]
    spans: Sequence[Span]
    since: str | None
    scales: Scales

    @property
    def parts(self) -> int:
        """How many spans there are."""
        return len(self.spans)

    def each(
        self, learn: Callable[[pl.DataFrame, W], R], wanted: W, but: Collection[int] = ()
    ) -> Iterator[R]:
        """Yield what is learned from every span; a span whose worker is lost is given to another."""
        from joblib import Parallel, delayed

        read = partial(_learn, tuple(self.sources), self.since, self.scales, learn)
        spans = [span for number, span in enumerate(self.spans) if number not in but]
        for start in range(0, len(spans), AT_ONCE):
            some = spans[start : start + AT_ONCE]
            yield from Parallel(n_jobs=-1)(delayed(read)(span, wanted) for span in some)


def _learn(
    sources: Sequence[str],
    since: str | None,
    scales: Scales,
    learn: Callable[[pl.DataFrame, W], R],
    span: Span,
    wanted: W,
) -> R:
    from threadpoolctl import threadpool_limits

    blocks = Blocks(open=lambda: open_sources(sources), spans=[span], since=since, scales=scales)
    with threadpool_limits(limits=1, user_api="blas"):
        return next(blocks.each(learn, wanted))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].strip() or type(error).__name__
