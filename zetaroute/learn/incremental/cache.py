"""What a retrain leaves to the next one: a survey and the sums of every partition of the log that has not changed.

Without it a retrain only takes longer. It holds sums, and the time, id and model of rows, but nothing of any text.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zetaroute.files.atomic import write_whole
from zetaroute.log.partitions import Span
from zetaroute.registry import pack, unpack

T = TypeVar("T")
Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionCache:
    """A file for everything that is known of one partition, named by what it depends on."""

    folder: Path
    spans: Sequence[Span]
    fingerprints: Sequence[str]
    """Of all that the log says in every partition. They are taken before anything is read: what comes in between
    makes the next retrain read the partition again."""

    def read(self, number: int, key: str, decode: Callable[[Arrays], T]) -> T | None:
        """Return what is kept of a partition under this key, None where there is nothing whole."""
        try:
            return decode(unpack(self._file(number, key).read_bytes()))
        except (OSError, LookupError, TypeError, ValueError, pl.exceptions.PolarsError):
            return None

    def write(self, number: int, key: str, arrays: Arrays) -> None:
        """Keep this of a partition; a disk without room keeps nothing."""
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, exist_ok=True)
            write_whole(self._file(number, key), pack(arrays), sync=False)

    def keep_only(self, keys: Iterable[str]) -> None:
        """Delete what is of no partition as it is now, or under none of these keys."""
        wanted = {self._file(number, key) for number in range(len(self.spans)) for key in keys}
        with suppress(OSError):
            for file in set(self.folder.iterdir()) - wanted:
                file.unlink(missing_ok=True)

    def holding(self, rows: pl.DataFrame) -> frozenset[int]:
        """Return the numbers of the partitions that rows with these `id` lie in."""
        lows = np.array([span.low or "" for span in self.spans])
        place = np.searchsorted(lows, rows["id"].to_numpy().astype(np.str_), side="right")
        return frozenset((place - 1).tolist())

    def _file(self, number: int, key: str) -> Path:
        name = repr((self.fingerprints[number], key, _versions())).encode()
        return self.folder / f"{blake2b(name, digest_size=16).hexdigest()}.npz"


@cache
def _versions() -> tuple[str, ...]:
    """Return the versions in which alone hashes are the same."""
    return tuple(importlib.metadata.version(name) for name in ("zetaroute", "duckdb", "polars"))
