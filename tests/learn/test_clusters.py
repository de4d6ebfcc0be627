"""Kinds of queries get their names from their words, never from one query alone."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.worlds import OBJECTIVE, World
from zetaroute.features import FeatureMap
from zetaroute.features.cluster_names import cell_names
from zetaroute.learn.clusters import MOST_TEXTS, cell_terms, segments, spread, top_terms
from zetaroute.learn.feature_maps import TextMap
from zetaroute.learn.fit import Fitted, fit

WORLD = World(right=dict.fromkeys(("dates", "sorting", "stories"), (0.9, 0.5)), cost_usd=(0.001, 0.001))
TEXTS = [
    *(f"sort these numbers please {number} apples" for number in range(30)),
    *(f"weekday of date {number} in march" for number in range(30)),
    "sort zanzibarsecret numbers",
]


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return fit(WORLD.log(400, seed=1), WORLD.arms(), objective=OBJECTIVE, seed=0)


@pytest.fixture(scope="module")
def small_map() -> FeatureMap:
    return TextMap(TEXTS, seed=0).frozen


def test_the_words_of_a_kind_name_it(small_map: FeatureMap) -> None:
    kind = np.array(["sort" not in text for text in TEXTS], dtype=np.int64)
    sorting, dates = top_terms(small_map, TEXTS, kind, 2)
    assert {"sort", "numbers"} <= set(sorting)
    assert {"weekday", "date", "march"} <= set(dates)
    assert not set(sorting) & set(dates)


def test_no_term_is_a_piece_a_pair_or_a_quotation(fitted: Fitted, small_map: FeatureMap) -> None:
    log = WORLD.log(400, seed=1)
    for terms in cell_terms(fitted, log.texts):
        assert all(term.isalpha() and len(term) >= 3 for term in terms)
        for term in terms:
            assert sum(term in text.lower() for text in set(log.texts)) >= 2
    alone = TextMap(TEXTS[:10] + TEXTS[-1:], seed=0).frozen
    assert "zanzibarsecret" in alone.vocabulary
    ((*found,),) = top_terms(alone, TEXTS[:10] + TEXTS[-1:], np.zeros(11, dtype=np.int64), 1)
    assert "zanzibarsecret" not in found


def test_texts_that_differ_in_case_or_spacing_alone_are_one() -> None:
    assert len(spread(["Tell me", "tell  ME", "tell me\n"])) == 1
    many = [f"query {number}" for number in range(3 * MOST_TEXTS)]
    drawn = spread(many)
    assert len(drawn) == len(set(drawn)) == MOST_TEXTS
    assert many.index(drawn[-1]) > 2 * MOST_TEXTS


def test_a_kept_map_keeps_its_names(fitted: Fitted) -> None:
    cells = len(fitted.map.spaces.coarse)
    kept = [[f"word{cell}"] for cell in range(cells)]
    assert cell_terms(fitted, ["anything"], kept=kept) == kept
    assert cell_terms(fitted, ["anything"], kept=kept[1:]) != kept[1:]


@pytest.mark.parametrize(
    ("found", "names"),
    [
        ([["a", "b", "c", "d"], ["e"], []], ["a, b, c", "e", "kind 3"]),
        ([["same"], ["same"], ["same"]], ["same", "same (2)", "same (3)"]),
        (None, ["kind 1", "kind 2", "kind 3"]),
    ],
)
def test_names_of_cells(found: list[list[str]] | None, names: list[str]) -> None:
    assert cell_names(found, 3) == names


def test_a_label_comes_before_the_cell() -> None:
    assert segments(["mine", None, ""], np.array([0, 1, 0]), ["x", "y"]) == ["mine", "y", "x"]
