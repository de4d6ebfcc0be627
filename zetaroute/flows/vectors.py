"""Which vectors of queries a log holds, for what is learned from it and what looks back at it.

Apart from asking for vectors because it belongs to the learn half: it reads frames and asks nobody.
"""

from __future__ import annotations

import polars as pl

from zetaroute.config import Home, Settings
from zetaroute.features import EmbeddedMap, Embeddings
from zetaroute.features.hashed import SPACE
from zetaroute.learn.frame import embeddings
from zetaroute.policy import LearnedPredictor
from zetaroute.store.protect import home_salt


def logged_vectors(frame: pl.DataFrame, settings: Settings, home: Home) -> Embeddings | None:
    """Return the vectors to learn from, by text: the endpoint's, or those of hashed terms where texts are not kept.

    None where the config names no endpoint and every row has its text.
    """
    if settings.embedding is not None:
        return embeddings(frame, settings.embedding.space)
    if (frame["embedding_model"] == SPACE).any():
        return _of_space(frame, SPACE, home)
    return None


def knowing(predictor: LearnedPredictor, frame: pl.DataFrame, home: Home) -> LearnedPredictor:
    """Return the predictor with the vectors of a frame's queries at hand, where it reads any."""
    if not isinstance(predictor.map, EmbeddedMap):
        return predictor
    return predictor.knowing(_of_space(frame, predictor.map.space, home))


def _of_space(frame: pl.DataFrame, space: str, home: Home) -> Embeddings:
    return embeddings(frame, space, key=home_salt(home.salt) if space == SPACE else None)
