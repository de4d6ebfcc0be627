"""How the rows of a log are read: at once, or partition by partition, here or by the workers of a Dask cluster."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

import polars as pl

from zetaroute.errors import UsageError
from zetaroute.evaluate.satisfaction import Scales
from zetaroute.learn.frame import read_frame
from zetaroute.log.partitions import Span, narrow

if TYPE_CHECKING:
    from dask.distributed import Client
    from duckdb import DuckDBPyConnection

W = TypeVar("W")
R = TypeVar("R")

MOST_HELD = 2
"""Spans whose rows stay here: a log is looked at twice, and often no more of it than this has changed."""
AT_ONCE = 64
"""Partitions whose results may wait here together to be added up."""
PATIENCE_S = 30.0
"""How long a cluster may take to answer at first."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A log that is at hand as one frame."""

    frame: pl.DataFrame
    parts = 1

    def each(self, learn: Callable[[pl.DataFrame, W], R], wanted: W, numbers: Sequence[int]) -> Iterator[R]:
        """Yield what is learned from the whole, for each of the `numbers`, of which there is 0 alone."""
        return (learn(self.frame, wanted) for _ in numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Partitions:
    """A log that is read span by span: no more than one must fit in memory, and workers may share them."""

    open: Callable[[], AbstractContextManager[DuckDBPyConnection]]
    spans: Sequence[Span]
    since: str | None
    scales: Scales
    """What the scales of satisfaction mean, by the whole log."""
    clustered: bool = False
    """Whether the workers of a cluster read, from paths that all of them can reach."""
    _held: dict[Span, pl.DataFrame] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def parts(self) -> int:
        """How many spans there are."""
        return len(self.spans)

    def each(self, learn: Callable[[pl.DataFrame, W], R], wanted: W, numbers: Sequence[int]) -> Iterator[R]:
        """Yield what `learn` makes of the spans with these numbers and of what is `wanted`, in their order.

        A span whose worker is lost is given to another.
        """
        if not self.clustered:
            yield from (learn(self.read(self.spans[number]), wanted) for number in numbers)
            return
        from joblib import Parallel, delayed

        for start in range(0, len(numbers), AT_ONCE):
            spans = [self.spans[number] for number in numbers[start : start + AT_ONCE]]
            here = replace(self, spans=())
            yield from Parallel(n_jobs=-1)(delayed(_learned)(here, learn, span, wanted) for span in spans)

    def read(self, span: Span) -> pl.DataFrame:
        """Return the rows of one span."""
        if span not in self._held:
            for oldest in list(self._held)[: 1 - MOST_HELD]:
                del self._held[oldest]
            with self.open() as connection:
                narrow(connection, span)
                self._held[span] = read_frame(connection, since=self.since, scales=self.scales)
        return self._held[span]


Reader = Whole | Partitions


def _learned(reader: Partitions, learn: Callable[[pl.DataFrame, W], R], span: Span, wanted: W) -> R:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        return learn(reader.read(span), wanted)


@contextmanager
def on_cluster(address: str, *, patience_s: float = PATIENCE_S) -> Iterator[None]:
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
        client = Client(address, timeout=patience_s, set_as_default=True)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        raise UsageError(
            f"--cluster {address}: no Dask scheduler answers there ({_first_line(error)}): "
            "start one with `dask scheduler`."
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=patience_s)
        except TimeoutError as error:
            raise UsageError(
                f"--cluster {address}: the scheduler has no worker: start some with `dask worker {address}`."
            ) from error
        _require_same_code(client, address)
        with parallel_config(backend="dask", wait_for_workers_timeout=patience_s):
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


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].strip() or type(error).__name__
