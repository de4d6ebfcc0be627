"""Several scales of satisfaction as one: what a thumb or a verdict is worth in the terms of 1 to 5.

Apart from the log because a map is an estimate: it is made anew whenever ratings are read, and never stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

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
    from scipy.optimize import isotonic_regression

    means = [float(np.average((rating[both] - 1.0) / 4.0, weights=outcomes[both])) for both in paired]
    return dict(zip(used, isotonic_regression(means, weights=counts).x.tolist(), strict=True))


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
