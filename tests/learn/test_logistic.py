"""Logistic ridge regression, held against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from zetaroute.learn.logistic import RIDGE, fit_logistic


@pytest.fixture(scope="module")
def design() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.hstack([rng.normal(size=(300, 6)) * [1, 1, 1, 1, 5, 0.1], np.ones((300, 1))])


def test_it_finds_what_scikit_learn_finds(design) -> None:
    rng = np.random.default_rng(1)
    y = (rng.random(300) < 1 / (1 + np.exp(-design @ [1, -1, 0.5, 0, 0.3, 2, -0.5]))).astype(float)
    weight = rng.random(300)
    other = LogisticRegression(C=1 / RIDGE, tol=1e-10, max_iter=5000)
    other.fit(design[:, :-1], y, sample_weight=weight)
    found = fit_logistic(design, y, weight=weight)
    assert found == pytest.approx([*other.coef_[0], other.intercept_[0]], abs=1e-4)


def test_probabilities_as_targets_count_as_shares_of_rows(design) -> None:
    share = np.linspace(0, 1, 300)
    twice = fit_logistic(
        np.vstack([design, design]), np.r_[np.ones(300), np.zeros(300)], weight=np.r_[share, 1 - share]
    )
    assert fit_logistic(design, share) == pytest.approx(twice, abs=1e-4)


def test_without_rows_the_centre_is_kept(design) -> None:
    centre = np.array([0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert fit_logistic(design[:0], np.zeros(0), centre=centre) == pytest.approx(centre)


def test_separable_rows_do_not_diverge() -> None:
    x = np.column_stack([np.r_[-np.ones(50), np.ones(50)] * 1e3, np.ones(100)])
    assert np.isfinite(fit_logistic(x, np.r_[np.zeros(50), np.ones(50)])).all()
