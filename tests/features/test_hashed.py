"""Hashed vectors: the same text and key give the same one, other texts and keys another."""

from __future__ import annotations

import numpy as np
import pytest

from zetaroute.features import META_NAMES, meta
from zetaroute.features.hashed import PLACES, SIZE, hashed_vector, is_hashed, space_of, split

KEY, OTHER = b"k" * 32, b"o" * 32
TEXTS = ["Sort 3, 1, 2", "What is 12% of 250 euros?", "日本の首都はどこですか", "x " * 5000, "", "\ud800"]


@pytest.mark.parametrize("text", TEXTS)
def test_shape_length_and_meta_features(text):
    vector = hashed_vector(text, KEY)
    assert (vector.shape, vector.dtype) == ((SIZE,), np.float32)
    hashed, counted = split(vector[None, :])
    assert hashed.shape == (1, PLACES)
    assert np.linalg.norm(hashed) == pytest.approx(1.0 if text.strip() else 0.0, abs=1e-6)
    np.testing.assert_allclose(counted[0], meta(text), rtol=1e-6)
    assert len(META_NAMES) + PLACES == SIZE == 256


def test_the_key_decides_the_places():
    same, again, other = (hashed_vector(TEXTS[1], key)[:PLACES] for key in (KEY, KEY, OTHER))
    np.testing.assert_array_equal(same, again)
    assert abs(float(same @ other)) < 0.5


def test_texts_alike_in_their_words_lie_close():
    near = hashed_vector("What is 12% of 250 euros?", KEY)[:PLACES]
    alike = hashed_vector("What is 17% of 310 euros?", KEY)[:PLACES]
    far = hashed_vector("Write a poem about the sea", KEY)[:PLACES]
    assert float(near @ alike) > 0.6
    assert abs(float(near @ far)) < 0.3


def test_products_are_about_those_of_the_terms_themselves():
    """Signed hashing leaves inner products unbiased: over many keys their mean is that of the exact ones."""
    first, second = "a b c d", "a b x y"
    shared = [
        float(hashed_vector(first, key)[:PLACES] @ hashed_vector(second, key)[:PLACES])
        for key in (number.to_bytes(4, "big") for number in range(2000))
    ]
    # Seven terms each (four words, three pairs), three of them shared: a, b, "a b".
    assert np.mean(shared) == pytest.approx(3 / 7, abs=4 * np.std(shared) / np.sqrt(len(shared)))


def test_each_key_has_a_space_of_its_own():
    assert is_hashed(space_of(KEY))
    assert space_of(KEY) == space_of(KEY) != space_of(OTHER)
    assert not is_hashed("nomic-embed-text/native/8000")
