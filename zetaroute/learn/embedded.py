"""Fit the feature map over given embeddings with scikit-learn: centre, project, soft cells, task labels.

The counterpart of the text map for a log whose texts carry vectors of an endpoint; nothing is asked of it here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zetaroute.features import META_NAMES, FeatureMap, Spaces, meta
from zetaroute.features.embedded import EmbeddedMap, Embeddings, unit
from zetaroute.learn.map import COARSE, DIMENSIONS, FEWEST_LABELLED, FINE, MOST_TEXTS

Array = NDArray[np.float64]

FEWEST_EMBEDDED = 20
"""Distinct texts with an embedding below which no map is fitted on them."""


def enough_embedded(texts: Sequence[str], embeddings: Embeddings) -> bool:
    """Return whether the embeddings carry a map: enough distinct texts have one, and at least half of them do."""
    found = {text for text, one in zip(texts, embeddings, strict=True) if one is not None}
    return len(found) >= FEWEST_EMBEDDED and 2 * len(found) >= len(set(texts))


class VectorMap:
    """A map fitted on texts that have an embedding; `frozen` is what serves."""

    def __init__(
        self,
        texts: Sequence[str],
        embeddings: Embeddings,
        *,
        space: str,
        seed: int,
        tasks: Sequence[str | None] | None = None,
    ) -> None:
        """Fit on the distinct texts with an embedding (at most MOST_TEXTS of them) and their task labels.

        Raises ValueError without any, or when their lengths differ.
        """
        labels = tasks or [None] * len(texts)
        known = {
            text: (one, label)
            for text, one, label in zip(texts, embeddings, labels, strict=True)
            if one is not None
        }
        drawn = _drawn(list(known), seed)
        given = unit(np.array([known[text][0] for text in drawn], dtype=np.float64))
        mean = given.mean(axis=0)
        components = _components(given - mean, seed)
        z = unit((given - mean) @ components.astype(np.float64))
        raw = np.array([meta(text) for text in drawn])
        cells = _cells(z, raw, seed)
        base = cells.combine(z, cells.standardise(raw))
        self.frozen = EmbeddedMap(
            frozen=_with_tasks(cells, base, [known[text][1] for text in drawn]),
            mean=mean,
            components=components,
            average=base.mean(axis=0),
            space=space,
        )

    def vectors(
        self,
        texts: Sequence[str],
        tasks: Sequence[str | None] | None = None,
        embeddings: Embeddings | None = None,
    ) -> Array:
        """Return the vectors of many texts, shape (n, size)."""
        return self.frozen.vectors(texts, tasks, embeddings)


def _components(centred: Array, seed: int) -> NDArray[np.float32]:
    """Return the principal directions (D, d) of centred rows, d at most DIMENSIONS."""
    from sklearn.decomposition import PCA

    count = min(DIMENSIONS, len(centred) - 1, centred.shape[1])
    if count < 1 or not centred.any():
        return np.zeros((centred.shape[1], 1), dtype=np.float32)
    return np.asarray(PCA(count, random_state=seed).fit(centred).components_.T, dtype=np.float32)


def _cells(z: Array, raw: Array, seed: int) -> FeatureMap:
    """Return a map with an empty vocabulary and with cells around z (n, d) and the meta features `raw` (n, M)."""
    from sklearn.cluster import KMeans

    scale, width = raw.std(axis=0), z.shape[1] + len(META_NAMES)
    spaces = Spaces(
        idf=np.zeros(0),
        components=np.zeros((0, z.shape[1]), dtype=np.float32),
        meta_mean=raw.mean(axis=0),
        meta_scale=np.where(scale > 1e-9, scale, 1.0),
        coarse=np.zeros((1, width)),
        fine=np.zeros((1, width)),
        task_coef=np.zeros((0, 1)),
        task_intercept=np.zeros(0),
    )
    place = np.hstack([z, 0.5 * FeatureMap({}, spaces).standardise(raw)])
    distinct = len(np.unique(place, axis=0))

    def centres(count: int) -> Array:
        means = KMeans(min(count, distinct), n_init=2, random_state=seed).fit(place)
        return np.asarray(means.cluster_centers_)

    return FeatureMap({}, replace(spaces, coarse=centres(COARSE), fine=centres(FINE)), texts=len(raw))


def _with_tasks(cells: FeatureMap, base: Array, labels: Sequence[str | None]) -> FeatureMap:
    """Return the map with cells for the tasks that enough texts are labelled with, to be guessed where unknown."""
    from sklearn.linear_model import LogisticRegression

    counts = Counter(label for label in labels if label)
    known = sorted(label for label, count in counts.items() if count >= FEWEST_LABELLED)
    rows = [row for row, label in enumerate(labels) if label in known]
    if len(known) < 2:
        return cells
    guess = LogisticRegression(C=3.0, max_iter=500).fit(base[rows], [labels[row] for row in rows])
    coef, intercept = guess.coef_, guess.intercept_
    if len(known) == 2:
        coef, intercept = np.vstack([0 * coef, coef]), np.append(0.0, intercept)
    spaces = replace(cells.spaces, task_coef=coef, task_intercept=intercept)
    return FeatureMap(cells.vocabulary, spaces, tuple(str(task) for task in guess.classes_), cells.texts)


def _drawn(texts: list[str], seed: int) -> list[str]:
    if len(texts) <= MOST_TEXTS:
        return texts
    chosen = np.random.default_rng(seed).choice(len(texts), MOST_TEXTS, replace=False)
    return [texts[index] for index in sorted(chosen)]
