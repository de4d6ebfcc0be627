"""The feature map over given vectors: an endpoint's embedding of a text in place of its counted terms.

Its vectors may be missing. Cells, meta features and task labels are those of the text map, which it holds with an
empty vocabulary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Array32, Index
from zetaroute.features.hashed import SIZE, is_hashed, split
from zetaroute.features.text_map import FeatureMap, Spaces
from zetaroute.features.text_terms import META_NAMES, meta


@dataclass(frozen=True, slots=True, kw_only=True)
class Embeddings:
    """Embeddings of one space; vectors of two spaces have nothing to say to each other."""

    space: str
    by_text: Mapping[str, Array32]
    """The same text has the same one."""


@dataclass(frozen=True, slots=True)
class EmbeddedMap:
    """Turn a text that has an embedding into x = [2 coarse, fine, .5 z, .5 m, 2 task, 3].

    z is the centred, projected, L2-normalised embedding. A text without one is taken for the average of the
    training texts in all but its own meta features: it is decided as if queries were not told apart.
    """

    frozen: FeatureMap
    """Cells, meta features and task labels around z."""
    mean: Array
    """(D,) of the L2-normalised embeddings."""
    components: Array32
    """(D, d)"""
    average: Array
    """(size without the task labels,) of the training texts."""
    space: str
    """Which endpoint, model and length the embeddings must come from."""
    known: Mapping[str, Array32] = field(default_factory=dict, repr=False)
    """What `vectors` finds its texts in: a query's own, or those of a log. It belongs to no artifact."""
    reads_words: ClassVar[bool] = False

    @property
    def size(self) -> int:
        """Length of the vector."""
        return self.frozen.size

    @property
    def tasks(self) -> tuple[str, ...]:
        """Known task labels."""
        return self.frozen.tasks

    @property
    def texts(self) -> int:
        """Distinct texts that the map was fitted on."""
        return self.frozen.texts

    @property
    def vocabulary(self) -> Mapping[str, int]:
        """No terms: words are not counted here."""
        return self.frozen.vocabulary

    @property
    def spaces(self) -> Spaces:
        """The arrays around z; those of terms are empty."""
        return self.frozen.spaces

    def identity(self) -> str:
        """Return a hash of everything that vectors depend on but the embeddings themselves."""
        digest = hashlib.sha256(f"{self.space} {self.frozen.identity()}".encode("utf-8", "replace"))
        for values in (self.mean, self.components, self.average):
            digest.update(repr((values.dtype.str, values.shape)).encode())
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    @property
    def reads_hashed(self) -> bool:
        """Whether its vectors are hashed terms, which hold the meta features too."""
        return is_hashed(self.space)

    def knows(self, text: str) -> bool:
        """Whether `vectors` tells a text from others: one whose embedding is at hand."""
        return text in self.known

    def with_embeddings(self, given: Embeddings) -> EmbeddedMap:
        """Return this map with these embeddings at hand; those that do not fit it are as good as missing."""
        if given.space != self.space:
            return replace(self, known={})
        size = SIZE if self.reads_hashed else len(self.mean)
        fit = {text: one for text, one in given.by_text.items() if len(one) == size}
        return replace(self, known=fit)

    def vectors(self, texts: Sequence[str], tasks: Sequence[str | None] | None = None) -> Array:
        """Return the vectors of n texts with their task labels, shape (n, size)."""
        if not texts:
            return np.zeros((0, self.size))
        raw = np.array([meta(text) for text in texts])
        rows = [row for row, text in enumerate(texts) if text in self.known]
        given = np.array([self.known[texts[row]] for row in rows], dtype=np.float64)
        if rows and self.reads_hashed:
            given, raw[rows] = split(given)
        m = self.frozen.standardise(raw)
        base = np.tile(self.average, (len(texts), 1))
        base[:, -1 - len(META_NAMES) : -1] = 0.5 * m
        if rows:
            base[rows] = self.frozen.combine(self.project(given), m[rows])
        return self.frozen.label(base, tasks or [None] * len(texts))

    def project(self, embeddings: Array) -> Array:
        """Return z (n, d) of embeddings (n, D)."""
        return unit((unit(embeddings) - self.mean) @ self.components.astype(np.float64))

    def cells(self, vectors: NDArray[np.floating[Any]]) -> Index:
        """Return the coarse cell that each vector (n, size) belongs to most, shape (n,)."""
        return self.frozen.cells(vectors)


def unit(rows: Array) -> Array:
    """Return rows (n, D) scaled to length 1; a row of zeros stays one."""
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norm > 0, norm, 1.0))


AnyMap = FeatureMap | EmbeddedMap
"""What turns a query into the vector that heads read: by its words, or by an embedding."""
