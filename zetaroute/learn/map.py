"""Fit the feature map with scikit-learn: terms, a small dense space, soft cells, standardised meta features.

The fitted arrays go into `features.FeatureMap`, which computes the same vectors with numpy alone; a test holds
the two together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.features import META_NAMES, FeatureMap, Spaces, meta, terms

Array = NDArray[np.float64]

MOST_TEXTS = 20_000
"""A map fitted on a sample is as good as one fitted on everything."""
VOCABULARY = 15_000
DIMENSIONS = 64
COARSE, FINE = 8, 32
FEWEST_LABELLED = 10
"""Distinct texts below which a task label gets no cell of its own."""


class TextMap:
    """The scikit-learn side of a fitted feature map: many texts at once."""

    def __init__(self, texts: Sequence[str], *, seed: int, tasks: Sequence[str | None] | None = None) -> None:
        """Fit on the distinct `texts` (at most MOST_TEXTS of them, drawn with `seed`) and their task labels."""
        drawn = _drawn(texts, seed)
        weighted = self._fit_terms(drawn, seed)
        self.frozen = self._fit_cells(drawn, weighted.shape[1], seed)
        labels = dict(zip(texts, tasks or [None] * len(texts), strict=True))
        self.frozen = self._fit_tasks(drawn, [labels[text] for text in drawn])

    def vectors(self, texts: Sequence[str], tasks: Sequence[str | None] | None = None) -> Array:
        """Return the vectors of many texts, shape (n, size), by scikit-learn's own transforms."""
        if not texts:
            return np.zeros((0, self.frozen.size))
        place = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        base = self._base(list(place))[[place[text] for text in texts]]
        return self.frozen.label(base, tasks or [None] * len(texts))

    def _base(self, texts: Sequence[str]) -> Array:
        return self.frozen.combine(
            self._project(texts), self.frozen.standardise([meta(text) for text in texts])
        )

    def _fit_terms(self, texts: list[str], seed: int) -> Any:
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
        self._svd = TruncatedSVD(dimensions, random_state=seed).fit(weighted) if dimensions >= 1 else None
        if self._svd is not None:
            # Rounded to what the artifact stores, so that both halves multiply by the same numbers.
            self._svd.components_ = self._svd.components_.astype(np.float32).astype(np.float64)
        return weighted

    def _fit_cells(self, texts: list[str], vocabulary_size: int, seed: int) -> FeatureMap:
        from sklearn.cluster import KMeans

        components = np.zeros((vocabulary_size, 1)) if self._svd is None else self._svd.components_.T
        raw = np.array([meta(text) for text in texts])
        scale = raw.std(axis=0)
        width = components.shape[1] + len(META_NAMES)
        vocabulary = {term: int(row) for term, row in self._vectoriser.vocabulary_.items()}
        spaces = Spaces(
            idf=self._vectoriser.idf_,
            components=components.astype(np.float32),
            meta_mean=raw.mean(axis=0),
            meta_scale=np.where(scale > 1e-9, scale, 1.0),
            coarse=np.zeros((1, width)),
            fine=np.zeros((1, width)),
            task_coef=np.zeros((0, 1)),
            task_intercept=np.zeros(0),
        )
        place = np.hstack([self._project(texts), 0.5 * FeatureMap(vocabulary, spaces).standardise(raw)])
        distinct = len(np.unique(place, axis=0))

        def centres(count: int) -> Array:
            cells = KMeans(min(count, distinct), n_init=2, random_state=seed).fit(place)
            return np.asarray(cells.cluster_centers_)

        spaces = replace(spaces, coarse=centres(COARSE), fine=centres(FINE))
        return FeatureMap(vocabulary, spaces, texts=len(texts))

    def _fit_tasks(self, texts: list[str], labels: list[str | None]) -> FeatureMap:
        """Learn to guess the task of a text from those that carry a label."""
        from sklearn.linear_model import LogisticRegression

        counts = Counter(label for label in labels if label)
        known = sorted(label for label, count in counts.items() if count >= FEWEST_LABELLED)
        rows = [row for row, label in enumerate(labels) if label in known]
        if len(known) < 2:
            return self.frozen
        base = self._base([texts[row] for row in rows])
        guess = LogisticRegression(C=3.0, max_iter=500).fit(base, [labels[row] for row in rows])
        coef, intercept = guess.coef_, guess.intercept_
        if len(known) == 2:
            coef, intercept = np.vstack([0 * coef, coef]), np.append(0.0, intercept)
        spaces = replace(self.frozen.spaces, task_coef=coef, task_intercept=intercept)
        tasks = tuple(str(label) for label in guess.classes_)
        return FeatureMap(self.frozen.vocabulary, spaces, tasks, len(texts))

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
