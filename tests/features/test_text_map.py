"""Features are finite, bounded in time, and the same in both halves."""

from __future__ import annotations

import os
import pickle
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from zetaroute.features import META_NAMES, FeatureMap, clip, meta, terms
from zetaroute.features.text_terms import LONGEST, MOST_TOKENS, tokens
from zetaroute.learn.feature_maps import TextMap
from zetaroute.practice.generator import generate

TEXTS = [one.query.text for one in generate(rows=400, seed=5)]


@pytest.fixture(scope="module")
def fitted() -> TextMap:
    return TextMap(TEXTS, seed=0)


def test_compiled_map_agrees_with_scikit_learn(fitted):
    odd = [
        "",
        "?",
        "zzz unknown words",
        "日本語のテキスト",
        "x" * 50_000,
        "1 2 3\n- a\n- b\n```py```",
        "e\u0301 ﬁ İ",
    ]
    texts = TEXTS[:150] + odd
    reference = fitted.vectors(texts)
    compiled = np.vstack([fitted.frozen.vectors([text]) for text in texts])
    np.testing.assert_allclose(compiled, reference, atol=1e-6)


def test_a_map_gives_the_same_vectors_in_a_process_that_hashes_otherwise(fitted, tmp_path: Path):
    frozen: FeatureMap = fitted.frozen
    stored = tmp_path / "map.pickle"
    stored.write_bytes(pickle.dumps((frozen, TEXTS[:20])))
    script = (
        "import pickle, sys; frozen, texts = pickle.load(open(sys.argv[1], 'rb'));"
        "sys.stdout.buffer.write(frozen.vectors(texts).tobytes())"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", script, str(stored)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        )
        theirs = np.frombuffer(done.stdout).reshape(20, frozen.size)
        np.testing.assert_allclose(theirs, frozen.vectors(TEXTS[:20]), atol=1e-12)


@pytest.mark.parametrize("texts", [["same"] * 5, ["a"], ["", ""], ["one two", "three four"]])
def test_map_of_hardly_any_text_still_works(texts):
    frozen = TextMap(texts, seed=0).frozen
    assert frozen.vectors(["anything"]).shape == (1, frozen.size)
    assert np.isfinite(frozen.vectors(texts)).all()


@given(
    st.lists(st.text(max_size=20) | st.sampled_from(["word ", "1 ", "ΑΣ ", "\n"]), max_size=30),
    st.integers(1, 40),
)
def test_a_long_text_has_the_tokens_that_its_parts_have(parts, times):
    text = " ".join(parts * times * 10)[: LONGEST - 1]
    whole = [token for word in text.split(" ") for token in tokens(word)]
    if len(whole) <= MOST_TOKENS:
        assert tokens(text) == whole
    else:
        assert tokens(text) == whole[: MOST_TOKENS // 2] + whole[-MOST_TOKENS // 2 :]


@given(st.text(max_size=300))
def test_meta_features_are_finite_for_any_text(text):
    values = meta(text)
    assert len(values) == len(META_NAMES)
    assert np.isfinite(values).all()


def test_terms_hold_words_pairs_and_ends():
    found = terms("Calculate 12345 apples!")
    assert {"calculate", "0000", "apples", "!", "calculate 0000", "^calc", "ate$", "^appl"} <= set(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a1b22 333,4444.55555", ["a", "0", "b", "00", "000", ",", "0000", ".", "0000"]),
        ("Größe 123456 ²", ["größe", "0000", "0"]),
        ("x_1", ["x", "_", "0"]),
        ("日本 7", ["日", "本", "0"]),
        ("", []),
    ],
)
def test_digits_count_as_zeros_four_of_a_run_at_most(text: str, expected: list[str]):
    assert tokens(text) == expected


def test_megabyte_query_is_looked_at_in_part_only():
    rng = random.Random(1)
    long = " ".join(str(rng.random()) for _ in range(60_000))
    assert len(long) > 1_000_000
    assert len(clip(long)) <= LONGEST + 1
    assert clip(long).startswith(long[:1000])
    assert clip(long).endswith(long[-1000:])
    assert len(terms(long)) <= 4 * MOST_TOKENS


def test_cells_name_the_nearest_centre(fitted):
    frozen: FeatureMap = fitted.frozen
    vectors = fitted.vectors(TEXTS[:50])
    cells = frozen.cells(vectors)
    assert cells.shape == (50,)
    assert set(cells.tolist()) <= set(range(len(frozen.spaces.coarse)))
