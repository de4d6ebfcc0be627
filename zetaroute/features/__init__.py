"""Text -> vector, with numpy alone: what training and serving must compute alike."""

from zetaroute.features.embedding_map import (
    AnyMap as AnyMap,
    EmbeddedMap as EmbeddedMap,
    Embeddings as Embeddings,
)
from zetaroute.features.text_map import FeatureMap as FeatureMap, Spaces as Spaces
from zetaroute.features.text_terms import META_NAMES as META_NAMES, clip as clip, meta as meta, terms as terms
