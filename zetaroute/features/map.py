"""The frozen feature map: terms to a small dense space, soft cells, meta features, in one vector.

It holds arrays alone. `learn.map` fits them with scikit-learn; here they are only applied, so that a decision
needs numpy and nothing else.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from zetaroute.features.text import meta, terms

Array = NDArray[np.float64]

SOFTNESS = 0.15
"""Temperature of the soft assignment to cells, in squared distance."""
CONSTANT = 3.0
"""The last entry of every vector: its size sets how little an arm's own level is shrunk."""
META_CLIP = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spaces:
    """The arrays of a feature map: V terms, d dimensions of text, M meta features."""

    idf: Array
    """(V,) inverse document frequencies."""
    components: NDArray[np.float32]
    """(V, d) projection of the weighted terms."""
    meta_mean: Array
    """(M,)"""
    meta_scale: Array
    """(M,)"""
    coarse: Array
    """(up to 8, d + M) cell centres on [z, .5 m]."""
    fine: Array
    """(up to 32, d + M)"""


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """Turn a text into the vector x = [2 coarse, fine, .5 z, .5 m, 3]."""

    vocabulary: Mapping[str, int]
    spaces: Spaces
    _coarse_square: Array = field(init=False, repr=False)
    _fine_square: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_coarse_square", (self.spaces.coarse**2).sum(axis=1))
        object.__setattr__(self, "_fine_square", (self.spaces.fine**2).sum(axis=1))

    @property
    def size(self) -> int:
        """Length of the vector."""
        spaces = self.spaces
        return int(len(spaces.coarse) + len(spaces.fine) + spaces.coarse.shape[1] + 1)

    def vector(self, text: str) -> Array:
        """Return the vector of one text, shape (size,)."""
        return np.asarray(self.combine(self.project(text)[None, :], self.standardise([meta(text)]))[0])

    def project(self, text: str) -> Array:
        """Return z, the L2-normalised projection of (1 + ln tf) idf, shape (d,)."""
        counts = Counter(term for term in terms(text) if term in self.vocabulary)
        if not counts:
            return np.zeros(self.spaces.components.shape[1])
        rows = [self.vocabulary[term] for term in counts]
        weights = np.array([1.0 + math.log(count) for count in counts.values()]) * self.spaces.idf[rows]
        z = weights @ self.spaces.components[rows].astype(np.float64)
        norm = float(np.linalg.norm(z))
        return np.asarray(z / norm if norm > 0 else z)

    def standardise(self, raw: Sequence[Sequence[float]] | Array) -> Array:
        """Return m: standardised, clipped to +-3, divided by the root of their number; shape (n, M)."""
        spaces = self.spaces
        scaled = (np.asarray(raw, dtype=np.float64) - spaces.meta_mean) / spaces.meta_scale
        return np.clip(scaled, -META_CLIP, META_CLIP) / math.sqrt(len(spaces.meta_mean))

    def combine(self, z: Array, m: Array) -> Array:
        """Return the vectors of n texts from their z (n, d) and m (n, M), shape (n, size)."""
        place = np.hstack([z, 0.5 * m])
        coarse = _soft(place, self.spaces.coarse, self._coarse_square)
        fine = _soft(place, self.spaces.fine, self._fine_square)
        return np.hstack([2.0 * coarse, fine, 0.5 * z, 0.5 * m, np.full((len(z), 1), CONSTANT)])

    def cells(self, vectors: Array) -> NDArray[np.int64]:
        """Return the coarse cell that each vector (n, size) belongs to most, shape (n,)."""
        return np.asarray(np.argmax(vectors[:, : len(self.spaces.coarse)], axis=1))


def _soft(place: Array, centres: Array, squares: Array) -> Array:
    distance = (place**2).sum(axis=1, keepdims=True) - 2.0 * place @ centres.T + squares
    weight = np.exp(-(distance - distance.min(axis=1, keepdims=True)) / SOFTNESS)
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))
