"""Fitted heads as arrays: one linear model per arm, with the uncertainty of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Array32, Index
from zetaroute.policy.packed_covariance import quadratic

SMALLEST = 1e-9
"""What stands for zero before a logarithm, in seconds or USD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearHead:
    """K linear models over D features: y = x . coef_k + noise."""

    coef: Array
    """(K, D)"""
    spread: Array32
    """(K, half of D x D) posterior covariance of coef_k in units of the noise variance, folded (see `symmetric`)."""
    noise: float
    """Standard deviation of the noise."""
    rows: Array
    """(K,) training rows per arm."""

    def mean(self, x: Array) -> Array:
        """Return the predicted means of n vectors (n, D) for every arm, shape (n, K)."""
        return np.asarray(x @ self.coef.T)

    def of(self, arms: Index, spread: Array32) -> LinearHead:
        """Return the models of other arms, with their spread: their places (k,) among these, -1 for no rows."""
        rows = np.where(arms >= 0, self.rows[arms], 0.0)
        return LinearHead(coef=self.coef[arms], spread=spread, noise=self.noise, rows=rows)

    def own_mean(self, x: Array, arm: Index) -> Array:
        """Return the predicted mean of each of n vectors for one arm each, (n,)."""
        return np.asarray(np.einsum("nd,nd->n", x, self.coef[arm]))

    def doubt(self, x: Array) -> Array:
        """Return the standard errors in units of the noise, (n, K): the same for heads that share their spread."""
        return np.sqrt(np.maximum(quadratic(x, self.spread), 0.0))

    def estimate(self, x: Array, doubt: Array | None = None) -> tuple[Array, Array]:
        """Return the predicted means with their standard errors, each (n, K); `doubt` is reused where it is known."""
        return self.mean(x), self.se(x, doubt)

    def se(self, x: Array, doubt: Array | None = None) -> Array:
        """Return the standard errors of the predicted means, shape (n, K)."""
        return self.noise * (self.doubt(x) if doubt is None else doubt)

    def arrays(self, name: str) -> dict[str, NDArray[np.generic]]:
        """Return the arrays to store, each under a key that starts with `name`."""
        return {
            f"{name}.coef": self.coef,
            f"{name}.spread": self.spread,
            f"{name}.noise": np.array(self.noise),
            f"{name}.rows": self.rows,
        }

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[np.generic]], name: str) -> Self | None:
        """Return the head stored under `name`, or None where it was never fitted."""
        if f"{name}.coef" not in arrays:
            return None
        return cls(
            coef=np.asarray(arrays[f"{name}.coef"], dtype=np.float64),
            spread=np.asarray(arrays[f"{name}.spread"], dtype=np.float32),
            noise=float(np.asarray(arrays[f"{name}.noise"])),
            rows=np.asarray(arrays[f"{name}.rows"], dtype=np.float64),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogHead:
    """A linear head on the logarithm of a positive quantity, and the way back to its mean."""

    linear: LinearHead
    smear: Array
    """(K,) mean of exp(residual) per arm (Duan 1983, the smearing estimate)."""
    upper: Array
    """(K,) 95% quantile of exp(residual) per arm."""

    def mean(self, x: Array) -> Array:
        """Return the predicted means in the quantity's own unit, shape (n, K)."""
        return np.asarray(np.exp(within(self.linear.mean(x), -25.0, 25.0)) * self.smear)

    def estimate(self, x: Array, doubt: Array | None = None) -> tuple[Array, Array]:
        """Return the predicted means with their standard errors by the delta method, each (n, K)."""
        mean = self.mean(x)
        return mean, mean * np.minimum(self.linear.se(x, doubt), 1.0)

    @property
    def tail(self) -> Array:
        """How many times its mean the 95% quantile is, (K,)."""
        return self.upper / self.smear

    def arrays(self, name: str) -> dict[str, NDArray[np.generic]]:
        """Return the arrays to store, each under a key that starts with `name`."""
        return self.linear.arrays(name) | {f"{name}.smear": self.smear, f"{name}.upper": self.upper}

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[np.generic]], name: str) -> Self | None:
        """Return the head stored under `name`, or None where it was never fitted."""
        linear = LinearHead.load(arrays, name)
        if linear is None:
            return None
        return cls(
            linear=linear,
            smear=np.asarray(arrays[f"{name}.smear"], dtype=np.float64),
            upper=np.asarray(arrays[f"{name}.upper"], dtype=np.float64),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassHead:
    """Multinomial logistic regression on [x, arm]: the category of a rating (bad, middling, good)."""

    coef: Array
    """(3, D + K)"""
    intercept: Array
    """(3,)"""

    def of(self, arms: Index, size: int) -> ClassHead:
        """Return the same for other arms: their places (k,) among these; `size` is that of the vectors (D)."""
        places = np.append(np.arange(size), np.where(arms >= 0, size + arms, -1))
        return ClassHead(coef=self.coef[:, places], intercept=self.intercept)

    def good(self, x: Array) -> Array:
        """Return the probability of a good rating for n vectors and every arm, shape (n, K)."""
        size = x.shape[1]
        logits = (x @ self.coef[:, :size].T)[:, None, :] + self.coef[:, size:].T[None, :, :] + self.intercept
        weight = np.exp(logits - logits.max(axis=2, keepdims=True))
        return np.asarray(weight[:, :, 2] / weight.sum(axis=2))

    def arrays(self, name: str) -> dict[str, NDArray[np.generic]]:
        """Return the arrays to store, each under a key that starts with `name`."""
        return {f"{name}.coef": self.coef, f"{name}.intercept": self.intercept}

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[np.generic]], name: str) -> Self | None:
        """Return the head stored under `name`, or None where it was never fitted."""
        if f"{name}.coef" not in arrays:
            return None
        return cls(
            coef=np.asarray(arrays[f"{name}.coef"], dtype=np.float64),
            intercept=np.asarray(arrays[f"{name}.intercept"], dtype=np.float64),
        )


def within(values: Array, least: float, most: float) -> Array:
    """Return values no smaller than `least` and no larger than `most`, in a third of the time that `clip` takes."""
    return np.minimum(np.maximum(values, least), most)
