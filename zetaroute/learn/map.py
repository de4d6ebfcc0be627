"""Fit the feature map with scikit-learn: terms, a small dense space, soft cells, standardised meta features.

The fitted arrays go into `features.FeatureMap`, which computes the same vectors with numpy alone; a test holds
the two together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zetaroute.features import META_NAMES, FeatureMap, Spaces, meta, terms

Array = NDArray[np.float64]

MOST_TEXTS = 20_000
"""A map fitted on a sample is as good as one fitted on everything."""
VOCABULARY = 15_000
DIMENSIONS = 64
COARSE, FINE = 8, 32


class TextMap:
    """The scikit-learn side of a fitted feature map: many texts at once."""

    def __init__(self, texts: Sequence[str], *, seed: int) -> None:
        """Fit on distinct `texts` (at most MOST_TEXTS of them, drawn with `seed`)."""
        self.frozen = self._fit(_drawn(texts, seed), seed)

    def vectors(self, texts: Sequence[str]) -> Array:
        """Return the vectors of many texts, shape (n, size), by scikit-learn's own transforms."""
        if not texts:
            return np.zeros((0, self.frozen.size))
        place = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        distinct = list(place)
        raw = [meta(text) for text in distinct]
        found = self.frozen.combine(self._project(distinct), self.frozen.standardise(raw))
        return np.asarray(found[[place[text] for text in texts]])

    def _fit(self, texts: list[str], seed: int) -> FeatureMap:
        from sklearn.cluster import KMeans
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._vectoriser = TfidfVectorizer(
            analyzer=terms,
            sublinear_tf=True,
            norm="l2",
            min_df=2 if len(texts) >= 50 else 1,
            max_features=VOCABULARY,
        )
        weighted = self._vectoriser.fit_transform([text if terms(text) else "?" for text in texts])
        dimensions = min(DIMENSIONS, weighted.shape[0] - 1, weighted.shape[1] - 1)
        self._svd = None
        components = np.zeros((weighted.shape[1], 1), dtype=np.float32)
        if dimensions >= 1:
            self._svd = TruncatedSVD(dimensions, random_state=seed).fit(weighted)
            self._svd.components_ = self._svd.components_.astype(np.float32).astype(np.float64)
            components = self._svd.components_.T.astype(np.float32)
        raw = np.array([meta(text) for text in texts])
        scale = raw.std(axis=0)
        spaces = Spaces(
            idf=self._vectoriser.idf_,
            components=components,
            meta_mean=raw.mean(axis=0),
            meta_scale=np.where(scale > 1e-9, scale, 1.0),
            coarse=np.zeros((1, components.shape[1] + len(META_NAMES))),
            fine=np.zeros((1, components.shape[1] + len(META_NAMES))),
        )
        vocabulary = {term: int(row) for term, row in self._vectoriser.vocabulary_.items()}
        bare = FeatureMap(vocabulary, spaces)
        place = np.hstack([self._project(texts), 0.5 * bare.standardise(raw)])
        distinct = len(np.unique(place, axis=0))

        def centres(count: int) -> Array:
            cells = KMeans(min(count, distinct), n_init=2, random_state=seed).fit(place)
            return np.asarray(cells.cluster_centers_)

        return FeatureMap(
            vocabulary,
            Spaces(
                idf=spaces.idf,
                components=components,
                meta_mean=spaces.meta_mean,
                meta_scale=spaces.meta_scale,
                coarse=centres(COARSE),
                fine=centres(FINE),
            ),
        )

    def _project(self, texts: Sequence[str]) -> Array:
        from sklearn.preprocessing import normalize

        if self._svd is None:
            return np.zeros((len(texts), 1))
        return np.asarray(normalize(self._svd.transform(self._vectoriser.transform(texts))))


def _drawn(texts: Sequence[str], seed: int) -> list[str]:
    distinct = list(dict.fromkeys(texts))
    if len(distinct) <= MOST_TEXTS:
        return distinct
    chosen = np.random.default_rng(seed).choice(len(distinct), MOST_TEXTS, replace=False)
    return [distinct[index] for index in sorted(chosen)]
