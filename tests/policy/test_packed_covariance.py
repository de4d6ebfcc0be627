"""Half of a symmetric matrix says as much as the whole."""

from __future__ import annotations

import numpy as np
import pytest

from zetaroute.policy.packed_covariance import FEW, fold, half_size, quadratic, unfold


def symmetric(count: int, size: int, seed: int = 1) -> np.ndarray:
    half = np.random.default_rng(seed).normal(size=(count, size, size))
    return half + half.transpose(0, 2, 1)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 140, 141])
def test_a_folded_matrix_unfolds_to_itself(size: int) -> None:
    matrices = symmetric(3, size)
    halves = fold(matrices)
    assert halves.shape == (3, half_size(size))
    np.testing.assert_allclose(unfold(halves, size), matrices, rtol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 5, 6, 141])
@pytest.mark.parametrize("count", [0, 1, 3, FEW, FEW + 1, 2000])
def test_quadratic_forms_are_those_of_the_whole_matrices(size: int, count: int) -> None:
    matrices, x = symmetric(4, size), np.random.default_rng(2).normal(size=(count, size))
    wanted = np.einsum("ni,kij,nj->nk", x, matrices, x, optimize=True)
    np.testing.assert_allclose(quadratic(x, fold(matrices)), wanted, rtol=1e-4, atol=1e-3 * size)


def test_few_and_many_vectors_agree() -> None:
    halves, x = fold(symmetric(2, 9)), np.random.default_rng(3).normal(size=(FEW + 1, 9))
    one_by_one = np.concatenate([quadratic(x[row : row + 1], halves) for row in range(len(x))])
    np.testing.assert_allclose(quadratic(x, halves), one_by_one, rtol=1e-4, atol=1e-4)
