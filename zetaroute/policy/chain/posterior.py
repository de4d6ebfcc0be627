"""How likely every model of a chain is to be right, by the answers that were seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from zetaroute.answers.names import EQUAL
from zetaroute.arrays import Array

SAME = 0.999
"""Agreement from which two answers are the same to the letter."""
Asked = tuple[int, ...]
"""Places of models that were asked, rising."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """Logistic models in two steps, over K models and F signs of an answer.

    First V_i(k), that k is right by what i has answered; then P_S(k), by all answers that were seen.
    """

    centre: Array
    """(K, F) mean of the signs of each model's answers."""
    scale: Array
    """(K, F) their standard deviation."""
    single: Array
    """(K, K, K + F + 1) coefficients of V: asked model, judged model."""
    joint: Mapping[Asked, Array]
    """(K, `joint_design`'s columns) coefficients of P by the asked models."""

    def view(self, prior: Array, asked: int, signs: Array) -> Array:
        """Return logit V (n, K) by one model's answers, from logit p (n, K) and signs (n, F)."""
        return np.asarray(single_design(prior, self.standard(asked, signs)) @ self.single[asked].T)

    def standard(self, asked: int, signs: Array) -> Array:
        """Return signs (n, F) in standard deviations from the mean of their model; 0 where one is not known."""
        standard = np.clip((signs - self.centre[asked]) / self.scale[asked], -4.0, 4.0)
        return np.where(np.isnan(standard), 0.0, standard)

    def after(self, prior: Array, asked: Asked, views: Array, agreements: Array) -> Array:
        """Return logit P (n, K) after the `asked` models; see `joint_design`."""
        return np.asarray(joint_design(prior, asked, views, agreements) @ self.joint[asked].T)


def single_design(prior: Array, signs: Array) -> Array:
    """Return the columns that V is fitted on: logit p (n, K), signs (n, F), 1."""
    return np.hstack([prior, signs, np.ones((len(prior), 1))])


def joint_design(prior: Array, asked: Asked, views: Array, agreements: Array) -> Array:
    """Return the columns that P is fitted on.

    They are logit p (n, K), logit V of every asked model for itself out of `views` (n, K), the agreement of each
    pair from -2 to 2 out of `agreements` (n, K, K), -1 or 1 by whether it is whole, the share of the largest group
    of equal answers, and 1.
    """
    pairs = [agreements[:, one, other] for one, other in combinations(asked, 2)]
    same = agreements[:, asked][:, :, asked] >= EQUAL
    largest = same.sum(axis=2).max(axis=1) / len(asked)
    columns = [*(4.0 * pair - 2.0 for pair in pairs), *(2.0 * (pair >= SAME) - 1.0 for pair in pairs)]
    columns += [largest, np.ones(len(prior))]
    return np.hstack([prior, views[:, asked], np.column_stack(columns)])


def logit(share: Array) -> Array:
    """Return the log-odds of probabilities, which are kept off 0 and 1."""
    kept = np.minimum(np.maximum(share, 0.02), 0.98)
    return np.asarray(np.log(kept / (1.0 - kept)))


def sigmoid(logits: Array) -> Array:
    """Return the probabilities of log-odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.minimum(np.maximum(logits, -30.0), 30.0))))


def subsets(count: int, most: int) -> Sequence[Asked]:
    """Return every set of up to `most` of `count` models that can have been asked."""
    return [chosen for size in range(1, most + 1) for chosen in combinations(range(count), size)]
