"""Fit the feature map over given embeddings with scikit-learn: centre, project, soft cells, task labels.

The counterpart of the text map for a log whose texts carry vectors of an endpoint; nothing is asked of it here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zetaroute.features import meta
from zetaroute.features.embedded import EmbeddedMap, Embeddings, unit
from zetaroute.features.hashed import is_hashed, split
from zetaroute.learn.map import DIMENSIONS, drawn, with_cells, with_tasks

Array = NDArray[np.float64]

FEWEST_EMBEDDED = 20
"""Distinct texts with an embedding below which no map is fitted on them."""


def enough_embedded(texts: Sequence[str], given: Embeddings) -> bool:
    """Return whether the embeddings carry a map: enough distinct texts have one, and at least half of them do."""
    distinct = set(texts)
    found = len(distinct & given.by_text.keys())
    return found >= FEWEST_EMBEDDED and 2 * found >= len(distinct)


class VectorMap:
    """A map fitted on texts that have an embedding; `frozen` is what serves."""

    def __init__(
        self, texts: Sequence[str], given: Embeddings, *, seed: int, tasks: Sequence[str | None] | None = None
    ) -> None:
        """Fit on the distinct texts with an embedding (at most MOST_TEXTS of them) and their task labels.

        Raises ValueError without any, or when their lengths differ.
        """
        labels = dict(zip(texts, tasks or [None] * len(texts), strict=True))
        chosen = drawn([text for text in labels if text in given.by_text], seed)
        rows = np.array([given.by_text[text] for text in chosen], dtype=np.float64)
        raw = np.array([meta(text) for text in chosen])
        if is_hashed(given.space):
            rows, raw = split(rows)
        rows = unit(rows)
        mean = rows.mean(axis=0)
        components = _components(rows - mean, seed)
        z = unit((rows - mean) @ components.astype(np.float64))
        cells = with_cells({}, np.zeros(0), np.zeros((0, z.shape[1])), z, raw, seed)
        base = cells.combine(z, cells.standardise(raw))
        self.frozen = EmbeddedMap(
            frozen=with_tasks(cells, base, [labels[text] for text in chosen]),
            mean=mean,
            components=components,
            average=base.mean(axis=0),
            space=given.space,
        ).knowing(given)

    def vectors(self, texts: Sequence[str], tasks: Sequence[str | None] | None = None) -> Array:
        """Return the vectors of many texts, shape (n, size)."""
        return self.frozen.vectors(texts, tasks)


def _components(centred: Array, seed: int) -> NDArray[np.float32]:
    """Return the principal directions (D, d) of centred rows, d at most DIMENSIONS."""
    from sklearn.decomposition import PCA

    count = min(DIMENSIONS, len(centred) - 1, centred.shape[1])
    if count < 1 or not centred.any():
        return np.zeros((centred.shape[1], 1), dtype=np.float32)
    return np.asarray(PCA(count, random_state=seed).fit(centred).components_.T, dtype=np.float32)
