"""The map over given embeddings: it tells kinds of query apart that words do not, and bears what is missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zetaroute.features.embedded import EmbeddedMap, unit
from zetaroute.learn.embedded import VectorMap, enough_embedded
from zetaroute.learn.heads import fit_linear

SIZE = 96
RNG = np.random.default_rng(3)
KINDS = RNG.normal(size=(2, SIZE))


def embeddings_of(kinds: np.ndarray) -> list[np.ndarray]:
    noise = 0.7 * RNG.normal(size=(len(kinds), SIZE))
    return [np.float32(7.0 * one) for one in KINDS[kinds] + noise + 2.0]


KIND = RNG.integers(2, size=300)
TEXTS = [f"the same words every time {number}" for number in range(300)]
GIVEN = embeddings_of(KIND)


@pytest.fixture(scope="module")
def fitted() -> EmbeddedMap:
    return VectorMap(TEXTS, GIVEN, space="m/native", seed=0).frozen


def test_heads_learn_what_only_the_embedding_tells(fitted):
    x = fitted.vectors(TEXTS, None, GIVEN)
    right = (KIND[:, None] == np.array([0, 1])).astype(float)
    arm = RNG.integers(2, size=300)
    head = fit_linear(x[:200], right[np.arange(200), arm[:200]], arm[:200], 2)
    chosen = np.argmax(head.mean(x[200:]), axis=1)
    assert np.mean(chosen == KIND[200:]) > 0.95
    assert fitted.size == x.shape[1] == 8 + 32 + 64 + 21 + 1


def test_projection_is_centred_orthogonal_and_of_length_1(fitted):
    z = fitted.project(np.array(GIVEN, dtype=np.float64))
    raw = (unit(np.array(GIVEN, dtype=np.float64)) - fitted.mean) @ fitted.components
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1.0)
    np.testing.assert_allclose(raw.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(fitted.components.T @ fitted.components, np.eye(64), atol=1e-5)


def test_scale_of_an_embedding_says_nothing(fitted):
    np.testing.assert_allclose(
        fitted.vectors(TEXTS[:5], None, [1000.0 * one for one in GIVEN[:5]]),
        fitted.vectors(TEXTS[:5], None, GIVEN[:5]),
        atol=1e-5,
    )


@pytest.mark.parametrize("missing", [None, [None] * 3, [np.ones(5, dtype=np.float32)] * 3])
def test_without_an_embedding_a_query_is_the_average_one_with_its_own_meta_features(fitted, missing):
    texts = ["", "print(1)\n```py```", TEXTS[0]]
    x = fitted.vectors(texts, None, missing)
    average = fitted.vectors(TEXTS, None, GIVEN).mean(axis=0)
    np.testing.assert_allclose(x[:, :104], np.tile(average[:104], (3, 1)), atol=1e-9)
    assert not np.allclose(x[0, 104:125], x[1, 104:125])
    np.testing.assert_allclose(
        x[2, 104:125], fitted.vectors(TEXTS[:1], None, GIVEN[:1])[0, 104:125], atol=1e-12
    )


def test_some_may_be_missing_and_the_others_do_not_mind(fitted):
    mixed = fitted.vectors(TEXTS[:3], None, [GIVEN[0], None, GIVEN[2]])
    whole = fitted.vectors(TEXTS[:3], None, GIVEN[:3])
    np.testing.assert_allclose(mixed[[0, 2]], whole[[0, 2]])
    assert not np.allclose(mixed[1], whole[1])


def test_task_labels_have_cells_and_are_guessed_where_they_are_missing():
    labels = [("sums", "words")[kind] if number % 2 else None for number, kind in enumerate(KIND)]
    frozen = VectorMap(TEXTS, GIVEN, space="m/native", seed=0, tasks=labels).frozen
    assert frozen.tasks == ("sums", "words")
    x = frozen.vectors(TEXTS, labels, GIVEN)
    guessed = np.argmax(x[::2, -3:-1], axis=1)
    assert np.mean(guessed == KIND[::2]) > 0.95
    assert frozen.vectors(["new"], ["words"])[0, -3:-1].tolist() == [0.0, 2.0]


@pytest.mark.parametrize(
    "given", [[np.ones(4, dtype=np.float32)], [np.ones(4, dtype=np.float32)] * 3, GIVEN[:2]]
)
def test_map_of_hardly_any_vector_still_works(given):
    frozen = VectorMap(TEXTS[: len(given)], given, space="m/native", seed=0).frozen
    assert np.isfinite(frozen.vectors(TEXTS[:5], None, [given[0], None, *given[:1] * 3])).all()
    assert frozen.vectors([]).shape == (0, frozen.size)


def test_repeated_texts_count_once_and_the_seed_decides():
    one = VectorMap(TEXTS * 2, GIVEN * 2, space="m/native", seed=4).frozen
    two = VectorMap(TEXTS, GIVEN, space="m/native", seed=4).frozen
    assert one.texts == 300
    assert one.identity() == two.identity()
    assert one.identity() != replace(one, space="other/native").identity()


@pytest.mark.parametrize(("known", "enough"), [(19, False), (20, True), (150, True), (300, True)])
def test_half_of_the_texts_must_have_an_embedding(known, enough):
    texts = TEXTS[: max(2 * known - 1, 1)] if known < 150 else TEXTS
    given = [*GIVEN[:known], *[None] * (len(texts) - known)] if known < len(texts) else GIVEN[: len(texts)]
    assert enough_embedded(texts, given) is enough
    assert (
        enough_embedded([*TEXTS, *(f"more {number}" for number in range(301))], [*GIVEN, *[None] * 301])
        is False
    )
