"""Text -> vector, with numpy alone: what both halves must compute alike.

Below policy and learn because the serve half needs it for every query and may not import scikit-learn.
"""

from zetaroute.features.embedding_map import AnyMap, EmbeddedMap, Embeddings
from zetaroute.features.text import META_NAMES, clip, meta, terms
from zetaroute.features.text_map import FeatureMap, Spaces

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
