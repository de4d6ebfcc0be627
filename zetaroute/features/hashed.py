"""A text as a vector of signed hashes of its terms and its meta features: enough to learn from, not to read.

The terms are those that the text map counts. Without the key it is not known which word a place stands for; with
it, a guessed text can be compared, as with any hash.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Array32
from zetaroute.features.text_terms import META_NAMES, meta, terms

SPACE = "zetaroute/hashed-256"
"""What the names of all spaces of such vectors begin with: each key makes one of its own."""
SIZE = 256
PLACES = SIZE - len(META_NAMES)
"""Entries for terms; the last ones are the meta features as `features.text_terms` counts them."""


def space_of(key: bytes) -> str:
    """Return what the log calls the vectors of a key: those of two keys have nothing to say to each other."""
    return f"{SPACE}/{hashlib.blake2b(b'space', digest_size=4, key=key).hexdigest()}"


def is_hashed(space: str) -> bool:
    """Return whether the vectors of a space are hashed terms."""
    return space.startswith(SPACE)


def hashed_vector(text: str, key: bytes) -> Array32:
    """Return a vector (SIZE,) of a text: PLACES entries of length 1 together, then the meta features, unscaled.

    An entry is the signed sum of 1 + ln tf over the terms that the keyed hash puts there (feature hashing, Weinberger
    et al. 2009, equation 1). `key` has at most 64 bytes.
    """
    place = np.zeros(PLACES)
    for term, count in Counter(terms(text)).items():
        digest = hashlib.blake2b(term.encode("utf-8", "replace"), digest_size=8, key=key).digest()
        number = int.from_bytes(digest, "big")
        place[(number >> 1) % PLACES] += (1.0 + math.log(count)) * (1.0 if number & 1 else -1.0)
    norm = math.sqrt(float(place @ place))
    if norm > 0:
        place /= norm
    return np.concatenate([place, meta(text)]).astype(np.float32)


def split(vectors: NDArray[np.floating]) -> tuple[Array, Array]:
    """Return what vectors (n, SIZE) say of the terms, (n, PLACES), and the meta features, (n, len(META_NAMES))."""
    whole = np.asarray(vectors, dtype=np.float64)
    return whole[:, :PLACES], whole[:, PLACES:]
