"""What people think of answers, for the rated and the unrated together: means, shares and changes of satisfaction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zetaroute.arrays import Array, Mask
from zetaroute.domain import Figure
from zetaroute.evaluate.intervals import NOTHING, Moments, difference_figure, t_quantile, wilson
from zetaroute.evaluate.nonresponse import (
    FEWEST_RATED,
    Covariates,
    Invitation,
    ResponsePropensity,
    Unknown,
)

SATISFIED = 0.75
"""Satisfaction from which on somebody counts as satisfied: 4 of 5."""
_NO_SPREAD = 1e-9
"""Width below which an interval is that of equal values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SatisfactionEstimate:
    """Satisfaction of n rows, completed for who rates (`evaluate.response`); as it is where hardly anybody does."""

    score: Array
    """(n,) values whose mean is that of satisfaction; NaN for rows that are not spoken of."""
    liked: Array
    """(n,) the same of being satisfied."""
    expected: Array
    """(n,) predicted satisfaction."""
    silent: Array
    """(n,) chance that a user who could rate would not."""
    counts: Mask
    """(n,) rows whose rating counts."""
    rows: Array
    """(n,) how many answers an entry stands for; all of them are alike."""
    completed: bool
    asked: bool
    """Whether only ratings count that were asked for at random."""

    @property
    def rated(self) -> int:
        """How many ratings count."""
        return int(self.rows[self.counts].sum())

    def take(self, chosen: Mask) -> SatisfactionEstimate:
        """Return the chosen entries."""
        parts = {
            name: getattr(self, name)[chosen]
            for name in ("score", "liked", "expected", "silent", "counts", "rows")
        }
        return SatisfactionEstimate(**parts, completed=self.completed, asked=self.asked)

    def satisfaction(self, weights: Array | None = None) -> Figure:
        """Return mean satisfaction; `weights` (n,) re-weight the rows. It stands on as many rows as were rated.

        One rating, or several that are equal, show no spread: then the interval is Wilson's, the widest that a mean
        of values in 0..1 may have.
        """
        found = _within(_rated_only(Moments.of(self.score, self.rows).figure(weights), self.rated))
        if found.value is None or not self.rated:
            return found
        if found.low is None or found.high is None or found.high - found.low < _NO_SPREAD:
            return wilson(found.value, self.rated, self.rated)
        return found

    def satisfied(self) -> Figure:
        """Return the share of the satisfied, with Wilson's interval for as many ratings as the figure is worth."""
        rated = self.rated
        if not self.completed or rated == 0:
            return Moments.of(np.where(self.counts, self.liked, np.nan), self.rows).share()
        spoken = ~np.isnan(self.liked)
        known, rows = self.liked[spoken], self.rows[spoken]
        mean = float(np.average(known, weights=rows))
        share = min(max(mean, 0.0), 1.0)
        variance = float(rows @ (known - mean) ** 2) / float(rows.sum()) ** 2
        worth = min(float(rated), share * (1.0 - share) / variance if variance > 0 else math.inf)
        return wilson(share, max(worth, 1.0), rated)


@dataclass(frozen=True, slots=True, kw_only=True)
class SatisfactionChange:
    """A change of satisfaction, and what those who do not rate could make of it."""

    known: int
    share: float
    """Share of those who could rate that did, as it is modelled."""
    asked: bool
    band: Figure
    """The interval if the unrated had up to `ODDS_RATIO` times other odds."""
    break_even: float | None
    """Smallest odds ratio at which the direction is not proven any more; None when it is not proven anyway."""


def as_it_comes(satisfaction: Array, *, could: Mask, rows: Array | None = None) -> SatisfactionEstimate:
    """Return the ratings (n,), NaN where unknown, as the opinion of those who gave them alone.

    An entry stands for as many answers as `rows` (n,) says, else for one.
    """
    here = ~np.isnan(satisfaction) & could
    rows = np.ones(len(here)) if rows is None else rows
    mean = float(np.average(satisfaction[here], weights=rows[here])) if here.any() else 0.0
    return SatisfactionEstimate(
        score=np.where(here, satisfaction, np.nan),
        liked=np.where(here, (satisfaction >= SATISFIED).astype(np.float64), np.nan),
        expected=np.full(len(here), mean),
        silent=np.full(len(here), np.nan),
        counts=here,
        rows=rows,
        completed=False,
        asked=False,
    )


def satisfaction_estimate(
    seen: Covariates, satisfaction: Array, asking: Invitation, *, could: Mask
) -> SatisfactionEstimate:
    """Complete satisfaction (n,), NaN where unknown, for who rates.

    `could` are the rows that somebody could have rated. Ratings that were asked for at random count alone where there
    are enough of them.
    """
    here = ~np.isnan(satisfaction) & could
    liked = np.where(here, (satisfaction >= SATISFIED).astype(np.float64), np.nan)
    rows = np.ones(len(here)) if seen.rows is None else seen.rows
    if rows[here].sum() < FEWEST_RATED:
        return as_it_comes(satisfaction, could=could, rows=rows)
    by_lot = bool(rows[here & asking.answered].sum() >= FEWEST_RATED)
    response = ResponsePropensity(seen, here, asking if by_lot else None)
    return SatisfactionEstimate(
        score=np.where(could, response.completed(satisfaction), np.nan),
        liked=np.where(could, response.completed(liked), np.nan),
        expected=response.expected(satisfaction),
        silent=1.0 - response.answers,
        counts=response.known,
        rows=rows,
        completed=True,
        asked=by_lot,
    )


def satisfaction_change(
    before: SatisfactionEstimate, after: SatisfactionEstimate, weights: Array
) -> SatisfactionChange | None:
    """Return what the unrated could make of after - before, with `weights` (n,) on the rows before.

    None while a side has hardly any ratings.
    """
    rated = before.rated, after.rated
    if min(rated) < FEWEST_RATED or not (before.completed and after.completed):
        return None
    change, q, missing, rows = [], [], [], []
    for side, weight, sign in ((after, after.rows, 1.0), (before, weights * before.rows, -1.0)):
        spoken = ~np.isnan(side.score)
        rows.append(side.rows[spoken])
        change.append(sign * weight[spoken] / weight[spoken].sum())
        q.append(side.expected[spoken])
        missing.append(side.silent[spoken])
    unknown = Unknown(
        change=np.concatenate(change)[:, None],
        q=np.concatenate(q)[:, None],
        missing=np.concatenate(missing)[:, None],
    )
    figure = difference_figure(after.satisfaction(), before.satisfaction(weights))
    return SatisfactionChange(
        known=sum(rated),
        share=float(1.0 - np.average(unknown.missing[:, 0], weights=np.concatenate(rows))),
        asked=before.asked,
        band=unknown.band(figure),
        break_even=unknown.break_even(figure),
    )


def _rated_only(figure: Figure, rated: int) -> Figure:
    """Return a figure of completed values as one of their ratings: their number, and t for as many."""
    if rated == 0 or figure.value is None:
        return NOTHING
    if rated == 1 or figure.low is None or figure.high is None:
        return Figure(value=figure.value, low=None, high=None, n=rated)
    half = figure.high - figure.value
    half *= t_quantile(0.975, rated - 1) / t_quantile(0.975, max(figure.n, rated) - 1)
    return Figure(value=figure.value, low=figure.value - half, high=figure.value + half, n=rated)


def _within(figure: Figure) -> Figure:
    """Return a figure inside of 0..1, where satisfaction is."""
    value, low, high = (
        None if end is None else min(max(end, 0.0), 1.0) for end in (figure.value, figure.low, figure.high)
    )
    return Figure(value=value, low=low, high=high, n=figure.n)


FEWEST_PAIRS = 30
"""Outcomes that must carry a value of a scale and a rating of 1 to 5 before the two are compared."""
LEVELS = {"thumbs": (0.0, 1.0), "verdict": (0.0, 0.25, 1.0)}
"""The values that one person can give; several persons' means lie between them."""
Scale = Mapping[float, float]
"""A value as it is stored -> satisfaction 0..1."""
Scales = Mapping[str, Scale | None]
"""By the name of the scale; None where too few outcomes carry it and a rating."""


def scale_of(
    values: Array, rating: Array, levels: Sequence[float], rows: Array | None = None
) -> Scale | None:
    """Return what each value of a scale (n,) means by the ratings of 1 to 5 (n,) of the same outcomes.

    An entry stands for as many outcomes as `rows` (n,) says, else for one.

    The mean rating at each value, made monotone (weighted isotonic regression), so that on outcomes that carry both
    the means agree. None unless every value that occurs has enough pairs: a map from a few would be noise, and one
    from others than those who use the scale a guess.
    """
    outcomes = np.ones(len(values)) if rows is None else rows
    used = [level for level in levels if (values == level).any()]
    paired = [(values == level) & ~np.isnan(rating) for level in used]
    counts = [float(outcomes[both].sum()) for both in paired]
    if len(used) < 2 or min(counts) < FEWEST_PAIRS:
        return None
    means = [float(np.average((rating[both] - 1.0) / 4.0, weights=outcomes[both])) for both in paired]
    return dict(zip(used, _monotone(means, counts), strict=True))


def _monotone(means: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the weighted isotonic regression: neighbours in the wrong order share their mean."""
    pools: list[tuple[float, float, int]] = []
    for mean, weight in zip(means, weights, strict=True):
        pool = (mean, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            before, heavy, size = pools.pop()
            both = heavy + pool[1]
            pool = ((before * heavy + pool[0] * pool[1]) / both, both, size + pool[2])
        pools.append(pool)
    return [mean for mean, _, size in pools for _ in range(size)]


def scales_of(rating: Array, others: Mapping[str, Array], rows: Array | None = None) -> Scales:
    """Return what each of the other scales (n,), named as in `LEVELS`, means by the ratings (n,) beside it."""
    return {name: scale_of(values, rating, LEVELS[name], rows) for name, values in others.items()}


def one_scale(
    satisfaction: Array, rating: Array, others: Mapping[str, Array], known: Scales | None = None
) -> Array:
    """Return satisfaction (n,) with the scales that can be calibrated on that of `rating` (n,), 1 to 5.

    `satisfaction` is what the fixed maps make of all scales together; `others` are the scales, named as in `LEVELS`,
    and `known` what they mean, by these outcomes themselves unless it is said. NaN is unknown throughout. Without
    enough outcomes that carry two scales nothing changes.
    """
    if known is None:
        known = scales_of(rating, others)
    if not any(known.values()):
        return satisfaction
    columns = [(rating - 1.0) / 4.0]
    for name, values in others.items():
        scale = known[name]
        levels = sorted(scale) if scale else []
        columns.append(np.interp(values, levels, [scale[one] for one in levels]) if scale else values)
    scores = np.column_stack(columns)
    given = ~np.isnan(scores)
    people = given.any(axis=1)
    mean = np.where(given, scores, 0.0).sum(axis=1) / np.maximum(given.sum(axis=1), 1)
    return np.where(people, mean, satisfaction)
