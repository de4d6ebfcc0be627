"""Logistic ridge regressions: by damped Newton steps for targets between 0 and 1, by L-BFGS for several classes."""

from __future__ import annotations

import numpy as np

from zetaroute.arrays import Array, Index
from zetaroute.policy.chain.posterior import sigmoid

RIDGE = 10.0
_STEPS = 50
_CLOSE = {"maxiter": 1000, "gtol": 1e-4, "ftol": 1e-14}
"""As scikit-learn stops; a hundred times closer takes four times as long."""
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


def fit_multinomial(x: Array, category: Index, *, ridge: float) -> tuple[Array, Array]:
    """Return coefficients (C, D) and intercepts (C,) that minimise cross-entropy + ridge / 2 |coefficients|^2.

    `x` is (n, D); `category` (n,) holds each of 0..C-1. Of two classes half their difference is shrunk, as
    scikit-learn does, whose own takes a second to load.
    """
    from scipy.optimize import minimize

    n, classes = len(x), int(category.max()) + 1
    ridge *= 2.0 if classes == 2 else 1.0
    of_class = np.eye(classes)[category]

    def loss(flat: Array) -> tuple[float, Array]:
        coef = flat.reshape(classes, -1)
        logits = x @ coef[:, :-1].T + coef[:, -1]
        logits -= logits.max(axis=1, keepdims=True)
        total = np.log(np.exp(logits).sum(axis=1, keepdims=True))
        gap = np.exp(logits - total) - of_class
        slope = np.column_stack([gap.T @ x + ridge * coef[:, :-1], gap.sum(axis=0)])
        value = float((total[:, 0] - (logits * of_class).sum(axis=1)).sum())
        return (value + 0.5 * ridge * float((coef[:, :-1] ** 2).sum())) / n, slope.ravel() / n

    start = np.zeros(classes * (x.shape[1] + 1))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=_CLOSE)
    coef = found.x.reshape(classes, -1)
    return coef[:, :-1], coef[:, -1]
