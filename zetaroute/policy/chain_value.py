"""What it is worth to ask a model next: expected utility by backward induction over what may be answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from zetaroute.arrays import Array, Index
from zetaroute.policy.chain_posterior import Asked, sigmoid

MOST_ASKS = 3
"""For one query."""
Moves = Mapping[Asked, Array]
"""By the models that were asked: (K, Q, K), how an answer of each other model may move the log-odds of all, in Q ways
of the same probability; zeros where it was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The best step in each of B states."""

    value: Array
    """(B,) expected probability that what is returned is right, less all that is still to be paid."""
    model: Index
    """(B,) the place of the model to ask; -1 to stop."""


def best_step(
    moves: Moves, asked: Asked, logits: Array, charge: Array, *, able: frozenset[int], vetoed: frozenset[int]
) -> Step:
    """Return the best step in B states, whose log-odds that each model is right are (B, K).

    The `asked` models are the same in all. Those that are `able` may be asked still, each at its `charge` (K,) in
    right answers; what a `vetoed` one has answered is returned only where nothing else was.
    """
    kept = [place for place in asked if place not in vetoed]
    value = sigmoid(logits[:, kept]).max(axis=1) if kept else np.full(len(logits), -1.0 if asked else -np.inf)
    model = np.full(len(logits), -1)
    if len(asked) >= MOST_ASKS:
        return Step(value=value, model=model)
    for place in sorted(able - set(asked)):
        moved = moved_by(logits, moves[asked][place])
        after = tuple(sorted((*asked, place)))
        then = best_step(moves, after, moved.reshape(-1, logits.shape[1]), charge, able=able, vetoed=vetoed)
        worth = then.value.reshape(len(logits), -1).mean(axis=1) - charge[place]
        model = np.where(worth > value, place, model)
        value = np.maximum(worth, value)
    return Step(value=value, model=model)


def moved_by(logits: Array, moves: Array) -> Array:
    """Return the log-odds (B, Q, K) of B states (B, K) once an answer has moved them in each of Q ways (Q, K).

    They are shifted so that the mean probability stays what it was: an answer that is still to come cannot be
    expected to change it. Two steps of Newton's method come close enough.
    """
    mean, moved = sigmoid(logits)[:, None], logits[:, None] + moves
    for _ in range(2):
        found = sigmoid(moved)
        slope = np.maximum((found * (1.0 - found)).mean(axis=1, keepdims=True), 0.01)
        moved = moved - np.clip((found.mean(axis=1, keepdims=True) - mean) / slope, -2.0, 2.0)
    return np.asarray(moved)
