"""The frozen feature map: terms to a small dense space, soft cells, meta features, in one vector."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Array32, Index
from zetaroute.features.text_terms import meta, tokens
from zetaroute.features.vocabulary import Lexicon

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
    components: Array32
    """(V, d) projection of the weighted terms."""
    meta_mean: Array
    """(M,)"""
    meta_scale: Array
    """(M,)"""
    coarse: Array
    """(up to 8, d + M) cell centres on [z, .5 m]."""
    fine: Array
    """(up to 32, d + M)"""
    task_coef: Array
    """(T, D) logistic regression that guesses the task of a query without a label; T is 0 without any labels."""
    task_intercept: Array
    """(T,)"""


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """Turn a text into the vector x = [2 coarse, fine, .5 z, .5 m, 2 task, 3].

    `task` is one cell per known task label: 1 for the label that a query carries, else the guessed probabilities.
    """

    vocabulary: Mapping[str, int]
    spaces: Spaces
    tasks: tuple[str, ...] = ()
    """Known task labels, in the order of `task_coef`."""
    texts: int = 0
    """Distinct texts that the map was fitted on."""
    reads_words: ClassVar[bool] = True
    reads_hashed: ClassVar[bool] = False
    _centres: Array = field(init=False, repr=False)
    """Of all cells, coarse and fine."""
    _squares: Array = field(init=False, repr=False)
    """Their squared lengths."""
    _lexicon: Lexicon = field(init=False, repr=False)
    _identity: str = field(default="", init=False, repr=False, compare=False)
    """Worked out when it is first asked for."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_lexicon", Lexicon(self.vocabulary))
        centres = np.concatenate([self.spaces.coarse, self.spaces.fine])
        object.__setattr__(self, "_centres", centres)
        object.__setattr__(self, "_squares", (centres**2).sum(axis=1))

    def __reduce__(self) -> tuple[type[FeatureMap], tuple[object, ...]]:
        """Leave out the hashes: another process has others."""
        return type(self), (self.vocabulary, self.spaces, self.tasks, self.texts)

    @property
    def size(self) -> int:
        """Length of the vector."""
        spaces = self.spaces
        return int(len(spaces.coarse) + len(spaces.fine) + spaces.coarse.shape[1] + len(self.tasks) + 1)

    def identity(self) -> str:
        """Return a hash of everything that vectors depend on: two maps with one identity give the same vectors."""
        if self._identity:
            return self._identity
        digest = hashlib.sha256(
            repr((self.tasks, sorted(self.vocabulary.items()))).encode("utf-8", "replace")
        )
        for array in fields(self.spaces):
            values = np.ascontiguousarray(getattr(self.spaces, array.name))
            digest.update(repr((array.name, values.dtype.str, values.shape)).encode())
            digest.update(values.tobytes())
        object.__setattr__(self, "_identity", digest.hexdigest())
        return self._identity

    def vectors(self, texts: Sequence[str], tasks: Sequence[str | None] | None = None) -> Array:
        """Return the vectors of n texts with their task labels, shape (n, size); a repeated text is read once."""
        if not texts:
            return np.zeros((0, self.size))
        place = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        base = self.combine(self.projections(list(place)), self.standardise([meta(text) for text in place]))
        if len(place) < len(texts):
            base = base[[place[text] for text in texts]]
        return self.label(base, tasks or [None] * len(texts))

    def knows(self, text: str) -> bool:
        """Whether `vectors` tells a text from others: any."""
        return True

    def project(self, text: str) -> Array:
        """Return z, the L2-normalised projection of (1 + ln tf) idf, shape (d,)."""
        rows, times = self._lexicon.count(tokens(text))
        weights = (1.0 + np.log(times)) * self.spaces.idf[rows]
        # In 64 bits, because other machines add in another order, and must come to the same vectors.
        z = weights @ self.spaces.components[rows]
        return np.asarray(z / (math.sqrt(z @ z) or 1.0))

    def projections(self, texts: Sequence[str]) -> Array:
        """Return z of n texts, at least one, shape (n, d)."""
        return np.array([self.project(text) for text in texts])

    def standardise(self, raw: Sequence[Sequence[float]] | Array) -> Array:
        """Return m: standardised, clipped to +-3, divided by the root of their number; shape (n, M)."""
        spaces = self.spaces
        scaled = (np.asarray(raw, dtype=np.float64) - spaces.meta_mean) / spaces.meta_scale
        return np.asarray(scaled.clip(-META_CLIP, META_CLIP) / math.sqrt(len(spaces.meta_mean)))

    def combine(self, z: Array, m: Array) -> Array:
        """Return what the text alone says, [2 coarse, fine, .5 z, .5 m, 3], from z (n, d) and m (n, M)."""
        half = 0.5 * m
        # Squared distances but for the length of the place itself, which is the same to all centres.
        far = self._squares - 2.0 * (np.concatenate([z, half], axis=1) @ self._centres.T)
        count = len(self.spaces.coarse)
        coarse, fine = _softmax(far[:, :count] / -SOFTNESS), _softmax(far[:, count:] / -SOFTNESS)
        constant = np.full((len(z), 1), CONSTANT)
        return np.concatenate([2.0 * coarse, fine, 0.5 * z, half, constant], axis=1)

    def label(self, base: Array, tasks: Sequence[str | None]) -> Array:
        """Return the whole vectors (n, size) from what the texts say (n, D) and their task labels (n)."""
        if not self.tasks:
            return base
        place = {task: index for index, task in enumerate(self.tasks)}
        known = np.array([place.get(task or "", -1) for task in tasks], dtype=np.int64)
        cells = self.guess(base)
        (labelled,) = (known >= 0).nonzero()
        if len(labelled):
            cells[labelled] = np.eye(len(self.tasks))[known[labelled]]
        return np.concatenate([base[:, :-1], 2.0 * cells, base[:, -1:]], axis=1)

    def guess(self, base: Array) -> Array:
        """Return the probability of every known task for n texts, (n, T)."""
        return _softmax(base @ self.spaces.task_coef.T + self.spaces.task_intercept)

    def cells(self, vectors: NDArray[np.floating[Any]]) -> Index:
        """Return the coarse cell that each vector (n, size) belongs to most, shape (n,)."""
        return np.asarray(np.argmax(vectors[:, : len(self.spaces.coarse)], axis=1))


def _softmax(logits: Array) -> Array:
    weight = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))
