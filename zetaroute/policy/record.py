"""What to expect of every arm before anything was learned: the config's claims, corrected by the arm's own record.

Apart from `predict` because it reads how the arms stand, which changes with every answer; what a query is about plays
no part. So a cold start finds the best single model by itself, and only routing by query has to be proven.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zetaroute.config import Objective
from zetaroute.domain import ALL_TASKS, Arm, Query, Standing, Tally
from zetaroute.policy.explore import ENOUGH_GRADED
from zetaroute.policy.predict import (
    CHARACTERS_PER_TOKEN,
    PRIOR_OUTPUT_TOKENS,
    PRIOR_RELATIVE_SE,
    Forecast,
    PriorPredictor,
)

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SHARE_SD = 0.5
"""Standard deviation of a share (accuracy, satisfaction) before rows tell it: the largest there is."""
RELATIVE_SD = 1.0
"""The same for times, costs and tokens, in means: that of an exponential distribution."""
SD_ROWS = 3.0
"""Rows that those count for."""
TINY = 1e-18
"""The least variance: what never varied, such as a price of nothing, is known as well as a number can tell."""
FEWEST_GRADED = 10
"""Graded answers below which an arm's record rules nothing out, whatever the config claims."""
RULED_OUT_SE = 2.0
"""Standard errors, on both sides, by which an arm must stay below the best to be ruled out."""
_EMPTY = Tally()


class RecordPredictor(PriorPredictor):
    """The config's priors with the record of every arm: normal posteriors of the means, each metric on its own."""

    def __init__(self, standings: Mapping[str, Standing]) -> None:
        """Take how the arms stand, by id."""
        self._standings = standings

    def forecast(self, vectors: Array, arms: Sequence[Arm]) -> Forecast:
        """Return what is expected of the arms for n queries; `rows` are their graded answers."""
        prior = super().forecast(vectors, arms)
        tallies = [tally_of(self._standings, arm) for arm in arms]

        def known(
            mean: Array, se: Array, rows: str, value: str, usual: float | None = None
        ) -> tuple[Array, Array]:
            count, seen, sd = (
                np.array([getattr(tally, name) for tally in tallies], dtype=np.float64)
                for name in (rows, value, f"{value}_sd")
            )
            return _posterior(mean, se, count, seen, sd, RELATIVE_SD * seen if usual is None else usual)

        def tokens() -> tuple[Array, Array]:
            mean = np.full_like(prior.accuracy, PRIOR_OUTPUT_TOKENS)
            return known(mean, PRIOR_RELATIVE_SE * mean, "counted", "output_tokens")

        accuracy, accuracy_se = known(prior.accuracy, prior.accuracy_se, "graded", "accuracy", SHARE_SD)
        liking, liking_se = known(
            prior.satisfaction, prior.satisfaction_se, "rated", "satisfaction", SHARE_SD
        )
        response, response_se = known(prior.response_s, prior.response_se, "timed", "response_s")
        cost, cost_se = known(
            np.full_like(accuracy, np.nan), np.full_like(accuracy, np.nan), "charged", "cost_usd"
        )
        priced = np.array([arm.prices is not None for arm in arms])
        if priced.any():
            by_price, by_price_se = _cost(vectors, arms, *tokens())
            cost, cost_se = np.where(priced, by_price, cost), np.where(priced, by_price_se, cost_se)
        return replace(
            prior,
            accuracy=accuracy,
            accuracy_se=accuracy_se,
            satisfaction=liking,
            satisfaction_se=liking_se,
            response_s=response,
            response_se=response_se,
            cost_usd=cost,
            cost_se=cost_se,
            rows=np.array([tally.graded for tally in tallies], dtype=np.float64),
        )


def newcomers(
    arms: Sequence[Arm],
    rows: Array,
    standings: Mapping[str, Standing],
    *,
    query: Query,
    objective: Objective,
    eligible: Mask,
) -> Mask:
    """Return which eligible arms (K,) have too few graded answers to be judged, in training (`rows`) and in the log.

    Of those, one whose record of FEWEST_GRADED answers or more leaves no doubt that another is better is none.
    """
    graded = np.array([tally_of(standings, arm).graded for arm in arms], dtype=np.float64)
    few = eligible & (np.maximum(rows, graded) < ENOUGH_GRADED)
    judged = graded >= FEWEST_GRADED
    if not (few & judged).any() or few.all():
        return few
    record = RecordPredictor(standings)
    mean, se = (
        one[0] for one in record.forecast(record.vectors([query.text]), arms).utility(objective, arms)
    )
    least = np.where(eligible & judged, mean - RULED_OUT_SE * se, -np.inf).max()
    return np.asarray(few & ~(judged & (mean + RULED_OUT_SE * se < least)))


def tally_of(standings: Mapping[str, Standing], arm: Arm) -> Tally:
    """Return the tally of an arm over all tasks; an empty one where it has no record."""
    standing = standings.get(arm.id)
    return (standing.tallies.get(ALL_TASKS) if standing else None) or _EMPTY


def _cost(vectors: Array, arms: Sequence[Arm], tokens: Array, tokens_se: Array) -> tuple[Array, Array]:
    """Return the costs (n, K) of arms with prices by the length of the query and the expected output tokens."""
    per_input = np.array([arm.prices.input if arm.prices else np.nan for arm in arms]) / 1e6
    per_output = np.array([arm.prices.output if arm.prices else np.nan for arm in arms]) / 1e6
    asking = per_input * vectors / CHARACTERS_PER_TOKEN
    error = np.sqrt((PRIOR_RELATIVE_SE * asking) ** 2 + (per_output * tokens_se) ** 2)
    return asking + per_output * tokens, error


def _posterior(
    mean: Array, se: Array, rows: Array, seen: Array, sd: Array, usual: Array | float
) -> tuple[Array, Array]:
    """Return mean and standard error of a prior (n, K) after `rows` (K,) with mean `seen` and deviation `sd`.

    A prior that is NaN says nothing. The deviation is mixed with the `usual` one, so that a few equal rows prove
    nothing; precisions add (normal prior and likelihood).
    """
    variance = np.maximum((rows * sd**2 + SD_ROWS * np.square(usual)) / (rows + SD_ROWS), TINY)
    claimed = np.where(np.isnan(mean), 0.0, 1.0 / np.maximum(np.nan_to_num(se) ** 2, TINY))
    precision = claimed + rows / variance
    total = np.where(precision > 0, precision, np.nan)
    return (claimed * np.nan_to_num(mean) + rows / variance * seen) / total, 1.0 / np.sqrt(total)
