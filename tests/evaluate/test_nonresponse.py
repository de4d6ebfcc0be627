"""Who rates is not who was asked: the chance of a rating is learned, and completed ratings are right in the mean."""

from __future__ import annotations

import numpy as np
import pytest

from zetaroute.evaluate.nonresponse import Covariates, ResponsePropensity, response_propensity


def answered(rng, n: int):
    """Make answers of two kinds of queries by two arms: the covariates, the kind, and whether each was liked."""
    kind, arm = rng.integers(2, size=n), rng.integers(2, size=n)
    seen = Covariates(
        x=np.column_stack([kind, 1 - kind]).astype(float),
        arm=arm,
        arms=2,
        fold=rng.integers(5, size=n),
        after=np.zeros((n, 0)),
    )
    return seen, kind, (rng.random(n) < 0.4 + 0.2 * kind * arm).astype(float)


def test_chance_of_a_rating_is_learned_per_kind_and_arm():
    rng = np.random.default_rng(43)
    seen, kind, _ = answered(rng, 6000)

    def chance_of(here):
        return response_propensity(seen.x, seen.arm, here, seen.fold, arms=2)

    chance = chance_of(rng.random(6000) < 0.2 + 0.5 * kind)
    assert chance[kind == 0].mean() == pytest.approx(0.2, abs=0.03)
    assert chance[kind == 1].mean() == pytest.approx(0.7, abs=0.03)
    assert chance_of(np.zeros(6000, dtype=bool)).min() == 0.05


def test_completed_ratings_are_right_in_the_mean_where_those_given_are_not():
    rng = np.random.default_rng(41)
    errors, naive = [], []
    for _ in range(60):
        seen, kind, liked = answered(rng, 1500)
        # What is liked most is rated least.
        here = rng.random(1500) < np.where(kind == 1, 0.15 + 0.1 * seen.arm, 0.8 - 0.2 * seen.arm)
        completed = ResponsePropensity(seen, here).completed(np.where(here, liked, np.nan))
        truth = float((0.4 + 0.2 * kind * seen.arm).mean())
        errors.append(completed.mean() - truth)
        naive.append(liked[here].mean() - truth)
    assert abs(np.mean(errors)) < 3.5 * np.std(errors) / np.sqrt(60)
    assert abs(np.mean(naive)) > 3.5 * np.std(naive) / np.sqrt(60)
