"""A log read for learning, as a whole or part by part: what is to be done with its rows is handed in.

Apart from `retrain` because how a log is read depends on its size and on where it lies, and what is learned does not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import polars as pl

from zetaroute.evaluate.scales import Scales
from zetaroute.learn.frame import read_frame
from zetaroute.store.spans import Span, narrow

if TYPE_CHECKING:
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
