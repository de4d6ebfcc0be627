"""Fit a feature map with scikit-learn on texts or on their embeddings: dense space, soft cells, meta features.

The fitted arrays go into the maps of `features`, which compute the same vectors with numpy alone; a test holds the
two together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from zetaroute.arrays import Array, Array32
from zetaroute.features import META_NAMES, FeatureMap, Spaces, clip, meta, terms
from zetaroute.features.embedding_map import EmbeddedMap, Embeddings, unit
from zetaroute.features.hashed import is_hashed, split

MOST_TEXTS = 20_000
"""A map fitted on a sample is as good as one fitted on everything."""
OUTGROWN = 2.0
"""Times as many distinct texts as a map was fitted on make it worth a new one."""
VOCABULARY = 15_000
DIMENSIONS = 64
COARSE, FINE = 8, 32
FEWEST_LABELLED = 10
"""Distinct texts below which a task label gets no cell of its own."""
FEWEST_EMBEDDED = 20
"""Distinct texts with an embedding below which no map is fitted on them."""


class TextMap:
    """The scikit-learn side of a fitted feature map: many texts at once."""

    def __init__(self, texts: Sequence[str], *, seed: int, tasks: Sequence[str | None] | None = None) -> None:
        """Fit on the distinct `texts` (at most MOST_TEXTS of them, drawn with `seed`) and their task labels."""
        labels = dict(zip(texts, tasks or [None] * len(texts), strict=True))
        chosen = drawn(list(labels), seed)
        z = self._fit_terms(chosen, seed)
        raw = np.array(list(map(cached_meta, chosen)))
        cells = with_cells(*self._terms(), z, raw, seed)
        self._place = {text: row for row, text in enumerate(chosen)}
        self._base = cells.combine(z, cells.standardise(raw))
        self.frozen = with_tasks(cells, self._base, [labels[text] for text in chosen])

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
            fresh = self.frozen.standardise(list(map(cached_meta, new)))
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
        # Where all texts have the same terms, the parts of the variance are 0 / 0; nothing here reads them.
        with np.errstate(divide="ignore", invalid="ignore"):
            self._svd = TruncatedSVD(dimensions, random_state=seed).fit(weighted) if dimensions >= 1 else None
        if self._svd is not None:
            # Rounded to what the artifact stores, so that both halves multiply by the same numbers.
            self._svd.components_ = self._svd.components_.astype(np.float32).astype(np.float64)
        return self._project(weighted, texts)

    def _terms(self) -> tuple[dict[str, int], Array, Array]:
        """Return the fitted vocabulary, its weights (V,) and its projection (V, d)."""
        vocabulary = {term: int(row) for term, row in self._vectoriser.vocabulary_.items()}
        components = np.zeros((len(vocabulary), 1)) if self._svd is None else self._svd.components_.T
        return vocabulary, self._vectoriser.idf_, components

    def _project(self, weighted: Any, texts: Sequence[str]) -> Array:
        """Return z (n, d), L2-normalised, from the texts' weighted terms (n, V)."""
        from sklearn.preprocessing import normalize

        if self._svd is None:
            return np.zeros((len(texts), 1))
        z = np.asarray(normalize(self._svd.transform(weighted)))
        z[[not clip(text).strip() for text in texts]] = 0.0
        return z


cached_meta = lru_cache(MOST_TEXTS)(meta)
"""A replay fits a map of the same texts and more, again and again."""


def _some_terms(text: str) -> list[str]:
    """Return the terms of a text; one without any counts as a question mark, so that there is a vocabulary."""
    return terms(text) or ["?"]


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
        ).with_embeddings(given)

    def vectors(self, texts: Sequence[str], tasks: Sequence[str | None] | None = None) -> Array:
        """Return the vectors of many texts, shape (n, size)."""
        return self.frozen.vectors(texts, tasks)


def _components(centred: Array, seed: int) -> Array32:
    """Return the principal directions (D, d) of centred rows, d at most DIMENSIONS."""
    from sklearn.decomposition import PCA

    count = min(DIMENSIONS, len(centred) - 1, centred.shape[1])
    if count < 1 or not centred.any():
        return np.zeros((centred.shape[1], 1), dtype=np.float32)
    return np.asarray(PCA(count, random_state=seed).fit(centred).components_.T, dtype=np.float32)


def with_cells(
    vocabulary: Mapping[str, int], idf: Array, components: Array, z: Array, raw: Array, seed: int
) -> FeatureMap:
    """Return a map with cells around z (n, d) and the standardised meta features `raw` (n, M).

    `vocabulary`, its weights `idf` (V,) and `components` (V, d) are those that z comes from; they may be empty.
    """
    from sklearn.cluster import KMeans

    scale, width = raw.std(axis=0), z.shape[1] + len(META_NAMES)
    spaces = Spaces(
        idf=idf,
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


def with_tasks(cells: FeatureMap, base: Array, labels: Sequence[str | None]) -> FeatureMap:
    """Return the map with cells for the tasks that enough texts are labelled with, to be guessed where unknown.

    `base` (n, D) is what the texts say, `labels` (n) their tasks.
    """
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


def outgrown(fitted_on: int, *, distinct: int) -> bool:
    """Return whether a map that was fitted on so many texts is worth replacing by one of `distinct` texts.

    Never where it has read as many as a map ever reads: else every retrain of a large log would begin anew.
    """
    return fitted_on < MOST_TEXTS and distinct >= OUTGROWN * fitted_on


def drawn(texts: Sequence[str], seed: int) -> list[str]:
    """Return the distinct texts, at most MOST_TEXTS of them, drawn with the seed, in their order."""
    distinct = list(dict.fromkeys(texts))
    if len(distinct) <= MOST_TEXTS:
        return distinct
    chosen = np.random.default_rng(seed).choice(len(distinct), MOST_TEXTS, replace=False)
    return [distinct[index] for index in sorted(chosen)]


def enough_embedded(texts: Sequence[str], given: Embeddings) -> bool:
    """Return whether the embeddings carry a map: enough distinct texts have one, and at least half of them do."""
    distinct = set(texts)
    found = len(distinct & given.by_text.keys())
    return found >= FEWEST_EMBEDDED and 2 * found >= len(distinct)
