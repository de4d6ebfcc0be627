"""A made world of chains: models whose right answers are the same, and whose wrong ones differ."""

from __future__ import annotations

import numpy as np

from zetaroute.answers.read import read_answer
from zetaroute.arrays import Array
from zetaroute.domain import Arm, Objective
from zetaroute.learn.chains import ChainRows
from zetaroute.policy.forecast import Forecast

ARMS = tuple(Arm(id=name, provider="recorded", model=name) for name in ("small", "medium", "large"))
RIGHT = (0.6, 0.7, 0.9)
COST_USD = (0.0001, 0.0002, 0.004)
SECONDS = (0.5, 1.0, 2.0)
WORTH = Objective(answer_value_usd=0.02, satisfaction_value_usd=0.0, second_value_usd=0.0)


def forecast_of(n: int) -> Forecast:
    """Return the same expectation of every query: what is true on average."""

    def every(values: object) -> Array:
        return np.tile(np.asarray(values, dtype=np.float64), (n, 1))

    nothing = every([0.0] * 3)
    return Forecast(
        accuracy=every(RIGHT),
        accuracy_se=nothing,
        satisfaction=nothing,
        satisfaction_se=nothing,
        response_s=every(SECONDS),
        response_se=nothing,
        response_p95_s=every(SECONDS),
        cost_usd=every(COST_USD),
        cost_se=nothing,
        satisfied=nothing,
        rows=np.full(3, 100.0),
    )


def made_rows(n: int, *, seed: int = 0, telling: bool = True) -> ChainRows:
    """Return n queries; where answers are not `telling`, all are the same, right or wrong."""
    rng = np.random.default_rng(seed)
    right = (rng.random((n, 3)) < RIGHT).astype(np.float64)
    truth, wrong = rng.integers(1_000, 10_000, (n, 1)), rng.integers(1_000, 10_000, (n, 3))
    said = np.where((right > 0) | (not telling), truth, wrong)
    return ChainRows(
        texts=("How many of 30?",) * n,
        group=np.arange(n, dtype=np.uint64),
        forecast=forecast_of(n),
        cells=np.zeros(n, dtype=np.int64),
        answers=tuple(
            tuple(read_answer(f"The answer is {one}.", "How many of 30?") for one in row) for row in said
        ),
        right=right,
        cost_usd=np.tile(COST_USD, (n, 1)),
        seconds=np.tile(SECONDS, (n, 1)),
        places=(0, 1, 2),
    )


def best_single(rows: ChainRows) -> Array:
    """Return the utility of asking the best single model, (n,)."""
    return WORTH.answer_value_usd * rows.right[:, 2] - rows.cost_usd[:, 2]
