"""Several scales as one: what people who use both tell, and that little data changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import isotonic_regression

from zetaroute.evaluate.satisfaction import FEWEST_PAIRS, LEVELS, one_scale, scale_of


def given(rng, n: int, liking: float):
    """Return what n people think (0..1), as 1 to 5 and as a thumb that goes up early."""
    mood = np.clip(liking + 0.25 * rng.normal(size=n), 0.0, 1.0)
    rating = np.round(1 + 4 * mood)
    thumbs = (mood + 0.1 * rng.normal(size=n) > 0.35).astype(float)
    return mood, rating, thumbs


def only(values, rows):
    return np.where(rows, values, np.nan)


def fixed(rating, thumbs):
    return np.nanmean([(rating - 1) / 4, thumbs], axis=0)


def test_model_rated_by_thumbs_is_not_better_for_that():
    """Two equal models, one mostly rated by thumbs and the other by 1 to 5; some people give both."""
    rng = np.random.default_rng(1)
    raw, told = [], []
    for _ in range(50):
        mood, rating, thumbs = given(rng, 2000, 0.6)
        model = np.arange(2000) % 2
        both = rng.random(2000) < 0.2
        rating, thumbs = only(rating, both | (model == 0)), only(thumbs, both | (model == 1))
        score = fixed(rating, thumbs)
        found = one_scale(score, rating, {"thumbs": thumbs})
        raw.append(score[model == 1].mean() - score[model == 0].mean())
        told.append(found[model == 1].mean() - found[model == 0].mean())
        assert found.mean() == pytest.approx(mood.mean(), abs=0.03)
    assert np.mean(raw) > 0.15
    assert abs(np.mean(told)) < 0.01


def test_few_pairs_change_nothing():
    rng = np.random.default_rng(2)
    _, rating, thumbs = given(rng, 600, 0.6)
    down = np.flatnonzero(thumbs == 0)
    rating[down[FEWEST_PAIRS - 1 :]] = np.nan
    assert scale_of(thumbs, rating, LEVELS["thumbs"]) is None
    score = fixed(rating, thumbs)
    assert one_scale(score, rating, {"thumbs": thumbs}) is score
    assert scale_of(thumbs, np.full(600, np.nan), LEVELS["thumbs"]) is None


def test_map_is_monotone_whatever_the_pairs_say():
    thumbs = np.repeat([0.0, 1.0], (90, 30))
    rating = np.repeat([5.0, 3.0], (90, 30))
    assert scale_of(thumbs, rating, LEVELS["thumbs"]) == {0.0: 0.875, 1.0: 0.875}


def test_levels_in_the_wrong_order_share_their_mean_as_isotonic_regression_has_it():
    rng, levels = np.random.default_rng(3), (0.0, 0.25, 0.5, 0.75, 1.0)
    for _ in range(50):
        counts = rng.integers(FEWEST_PAIRS, 3 * FEWEST_PAIRS, len(levels))
        rated = rng.integers(1, 6, len(levels)).astype(float)
        found = scale_of(np.repeat(levels, counts), np.repeat(rated, counts), levels)
        wanted = isotonic_regression((rated - 1.0) / 4.0, weights=counts).x
        assert found == pytest.approx(dict(zip(levels, wanted, strict=True)))


def test_mean_of_several_people_lies_between_their_values():
    thumbs = np.concatenate([np.repeat([0.0, 1.0], 40), [0.5]])
    rating = np.concatenate([np.repeat([2.0, 4.0], 40), [np.nan]])
    found = one_scale(np.zeros(81), rating, {"thumbs": thumbs})
    assert found[-1] == pytest.approx(0.5)
    assert found[0] == pytest.approx(0.25)


def test_what_nobody_rated_stays_as_it_is():
    thumbs = np.concatenate([np.repeat([0.0, 1.0], 40), [np.nan, np.nan]])
    rating = np.concatenate([np.repeat([2.0, 4.0], 40), [np.nan, np.nan]])
    satisfaction = np.concatenate([np.zeros(80), [np.nan, 0.3]])
    found = one_scale(satisfaction, rating, {"thumbs": thumbs})
    assert np.isnan(found[-2])
    assert found[-1] == 0.3
