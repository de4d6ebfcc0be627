"""Logistic ridge regression by damped Newton steps, for targets between 0 and 1."""

from __future__ import annotations

import numpy as np

from zetaroute.arrays import Array
from zetaroute.policy.chain.posterior import sigmoid

RIDGE = 10.0
_STEPS = 50
_PRECISE = 1e-5
"""Change of a coefficient at which it stops."""


def fit_logistic(x: Array, y: Array, *, weight: Array | None = None, centre: Array | None = None) -> Array:
    """Return the coefficients (D,) that minimise cross-entropy + RIDGE / 2 |coefficients - centre|^2.

    `x` is (n, D) with a last column of ones, which is not shrunk; `y` (n,) may be probabilities. A step that does
    not lower the loss is halved: whole ones can diverge.
    """
    weight = np.ones(len(y)) if weight is None else weight
    centre = np.zeros(x.shape[1]) if centre is None else centre
    penalty = np.full(x.shape[1], RIDGE)
    penalty[-1] = 1e-6
    coef = centre.copy()
    loss = _loss(coef, x, y, weight, centre, penalty)
    for _ in range(_STEPS):
        p = sigmoid(x @ coef)
        slope = x.T @ (weight * (p - y)) + penalty * (coef - centre)
        curve = (x * (weight * p * (1.0 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(curve, slope)
        size = 1.0
        while size > 1e-3:
            tried = coef - size * step
            found = _loss(tried, x, y, weight, centre, penalty)
            if found <= loss:
                break
            size /= 2.0
        else:
            break
        done = np.abs(tried - coef).max() < _PRECISE
        coef, loss = tried, found
        if done:
            break
    return coef


def _loss(coef: Array, x: Array, y: Array, weight: Array, centre: Array, penalty: Array) -> float:
    logits = x @ coef
    return float(weight @ (np.logaddexp(0.0, logits) - y * logits) + 0.5 * penalty @ (coef - centre) ** 2)
