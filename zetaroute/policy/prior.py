"""What to expect of every arm before anything was learned: the config's claims, corrected by the arm's own record.

What a query is about plays no part: a cold start finds the best single model, and routing by query has to be proven.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from zetaroute.arrays import Array, Mask
from zetaroute.config import Objective
from zetaroute.domain import Arm, Query, Standing, Tally
from zetaroute.policy.exploration import ENOUGH_GRADED
from zetaroute.policy.forecast import Forecast

if TYPE_CHECKING:
    from zetaroute.features import Embeddings

Key = TypeVar("Key")
Value = TypeVar("Value")


PRIOR_ACCURACY = 0.6
PRIOR_SATISFACTION = 0.6
PRIOR_RESPONSE_S = 2.0
PRIOR_SE = 0.2
"""Standard error of an accuracy or a satisfaction that only the config claims."""
PRIOR_RELATIVE_SE = 0.5
"""The same for times, for what reading a query costs and for the tokens of an answer, as a share."""
PRIOR_OUTPUT_TOKENS = 200.0
CHARACTERS_PER_TOKEN = 4.0

SHARE_SD = 0.5
"""Standard deviation of a share (accuracy, satisfaction) before rows tell it: the largest there is."""
RELATIVE_SD = 1.0
"""The same for times, costs and tokens, in means: that of an exponential distribution."""
SD_ROWS = 3.0
"""Rows that those count for."""
TINY = 1e-18
"""The least variance: what never varied, such as a price of nothing, is known as well as a number can tell."""
FEWEST_GRADED = 3
"""Graded answers below which an arm's record rules nothing out, whatever the config claims."""
RULED_OUT_SE = 2.0
"""Standard errors of the difference by which an arm must stay below the best to be ruled out."""
_EMPTY = Tally()
_NONE: Mapping[str, Standing] = MappingProxyType({})
_Key = tuple[tuple[Arm, ...], tuple[Tally, ...]]


class Memo(Generic[Key, Value]):
    """What was worked out last: for most queries the same arms stand as they stood for the one before."""

    def __init__(self) -> None:
        self._held: tuple[Key, Value] | None = None

    def of(self, key: Key, make: Callable[[], Value]) -> Value:
        """Return the value of a key, made unless it is the key of the last time."""
        held = self._held
        if held is None or held[0] != key:
            held = self._held = (key, make())
        return held[1]


class PriorPredictor:
    """What the config claims of every arm, corrected by the arm's record; of a query only its length counts.

    Normal posteriors of the means, each metric on its own.
    """

    map: None = None

    def __init__(
        self, standings: Mapping[str, Standing] = _NONE, latest: Memo[_Key, _Known] | None = None
    ) -> None:
        """Take how the arms stand, by id, and what was known of them last."""
        self._standings = standings
        self._latest = Memo[_Key, _Known]() if latest is None else latest

    def with_record(self, standings: Mapping[str, Standing]) -> PriorPredictor:
        """Return the same with the record of every arm at hand."""
        return PriorPredictor(standings, self._latest)

    def vectors(self, texts: Sequence[str], tasks: Sequence[str | None] | None = None) -> Array:
        """Return the length of each text in characters, shape (n, 1)."""
        return np.fromiter(map(len, texts), np.float64, len(texts))[:, None]

    def with_embeddings(self, given: Embeddings) -> PriorPredictor:
        """Return the same: no query is read."""
        return self

    def forecast(self, vectors: Array, arms: Sequence[Arm]) -> Forecast:
        """Return what is expected of the arms for n queries; `rows` are their graded answers."""
        tallies = tuple(tally_of(self._standings, arm) for arm in arms)
        known = self._latest.of((tuple(arms), tallies), lambda: _known(arms, tallies))
        accuracy, accuracy_se, liking, liking_se, response, response_se, unknown, fixed, fixed_se = (
            row[None] if len(vectors) == 1 else row[None].repeat(len(vectors), axis=0) for row in known.by_arm
        )
        asking = known.per_character * vectors
        return Forecast(
            accuracy=accuracy,
            accuracy_se=accuracy_se,
            satisfaction=liking,
            satisfaction_se=liking_se,
            response_s=response,
            response_se=response_se,
            response_p95_s=unknown,
            cost_usd=asking + fixed,
            cost_se=np.sqrt((PRIOR_RELATIVE_SE * asking) ** 2 + fixed_se**2),
            satisfied=unknown,
            rows=known.rows,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is expected of K arms whatever is asked; every array (K,)."""

    by_arm: Array
    """(9, K) mean and standard error of accuracy, satisfaction and response time, what is unknown (NaN), and
    mean and standard error of the cost but for the query's length."""
    per_character: Array
    """USD; 0 where the price is unknown."""
    rows: Array


def _known(arms: Sequence[Arm], tallies: Sequence[Tally]) -> _Known:
    def posterior(
        mean: Array, se: Array, rows: str, value: str, usual: float | None = None
    ) -> tuple[Array, Array]:
        count, seen, sd = (
            np.array([getattr(tally, name) for tally in tallies], dtype=np.float64)
            for name in (rows, value, f"{value}_sd")
        )
        return _posterior(mean, se, count, seen, sd, RELATIVE_SD * seen if usual is None else usual)

    def alike(value: float) -> Array:
        return np.full(len(arms), value)

    claimed = np.array([_or(arm.prior_accuracy, PRIOR_ACCURACY) for arm in arms])
    response = np.array([_or(arm.prior_response_s, PRIOR_RESPONSE_S) for arm in arms])
    liking, doubt, unknown = alike(PRIOR_SATISFACTION), alike(PRIOR_SE), alike(np.nan)
    tokens = alike(PRIOR_OUTPUT_TOKENS)
    per_token = (
        np.array([[p.input, p.output] if (p := arm.prices) else [np.nan] * 2 for arm in arms])
        .reshape(-1, 2)
        .T
        / 1e6
    )
    written = posterior(tokens, PRIOR_RELATIVE_SE * tokens, "counted", "output_tokens")
    charged = posterior(unknown, unknown, "charged", "cost_usd")
    fixed = np.where(np.isnan(per_token[1]), charged, per_token[1] * np.array(written))
    by_arm = [
        *posterior(claimed, doubt, "graded", "accuracy", SHARE_SD),
        *posterior(liking, doubt, "rated", "satisfaction", SHARE_SD),
        *posterior(response, PRIOR_RELATIVE_SE * response, "timed", "response_s"),
        unknown,
        *fixed,
    ]
    known = _Known(
        by_arm=np.array(by_arm),
        per_character=np.nan_to_num(per_token[0]) / CHARACTERS_PER_TOKEN,
        rows=np.array([tally.graded for tally in tallies], dtype=np.float64),
    )
    for array in (known.by_arm, known.rows):
        # Forecasts share them.
        array.flags.writeable = False
    return known


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
    record = PRIORS.with_record(standings)
    mean, se = (
        one[0] for one in record.forecast(record.vectors([query.text]), arms).utility(objective, arms)
    )
    return np.asarray(few & ~ruled_out(mean, se, eligible & judged))


def ruled_out(mean: Array, se: Array, judged: Mask) -> Mask:
    """Return which of the judged arms (K,) are clearly worse than the best of them, by utilities in USD (K,)."""
    if not judged.any():
        return judged
    best = int(np.where(judged, mean, -np.inf).argmax())
    return np.asarray(judged & (mean[best] - mean > RULED_OUT_SE * np.hypot(se[best], se)))


def tally_of(standings: Mapping[str, Standing], arm: Arm) -> Tally:
    """Return the record of an arm over all tasks; an empty one where it has none."""
    standing = standings.get(arm.id)
    return standing.record if standing else _EMPTY


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


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


PRIORS = PriorPredictor()
"""What the config claims, without any record."""
