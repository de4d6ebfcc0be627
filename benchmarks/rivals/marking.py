"""Teach the rivals, route the test queries, and say what they are worth beside zetaroute.

Points are hundredths of what a right answer is worth, as gains over the best single model of the training rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

import numpy as np

from benchmarks.rivals.protocols import Array, Index, Streamed, StreamedEntry, TaughtEntry
from zetaroute.bench.datasets import Recordings
from zetaroute.bench.datasets.recordings import utility
from zetaroute.bench.full_information import arms_of, fit_full, route, sides
from zetaroute.bench.replay import ReplayPlan, replay
from zetaroute.config import Objective

ROUNDS, MOST_ROWS = 10, 6000
LOWEST = 0.01
"""The quantile of the training utilities that becomes a reward of 0; 1 is a right answer for nothing at once."""
DIGITS = 6
"""Of an answer's value: what lies below is a tie, not a cent that 'score' still counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """Points over the best single model with their standard error."""

    points: float
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamGain:
    """What a stream brought, with standard errors over the seeds."""

    test: Gain
    """On the test queries after the stream, without exploring."""
    online: Gain
    """On the streamed queries themselves, exploring included."""


def full_information(
    recordings: Recordings, worth: Objective, entries: Sequence[TaughtEntry], *, seed: int
) -> dict[str, Gain]:
    """Return the gain of every way of choosing on the test queries, with paired standard errors over them."""
    train, test = sides(recordings)
    arms, known, truth = arms_of(recordings), utility(train, worth), utility(test, worth)
    fitted = fit_full(train, arms, objective=worth, seed=seed, jobs=1)
    unguarded = replace(fitted, predictor=replace(fitted.predictor, centre=None))
    # The last entry is a constant: it says nothing to a method of distances, and would hide the others' angles.
    x, tested = (fitted.vectors(side.texts, [None] * len(side.texts))[:, :-1] for side in (train, test))
    chosen = {
        "zetaroute": route(fitted.policy("guarded"), test, arms, worth),
        "zetaroute without its guard": route(unguarded.policy("open"), test, arms, worth),
    }
    for entry in entries:
        rival = entry.make(seed)
        rival.fit(x, in_answers(known, worth))
        chosen[entry.name] = rival.choose(test.texts, tested)
    chosen["oracle"] = np.argmax(truth, axis=1)
    single = truth[:, int(np.argmax(known.mean(axis=0)))]
    return {name: _paired(truth, arm, single, worth) for name, arm in chosen.items()}


def streamed(
    recordings: Recordings,
    worth: Objective,
    entries: Sequence[StreamedEntry],
    *,
    seeds: Sequence[int],
    loops: int,
) -> dict[str, StreamGain]:
    """Return what each rival brings, and zetaroute's loop, on the same rows in the same order.

    The loop, which takes much longer, is run with the first `loops` of the seeds.
    """
    train, test = sides(recordings)
    arms, known, truth = arms_of(recordings), utility(train, worth), utility(test, worth)
    best = int(np.argmax(known.mean(axis=0)))
    fitted = fit_full(train, arms, objective=worth, seed=0, jobs=1)
    x, tested = (fitted.vectors(side.texts, [None] * len(side.texts)) for side in (train, test))
    reward = rewards(known, worth)
    found: dict[str, list[tuple[float, float]]] = {}
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(len(train.texts))[:MOST_ROWS]
        for entry in entries:
            rival = entry.make(len(arms), x.shape[1], seed)
            drawn = stream(rival, train.texts, x, reward, order)
            online = (known[order, drawn] - known[order, best]).mean()
            after = truth[np.arange(len(truth)), rival.choose(test.texts, tested)] - truth[:, best]
            found.setdefault(entry.name, []).append((float(after.mean()), float(online)))
        if seed in seeds[:loops]:
            for name, pair in _loop(recordings, worth, seed).items():
                found.setdefault(name, []).append(pair)
    return {
        name: StreamGain(test=_over([a for a, _ in runs], worth), online=_over([b for _, b in runs], worth))
        for name, runs in found.items()
    }


def in_answers(known: Array, worth: Objective) -> Array:
    """Return utilities (n, K) in values of an answer, equal where they differ by less than DIGITS can tell."""
    return np.asarray(np.round(known / worth.answer_value_usd, DIGITS))


def rewards(known: Array, worth: Objective) -> Array:
    """Return utilities (n, K) on the 0..1 that the rivals expect, clipped below at their LOWEST quantile."""
    points = known / worth.answer_value_usd
    low = min(float(np.quantile(points, LOWEST)), 0.0)
    return np.asarray(np.clip((points - low) / (1.0 - low), 0.0, 1.0))


def stream(rival: Streamed, texts: Sequence[str], x: Array, reward: Array, order: Index) -> Index:
    """Let a rival serve the queries of `order` one by one, and return the models (n,) that it drew."""
    drawn = np.empty(len(order), dtype=np.int64)
    for step, row in enumerate(order):
        arm = rival.draw(texts[row], x[row])
        rival.learn(texts[row], x[row], arm, float(reward[row, arm]))
        drawn[step] = arm
    return drawn


def _loop(recordings: Recordings, worth: Objective, seed: int) -> dict[str, tuple[float, float]]:
    """Return (test, online) gains in USD of the loop's last version, and of what served in the end."""
    plan = ReplayPlan(rounds=ROUNDS, rows=MOST_ROWS, explore=None, seed=seed)
    run = replay(recordings, objective=worth, plan=plan, jobs=1)
    online, final = run["online_gain_usd"], run["final"]
    return {f"zetaroute, {way}": (final[way] - final["best_single"], online) for way in ("learned", "served")}


def _paired(truth: Array, chosen: Index, single: Array, worth: Objective) -> Gain:
    gain = 100.0 * (truth[np.arange(len(truth)), chosen] - single) / worth.answer_value_usd
    return Gain(points=float(gain.mean()), error=float(gain.std(ddof=1) / np.sqrt(len(gain))))


def _over(gains_usd: Sequence[float], worth: Objective) -> Gain:
    points = [100.0 * gain / worth.answer_value_usd for gain in gains_usd]
    error = stdev(points) / np.sqrt(len(points)) if len(points) > 1 else float("nan")
    return Gain(points=fmean(points), error=float(error))
