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

from zetaroute.features import META_NAMES, FeatureMap, Spaces, clip, meta, terms

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
        z = self._fit_terms(drawn, seed)
        raw = np.array([meta(text) for text in drawn])
        self.frozen = self._fit_cells(z, raw, seed)
        self._place = {text: row for row, text in enumerate(drawn)}
        self._base = self.frozen.combine(z, self.frozen.standardise(raw))
        labels = dict(zip(texts, tasks or [None] * len(texts), strict=True))
        self.frozen = self._fit_tasks([labels[text] for text in drawn])

    def vectors(self, texts: Sequence[str], tasks: Sequence[str | None] | None = None) -> Array:
        """Return the vectors of many texts, shape (n, size), by scikit-learn's own transforms.

        The texts that the map was fitted on are not read again.
        """
        if not texts:
            return np.zeros((0, self.frozen.size))
        place, base = self._place, self._base
        new = [text for text in dict.fromkeys(texts) if text not in place]
        if new:
            place = place | {text: row for row, text in enumerate(new, start=len(place))}
            fresh = self.frozen.standardise([meta(text) for text in new])
            z = self._project(self._vectoriser.transform(new), new)
            base = np.vstack([base, self.frozen.combine(z, fresh)])
        return self.frozen.label(base[[place[text] for text in texts]], tasks or [None] * len(texts))

    def _fit_terms(self, texts: list[str], seed: int) -> Array:
        """Fit vocabulary, weights and projection; return the projections of the texts, (n, d)."""
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._vectoriser = TfidfVectorizer(
            analyzer=_some_terms,
            sublinear_tf=True,
            norm="l2",
            min_df=2 if len(texts) >= 50 else 1,
            max_features=VOCABULARY,
        )
        weighted = self._vectoriser.fit_transform(texts)
        dimensions = min(DIMENSIONS, weighted.shape[0] - 1, weighted.shape[1] - 1)
        self._svd = TruncatedSVD(dimensions, random_state=seed).fit(weighted) if dimensions >= 1 else None
        if self._svd is not None:
            # Rounded to what the artifact stores, so that both halves multiply by the same numbers.
            self._svd.components_ = self._svd.components_.astype(np.float32).astype(np.float64)
        return self._project(weighted, texts)

    def _fit_cells(self, z: Array, raw: Array, seed: int) -> FeatureMap:
        """Fit the standardisation of the meta features `raw` (n, M), and the cells on them and z (n, d)."""
        from sklearn.cluster import KMeans

        vocabulary = {term: int(row) for term, row in self._vectoriser.vocabulary_.items()}
        components = np.zeros((len(vocabulary), 1)) if self._svd is None else self._svd.components_.T
        scale = raw.std(axis=0)
        width = components.shape[1] + len(META_NAMES)
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
        place = np.hstack([z, 0.5 * FeatureMap(vocabulary, spaces).standardise(raw)])
        distinct = len(np.unique(place, axis=0))

        def centres(count: int) -> Array:
            cells = KMeans(min(count, distinct), n_init=2, random_state=seed).fit(place)
            return np.asarray(cells.cluster_centers_)

        spaces = replace(spaces, coarse=centres(COARSE), fine=centres(FINE))
        return FeatureMap(vocabulary, spaces, texts=len(raw))

    def _fit_tasks(self, labels: Sequence[str | None]) -> FeatureMap:
        """Learn to guess the task of a text from those that carry a label."""
        from sklearn.linear_model import LogisticRegression

        counts = Counter(label for label in labels if label)
        known = sorted(label for label, count in counts.items() if count >= FEWEST_LABELLED)
        rows = [row for row, label in enumerate(labels) if label in known]
        if len(known) < 2:
            return self.frozen
        guess = LogisticRegression(C=3.0, max_iter=500).fit(self._base[rows], [labels[row] for row in rows])
        coef, intercept = guess.coef_, guess.intercept_
        if len(known) == 2:
            coef, intercept = np.vstack([0 * coef, coef]), np.append(0.0, intercept)
        spaces = replace(self.frozen.spaces, task_coef=coef, task_intercept=intercept)
        tasks = tuple(str(label) for label in guess.classes_)
        return FeatureMap(self.frozen.vocabulary, spaces, tasks, len(labels))

    def _project(self, weighted: Any, texts: Sequence[str]) -> Array:
        """Return z (n, d), L2-normalised, from the texts' weighted terms (n, V)."""
        from sklearn.preprocessing import normalize

        if self._svd is None:
            return np.zeros((len(texts), 1))
        z = np.asarray(normalize(self._svd.transform(weighted)))
        z[[not clip(text).strip() for text in texts]] = 0.0
        return z


def _some_terms(text: str) -> list[str]:
    """Return the terms of a text; one without any counts as a question mark, so that there is a vocabulary."""
    return terms(text) or ["?"]


def _drawn(texts: Sequence[str], seed: int) -> list[str]:
    distinct = list(dict.fromkeys(texts))
    if len(distinct) <= MOST_TEXTS:
        return distinct
    chosen = np.random.default_rng(seed).choice(len(distinct), MOST_TEXTS, replace=False)
    return [distinct[index] for index in sorted(chosen)]
