"""Differences of a KPI that most rows lack, such as satisfaction: who rates is not who was asked.

Two answers stand side by side. The estimate corrects for what we see (which queries, models and answers get rated);
the band says how much a habit that we do not see, such as only the angry rating, could change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zetaroute.domain import Figure
from zetaroute.evaluate.ope import Comparison, Difference, Rows, hits_of
from zetaroute.evaluate.response import FEWEST_RATED, Asking, Response, Seen

Array = NDArray[np.float64]

FEWEST_HITS = 20
"""Rated rows showing the candidate's choice below which nothing is said."""
GAMMA = 2.0
"""Odds ratio of the band that is shown."""
LARGEST_GAMMA = 100.0
BISECTIONS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """The change of a KPI that is missing for some rows."""

    difference: Difference
    comparison: Comparison
    """The completed values, to ask more of."""
    known: int
    share: float
    """Share of the rows whose value is known; of those that were asked, where it stands on them."""
    asked: bool
    """Whether it stands on ratings that were asked for by lot alone; else on all, volunteered ones among them."""
    band: Figure
    """Interval if the unknown ones had up to `GAMMA` times other odds; empty when there is too little to say."""
    break_even: float | None
    """Smallest odds ratio at which the direction is not proven any more, at most `LARGEST_GAMMA`; None when it is
    not proven even if nothing unseen decides who rates."""


def rated_difference(
    rows: Rows, reward: Array, *, after: Array | None = None, asking: Asking | None = None
) -> Rated:
    """Estimate the change of a reward in 0..1 (n,) that is NaN where nobody gave it.

    Doubly robust in both steps: the model's choice (known propensities) and the rating, whose chance may depend on
    features, arm and what is known `after` the answer (n, S). Where enough were asked by lot, only they count. The
    band moves the unrated of the two policies in opposite directions.
    """
    seen = Seen(
        x=rows.x,
        arm=rows.arm,
        arms=rows.pmf.shape[1],
        fold=rows.fold,
        after=np.zeros((len(reward), 0)) if after is None else after,
    )
    here = ~np.isnan(reward)
    if asking is not None and int((here & asking.answered).sum()) >= FEWEST_RATED:
        found = _difference(rows, reward, Response(seen, here, asking), asked=True)
        if found.band.value is not None:
            return found
    return _difference(rows, reward, Response(seen, here), asked=False)


def _difference(rows: Rows, reward: Array, response: Response, *, asked: bool) -> Rated:
    known = response.known
    count = int(known.sum())
    comparison = Comparison(rows, response.completed(reward) if count else reward, bounded=True)
    # What was completed speaks for many rows, but only what was rated is evidence.
    hits = hits_of(rows.take(known))
    difference = comparison.difference()
    degrees = max(min(difference.degrees, hits - 1.0), 1.0)
    found = Rated(
        difference=replace(difference, n=count, hits=hits, degrees=degrees),
        comparison=comparison,
        known=count,
        share=float(known[response.among].mean()) if response.among.any() else 0.0,
        asked=asked,
        band=Figure(value=None, low=None, high=None, n=count),
        break_even=None,
    )
    if comparison.q is None or hits < FEWEST_HITS:
        return found
    within = response.within
    unknown = Unknown(
        change=rows.change()[within] / max(int(within.sum()), 1),
        q=comparison.q,
        missing=response.missing()[within],
    )
    figure = found.difference.figure()
    return replace(found, band=unknown.band(figure), break_even=unknown.break_even(figure))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """What the unrated could hide."""

    change: Array
    """(n, K) how much each row and arm counts in the difference: positive for what it gains, negative for the other
    side."""
    q: Array
    """(n, K) what is expected of the reward."""
    missing: Array
    """(n, K) the chance that it is not known."""

    def shift(self, gamma: float) -> float:
        """Return how much the difference moves if the odds of the unrated are `gamma` times what the rated show
        on the side that gains, and 1 / gamma times on the other."""
        odds = np.where(self.change > 0, gamma, 1.0 / gamma)
        moved = odds * self.q / (1.0 - self.q + odds * self.q)
        return float((self.change * self.missing * (moved - self.q)).sum())

    def band(self, figure: Figure) -> Figure:
        """Return the interval of a difference, widened by what odds of up to `GAMMA` could do."""
        if figure.low is None or figure.high is None:
            return replace(figure, value=None)
        return replace(
            figure,
            low=max(figure.low + self.shift(1.0 / GAMMA), -1.0),
            high=min(figure.high + self.shift(GAMMA), 1.0),
        )

    def break_even(self, figure: Figure) -> float | None:
        """Return the smallest odds ratio that takes an interval beside zero up to it; None where it holds zero."""
        if figure.low is None or figure.high is None or figure.low <= 0.0 <= figure.high:
            return None
        sign, bound = (1.0, figure.low) if figure.low > 0 else (-1.0, -figure.high)
        least, most = 0.0, float(np.log(LARGEST_GAMMA))
        for _ in range(BISECTIONS):
            middle = (least + most) / 2
            still = bound + sign * self.shift(float(np.exp(-sign * middle))) > 0
            least, most = (middle, most) if still else (least, middle)
        return float(np.exp(most))


def after_columns(known: Mapping[str, Array]) -> Array:
    """Return what is known after an answer as columns (n, 2 S): each value, 0 where unknown, and whether it is."""
    columns = [
        part
        for values in known.values()
        for part in (np.nan_to_num(values), (~np.isnan(values)).astype(float))
    ]
    return np.column_stack(columns)
