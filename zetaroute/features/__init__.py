"""Text -> vector, with numpy alone: what training and serving must compute alike."""

from zetaroute.features.embedding_map import AnyMap, EmbeddedMap, Embeddings
from zetaroute.features.text_map import FeatureMap, Spaces
from zetaroute.features.text_terms import META_NAMES, clip, meta, terms

__all__ = [
    "META_NAMES",
    "AnyMap",
    "EmbeddedMap",
    "Embeddings",
    "FeatureMap",
    "Spaces",
    "clip",
    "meta",
    "terms",
]
