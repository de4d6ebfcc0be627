"""Which vectors of queries a log holds."""

from __future__ import annotations

import polars as pl

from zetaroute.config import Home, Settings
from zetaroute.features import EmbeddedMap, Embeddings
from zetaroute.features.hashed import is_hashed, space_of
from zetaroute.learn.frame import embeddings
from zetaroute.log.pseudonyms import home_salt
from zetaroute.policy.learned import LearnedPredictor


def logged_vectors(frame: pl.DataFrame, settings: Settings, home: Home) -> Embeddings | None:
    """Return the vectors to learn from, by text: the endpoint's, or those of hashed terms where texts are not kept.

    None where the config names no endpoint and every row has its text. Vectors that another home's secret has made
    count as none: nothing here could be compared with them.
    """
    if settings.embedding is not None:
        return embeddings(frame, settings.embedding.space)
    kept = frame["embedding_model"].drop_nulls().unique().to_list()
    if not any(map(is_hashed, kept)):
        return None
    own = space_of(home_salt(home.salt))
    return _of_space(frame, own, home) if own in kept else None


def with_embeddings(predictor: LearnedPredictor, frame: pl.DataFrame, home: Home) -> LearnedPredictor:
    """Return the predictor with the vectors of a frame's queries at hand, where it reads any."""
    if not isinstance(predictor.map, EmbeddedMap):
        return predictor
    return predictor.with_embeddings(_of_space(frame, predictor.map.space, home))


def _of_space(frame: pl.DataFrame, space: str, home: Home) -> Embeddings:
    return embeddings(frame, space, key=_own_key(space, home))


def _own_key(space: str, home: Home) -> bytes | None:
    """Return the secret by which texts get vectors of a space, where it is that of this home."""
    if not is_hashed(space):
        return None
    key = home_salt(home.salt)
    return key if space == space_of(key) else None
