"""What it is worth to ask a model next: expected utility by backward induction over what may be answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zetaroute.arrays import Array, Index
from zetaroute.policy.chain.posterior import Asked

MOST_ASKS = 3
"""For one query."""
Moves = Mapping[Asked, Array]
"""By the models that were asked: (K, Q, K), how an answer of each other model may move the log-odds of all, in Q ways
of the same probability; zeros where it was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextAsk:
    """The best step in each of B states."""

    value: Array
    """(B,) expected probability that what is returned is right, less all that is still to be paid."""
    model: Index
    """(B,) the place of the model to ask; -1 to stop."""


def best_step(
    moves: Moves,
    asked: Asked,
    logits: Array,
    charge: Array,
    *,
    able: frozenset[int],
    vetoed: frozenset[int],
    every: int = 1,
) -> NextAsk:
    """Return the best step in B states, whose log-odds that each model is right are (B, K).

    The `asked` models are the same in all. Those that are `able` may be asked still, each at its `charge` (K,) in
    right answers, or (B, K); what a `vetoed` one has answered is returned only where nothing else was. One in `every`
    so many ways is looked at, of later answers every second.
    """
    kept = [place for place in asked if place not in vetoed]
    value = (
        _sigmoid(logits[:, kept]).max(axis=1) if kept else np.full(len(logits), -1.0 if asked else -np.inf)
    )
    model = np.full(len(logits), -1)
    if len(asked) >= MOST_ASKS:
        return NextAsk(value=value, model=model)
    for place in sorted(able - set(asked)):
        if (charge[..., place] >= 1.0 - value).all():
            continue
        moved = moved_by(logits, moves[asked][place][::every])
        after = tuple(sorted((*asked, place)))
        states = moved.reshape(-1, logits.shape[1])
        # One row stands for all states; rows of their own stand for the states that come of theirs.
        ways = charge.repeat(moved.shape[1], axis=0) if charge.ndim > 1 and len(charge) > 1 else charge
        then = best_step(moves, after, states, ways, able=able, vetoed=vetoed, every=2)
        worth = then.value.reshape(len(logits), -1).mean(axis=1) - charge[..., place]
        model = np.where(worth > value, place, model)
        value = np.maximum(worth, value)
    return NextAsk(value=value, model=model)


@dataclass(frozen=True, slots=True, kw_only=True)
class NextAsks:
    """The best step in each of B states where two models may be asked at the same time."""

    value: Array
    """(B,) as of `NextAsk`."""
    first: Index
    """(B,) the model to ask; -1 to stop."""
    second: Index
    """(B,) the one to ask at the same time, which takes longer; -1 for none."""


def best_asks(
    moves: Moves,
    asked: Asked,
    logits: Array,
    charge: Array,
    waiting: Array,
    *,
    able: frozenset[int],
    vetoed: frozenset[int],
    pairs: Sequence[tuple[int, int]],
) -> NextAsks:
    """Return the best step in B states (see `best_step`), of which each of the `pairs` may be asked at once.

    `charge` and `waiting`, the part of it that is time, are (B, K) in right answers.
    """
    step = best_step(moves, asked, logits, charge, able=able, vetoed=vetoed)
    value, first, second = step.value, step.model, np.full(len(logits), -1)
    for one, other in ((a, b) for pair in pairs for a, b in (pair, pair[::-1])):
        sooner = waiting[:, one] <= waiting[:, other]
        if not sooner.any():
            continue
        # Once the sooner answer is here, the other one costs no more than the rest of the wait, or is ended.
        left = charge.copy()
        left[:, other] = np.maximum(waiting[:, other] - waiting[:, one], 0.0)
        states = moved_by(logits, moves[asked][one]).reshape(-1, logits.shape[1])
        then = best_step(
            moves,
            tuple(sorted((*asked, one))),
            states,
            left if len(left) == 1 else left.repeat(len(states) // len(left), axis=0),
            able=able,
            vetoed=vetoed,
            every=2,
        )
        paid = charge[:, [one, other]].sum(axis=1) - waiting[:, other]
        worth = then.value.reshape(len(logits), -1).mean(axis=1) - paid
        better = sooner & (worth > value)
        value = np.where(better, worth, value)
        first, second = np.where(better, one, first), np.where(better, other, second)
    return NextAsks(value=value, first=first, second=second)


def moved_by(logits: Array, moves: Array) -> Array:
    """Return the log-odds (B, Q, K) of B states (B, K) once an answer has moved them in each of Q ways (Q, K).

    They are shifted so that the mean probability stays what it was: an answer that is still to come cannot be
    expected to change it. Two steps of Newton's method come close enough.
    """
    mean, moved, ways = _sigmoid(logits), logits[:, None] + moves, len(moves)
    for _ in range(2):
        found = _sigmoid(moved)
        gap = np.add.reduce(found, axis=1) / ways - mean
        # What is added keeps a step short where all is nearly certain.
        slope = np.add.reduce(found * (1.0 - found), axis=1) / ways + 0.02
        moved -= (gap / slope)[:, None]
    return moved


def _sigmoid(logits: Array) -> Array:
    """Return the probabilities of log-odds that lie far from where numbers overflow."""
    return np.asarray(1.0 / (1.0 + np.exp(-logits)))
