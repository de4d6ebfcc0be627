"""Vectors kept from one retrain to the next, so that no text is read twice by one map.

Apart from the artifacts because they can be made again: whoever deletes the file loses nothing but time.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from zetaroute.durable import write_whole
from zetaroute.learn.harvest import ReadRows
from zetaroute.learn.vectors import KnownVectors
from zetaroute.registry import pack, unpack


def read_vectors(path: Path, feature_map: str, size: int) -> KnownVectors:
    """Return the kept vectors, `size` long, of the map with this identity; none where the file is of another."""
    try:
        arrays = unpack(path.read_bytes())
        if str(arrays["map"]) != feature_map:
            return KnownVectors()
        key, x = np.asarray(arrays["key"], dtype=np.uint64), np.asarray(arrays["x"], dtype=np.float32)
        whole = x.shape == (len(key), size) and bool(np.isfinite(x).all())
        return KnownVectors(key=key, x=x) if whole else KnownVectors()
    except (OSError, KeyError, ValueError):
        return KnownVectors()


def write_vectors(path: Path, feature_map: str, parts: Sequence[ReadRows]) -> None:
    """Keep the vectors of these rows in place of what was kept; a disk without room keeps none."""
    key = np.concatenate([part.rows.key for part in parts])
    x = np.concatenate([part.x for part in parts])
    order = np.argsort(key, kind="stable")
    with suppress(OSError):
        write_whole(path, pack({"map": np.array(feature_map), "key": key[order], "x": x[order]}))
