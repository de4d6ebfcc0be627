"""The same predictions as a policy makes, put together from scikit-learn's own parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import BayesianRidge, LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from benchmarks.speed.homes import ARMS
from zetaroute.features import meta, terms
from zetaroute.features.text_map import SOFTNESS
from zetaroute.practice.generator import generate

Array = NDArray[np.float64]
TEXTS = 2000
HEADS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Terms, meta features, soft cells, a guessed task and four heads, each by scikit-learn."""

    words: Pipeline
    scale: StandardScaler
    cells: tuple[KMeans, ...]
    task: LogisticRegression
    heads: tuple[Ridge, ...]
    """One per figure, for all models."""
    doubters: tuple[BayesianRidge, ...]
    """One per figure and model."""

    def predict(self, text: str) -> list[Array]:
        """Return the predictions of every figure for every model, each (1, ARMS)."""
        x = self._vector(text)
        return [head.predict(x) for head in self.heads]

    def doubt(self, text: str) -> list[tuple[Array, Array]]:
        """Return the predictions with their standard errors, one pair per figure and model."""
        x = self._vector(text)
        return [head.predict(x, return_std=True) for head in self.doubters]

    def _vector(self, text: str) -> Array:
        base = _base(self.words, self.scale, self.cells, [text])
        return np.hstack([base, 2.0 * self.task.predict_proba(base)])


def fitted() -> Reference:
    """Return it fitted on practice queries; its targets are chance, which takes no less time."""
    queries = list(generate(rows=TEXTS, seed=7))
    texts, tasks = [one.query.text for one in queries], [one.query.task for one in queries]
    words = make_pipeline(
        TfidfVectorizer(analyzer=terms, sublinear_tf=True, min_df=2, max_features=15_000),
        TruncatedSVD(64, random_state=0),
        Normalizer(),
    )
    z = words.fit_transform(texts)
    scale = StandardScaler().fit([meta(text) for text in texts])
    place = _place(z, scale, texts)
    cells = tuple(KMeans(count, n_init=2, random_state=0).fit(place) for count in (8, 32))
    base = _base(words, scale, cells, texts)
    task = LogisticRegression(C=3.0, max_iter=500).fit(base, tasks)
    x = np.hstack([base, 2.0 * task.predict_proba(base)])
    targets = np.random.default_rng(0).random((HEADS, TEXTS, ARMS))
    return Reference(
        words=words,
        scale=scale,
        cells=cells,
        task=task,
        heads=tuple(Ridge(30.0).fit(x, y) for y in targets),
        doubters=tuple(BayesianRidge().fit(x, one) for y in targets for one in y.T),
    )


def _place(z: Array, scale: StandardScaler, texts: Sequence[str]) -> Array:
    return np.hstack([z, 0.5 * scale.transform([meta(text) for text in texts])])


def _base(words: Pipeline, scale: StandardScaler, cells: Sequence[KMeans], texts: Sequence[str]) -> Array:
    place = _place(words.transform(texts), scale, texts)
    return np.hstack([place, *(_soft(one.transform(place)) for one in cells)])


def _soft(distance: Array) -> Array:
    weight = np.exp(-((distance**2) - (distance**2).min(axis=1, keepdims=True)) / SOFTNESS)
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))
