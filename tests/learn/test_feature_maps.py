"""The map over given embeddings: it tells kinds of query apart that words do not, and bears what is missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zetaroute.features.embedding_map import EmbeddedMap, Embeddings, unit
from zetaroute.learn.feature_maps import TextMap, VectorMap, enough_embedded
from zetaroute.learn.incremental.sufficient_statistics import gather
from zetaroute.learn.ridge import solve

SIZE = 96
RNG = np.random.default_rng(3)
KINDS = RNG.normal(size=(2, SIZE))


def embeddings_of(kinds: np.ndarray) -> list[np.ndarray]:
    noise = 0.7 * RNG.normal(size=(len(kinds), SIZE))
    return [np.float32(7.0 * one) for one in KINDS[kinds] + noise + 2.0]


KIND = RNG.integers(2, size=300)
TEXTS = [f"the same words every time {number}" for number in range(300)]
GIVEN = dict(zip(TEXTS, embeddings_of(KIND), strict=True))
ROWS = np.array(list(GIVEN.values()), dtype=np.float64)


def of(by_text, space="m/native") -> Embeddings:
    return Embeddings(space=space, by_text=by_text)


@pytest.fixture(scope="module")
def fitted() -> EmbeddedMap:
    return VectorMap(TEXTS, of(GIVEN), seed=0).frozen


def test_heads_learn_what_only_the_embedding_tells(fitted):
    x = fitted.vectors(TEXTS)
    right = (KIND[:, None] == np.array([0, 1])).astype(float)
    arm = RNG.integers(2, size=300)
    (head,) = solve(gather(x[:200], right[np.arange(200), arm[:200], None], arm[:200], 2))
    chosen = np.argmax(head.mean(x[200:]), axis=1)
    assert np.mean(chosen == KIND[200:]) > 0.95
    assert fitted.size == x.shape[1] == 8 + 32 + 64 + 21 + 1


def test_projection_is_centred_orthogonal_and_of_length_1(fitted):
    z = fitted.project(ROWS)
    raw = (unit(ROWS) - fitted.mean) @ fitted.components
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1.0)
    np.testing.assert_allclose(raw.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(fitted.components.T @ fitted.components, np.eye(64), atol=1e-5)


def test_scale_of_an_embedding_says_nothing(fitted):
    np.testing.assert_allclose(
        fitted.with_embeddings(of({text: 1000.0 * one for text, one in GIVEN.items()})).vectors(TEXTS[:5]),
        fitted.vectors(TEXTS[:5]),
        atol=1e-5,
    )


@pytest.mark.parametrize(
    "known", [of({}), of(dict.fromkeys(TEXTS, np.ones(5, dtype=np.float32))), of(GIVEN, space="other/native")]
)
def test_without_an_embedding_a_query_is_the_average_one_with_its_own_meta_features(fitted, known):
    x = fitted.with_embeddings(known).vectors(["", "print(1)\n```py```", TEXTS[0]])
    average = fitted.vectors(TEXTS).mean(axis=0)
    np.testing.assert_allclose(x[:, :104], np.tile(average[:104], (3, 1)), atol=1e-9)
    assert not np.allclose(x[0, 104:125], x[1, 104:125])
    np.testing.assert_allclose(x[2, 104:125], fitted.vectors(TEXTS[:1])[0, 104:125], atol=1e-12)


def test_some_may_be_missing_and_the_others_do_not_mind(fitted):
    mixed = fitted.with_embeddings(of({text: GIVEN[text] for text in (TEXTS[0], TEXTS[2])})).vectors(
        TEXTS[:3]
    )
    whole = fitted.vectors(TEXTS[:3])
    np.testing.assert_allclose(mixed[[0, 2]], whole[[0, 2]])
    assert not np.allclose(mixed[1], whole[1])


def test_task_labels_have_cells_and_are_guessed_where_they_are_missing():
    labels = [("sums", "words")[kind] if number % 2 else None for number, kind in enumerate(KIND)]
    frozen = VectorMap(TEXTS, of(GIVEN), seed=0, tasks=labels).frozen
    assert frozen.tasks == ("sums", "words")
    x = frozen.vectors(TEXTS, labels)
    guessed = np.argmax(x[::2, -3:-1], axis=1)
    assert np.mean(guessed == KIND[::2]) > 0.95
    assert frozen.vectors(["new"], ["words"])[0, -3:-1].tolist() == [0.0, 2.0]


@pytest.mark.parametrize("rows", [np.ones((1, 4)), np.ones((3, 4)), ROWS[:2]])
def test_map_of_hardly_any_vector_still_works(rows):
    known = {text: np.float32(row) for text, row in zip(TEXTS, rows, strict=False)}
    frozen = VectorMap(TEXTS[: len(rows)], of(known), seed=0).frozen
    assert np.isfinite(frozen.vectors(TEXTS[:5])).all()
    assert frozen.vectors([]).shape == (0, frozen.size)


def test_repeated_texts_count_once_and_the_seed_decides():
    one = VectorMap(TEXTS * 2, of(GIVEN), seed=4).frozen
    two = VectorMap(TEXTS, of(GIVEN), seed=4).frozen
    assert one.texts == 300
    assert one.identity() == two.identity() == one.with_embeddings(of({})).identity()
    assert one.identity() != replace(one, space="other/native").identity()


@pytest.mark.parametrize(
    ("texts", "enough"), [(TEXTS[:19], False), (TEXTS[:20], True), (TEXTS, True)], ids=["19", "20", "all"]
)
def test_enough_texts_and_half_of_them_must_have_an_embedding(texts, enough):
    others = [f"another {number}" for number in range(len(texts))]
    assert enough_embedded(texts, of(GIVEN)) is enough
    assert enough_embedded([*texts, *others], of(GIVEN)) is enough
    assert enough_embedded([*texts, *others, "one more"], of(GIVEN)) is False


def test_texts_of_the_same_terms_have_the_same_place() -> None:
    places = TextMap([f"What is {number} + 312?" for number in range(100, 160)], seed=0).frozen
    x = places.vectors(["What is 111 + 312?", "What is 777 + 312?"])
    np.testing.assert_allclose(x[0], x[1])
