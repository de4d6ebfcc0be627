"""Rivals that see every model's outcome: neighbours, support vectors, a small network, clusters.

Written from the documented methods of LLMRouter (kNN, SVM, MLP) and of Avengers (k-means), on scikit-learn; the
settings are those that the projects document.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.rivals.protocols import Array, Index, TaughtEntry

VOTERS, AVERAGED = 5, 100
HIDDEN, EPOCHS, BATCH, STEP, DECAY = (128, 64), 100, 32, 1e-3, 1e-4
CLUSTERS, NEAREST, SHARPNESS, RANK_OFFSET = 64, 3, 6.0, 0.1


def best_models(utility: Array, *, ties_to_single: bool) -> Index:
    """Return the label (n,) of every query: its best model, of equal ones the first, or the best single model.

    With scores of 0 and 1 most queries are ties, so the rule decides what a classifier learns.
    """
    label = np.argmax(utility, axis=1)
    if ties_to_single:
        single = int(np.argmax(utility.mean(axis=0)))
        label = np.where(utility[:, single] >= utility.max(axis=1), single, label)
    return np.asarray(label, dtype=np.int64)


class Labelled:
    """A classifier that is taught the best model of every query."""

    def __init__(self, classifier: Any, *, ties_to_single: bool, epochs: int | None = None) -> None:
        self._classifier, self._ties_to_single, self._epochs = classifier, ties_to_single, epochs

    def fit(self, x: Array, utility: Array) -> None:
        """Teach it; a label that every query shares is learned without the classifier."""
        label = best_models(utility, ties_to_single=self._ties_to_single)
        present = np.unique(label)
        self._only = int(present[0]) if len(present) == 1 else None
        if self._only is not None:
            return
        if self._epochs is None:
            self._classifier.fit(x, label)
        else:
            for _ in range(self._epochs):
                self._classifier.partial_fit(x, label, classes=present)

    def choose(self, texts: Sequence[str], x: Array) -> Index:
        """Return the label that it gives."""
        if self._only is not None:
            return np.full(len(x), self._only)
        return np.asarray(self._classifier.predict(x), dtype=np.int64)


class Averaged:
    """The model with the best mean utility over the nearest training queries."""

    def __init__(self, neighbours: int) -> None:
        self._neighbours = neighbours

    def fit(self, x: Array, utility: Array) -> None:
        """Keep the training queries."""
        from sklearn.neighbors import KNeighborsRegressor

        self._regressor = KNeighborsRegressor(min(self._neighbours, len(x))).fit(x, utility)

    def choose(self, texts: Sequence[str], x: Array) -> Index:
        """Return the model of the highest mean."""
        return np.asarray(np.argmax(self._regressor.predict(x), axis=1))


class Clusters:
    """k-means on normalised vectors, the models ranked within every cluster.

    The nearest clusters weigh exp(-6 cosine distance); a model counts 1 / (rank + .1) in each, ranks from 0.
    With one nearest cluster this is the best model of that cluster.
    """

    def __init__(self, *, nearest: int, seed: int) -> None:
        self._nearest, self._seed = nearest, seed

    def fit(self, x: Array, utility: Array) -> None:
        """Cluster the queries and rank the models; an empty cluster ranks as all queries do."""
        from sklearn.cluster import KMeans

        count = min(CLUSTERS, len(np.unique(x, axis=0)))
        means = KMeans(count, n_init=1, random_state=self._seed).fit(_unit(x))
        self._centres = _unit(means.cluster_centers_)
        order = [np.argsort(-utility[means.labels_ == cell].mean(axis=0)) for cell in range(count)]
        self._votes = 1.0 / (np.argsort(order, axis=1) + RANK_OFFSET)

    def choose(self, texts: Sequence[str], x: Array) -> Index:
        """Return the model with the most votes of the nearest clusters."""
        likeness = _unit(x) @ self._centres.T
        near = np.argsort(-likeness, axis=1)[:, : self._nearest]
        weight = np.exp(SHARPNESS * np.take_along_axis(likeness, near, axis=1))
        return np.asarray(np.argmax(np.einsum("nc,nck->nk", weight, self._votes[near]), axis=1))


def _unit(x: Array) -> Array:
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12))


def _vote(seed: int, *, ties_to_single: bool) -> Labelled:
    from sklearn.neighbors import KNeighborsClassifier

    return Labelled(KNeighborsClassifier(VOTERS), ties_to_single=ties_to_single)


def _svm(seed: int, *, ties_to_single: bool) -> Labelled:
    from sklearn.svm import SVC

    return Labelled(SVC(kernel="rbf", C=1.0, gamma="scale"), ties_to_single=ties_to_single)


def _mlp(seed: int, *, ties_to_single: bool) -> Labelled:
    from sklearn.neural_network import MLPClassifier

    network = MLPClassifier(HIDDEN, batch_size=BATCH, learning_rate_init=STEP, alpha=DECAY, random_state=seed)
    return Labelled(network, ties_to_single=ties_to_single, epochs=EPOCHS)


TAUGHT = (
    TaughtEntry(name="kNN 5, vote (LLMRouter)", make=lambda seed: _vote(seed, ties_to_single=False)),
    TaughtEntry(name="kNN 5, vote, ties to best single", make=lambda seed: _vote(seed, ties_to_single=True)),
    TaughtEntry(name="kNN 100, mean", make=lambda _: Averaged(AVERAGED)),
    TaughtEntry(name="SVM (LLMRouter)", make=lambda seed: _svm(seed, ties_to_single=False)),
    TaughtEntry(name="SVM, ties to best single", make=lambda seed: _svm(seed, ties_to_single=True)),
    TaughtEntry(name="MLP (LLMRouter)", make=lambda seed: _mlp(seed, ties_to_single=False)),
    TaughtEntry(name="MLP, ties to best single", make=lambda seed: _mlp(seed, ties_to_single=True)),
    TaughtEntry(name="k-means 64, best per cluster", make=lambda seed: Clusters(nearest=1, seed=seed)),
    TaughtEntry(
        name="k-means 64, three nearest (Avengers)", make=lambda seed: Clusters(nearest=NEAREST, seed=seed)
    ),
)
