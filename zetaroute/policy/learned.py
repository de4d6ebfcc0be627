"""What to expect of every arm for a query once something was learned: by fitted heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Array32, Index, Mask
from zetaroute.domain import Arm, Prices
from zetaroute.features import AnyMap, EmbeddedMap, Embeddings
from zetaroute.policy.forecast import Forecast
from zetaroute.policy.heads import SMALLEST, ClassHead, LinearHead, LogHead, within
from zetaroute.policy.prior import PRIOR_RELATIVE_SE, PRIOR_SE, PRIORS, SD_ROWS, Memo

OWN_SHARE = 0.25
"""Of the variance between models: what is between the efforts of one (see `learn.ridge`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """At which prices an arm's costs were learned, and for how many tokens on average."""

    prices: Prices
    input_tokens: float
    output_tokens: float

    def factor(self, prices: Prices | None) -> float:
        """Return by how much costs change with the prices of now."""
        if prices is None or prices == self.prices:
            return 1.0
        old, new = (
            self.input_tokens * price.input + self.output_tokens * price.output
            for price in (self.prices, prices)
        )
        # Prices are per million tokens, and what was free has been learned to cost SMALLEST.
        return new / max(old, 1e6 * SMALLEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedPredictor:
    """A feature map and four heads; an arm that they have never seen is taken for what the config claims, and where
    that claims nothing for one of those that they know."""

    map: AnyMap
    models: tuple[str, ...]
    """Ids of the arms in the order of the heads."""
    accuracy: LinearHead | None
    satisfaction: LinearHead | None
    response: LogHead | None
    cost: LogHead | None
    rating: ClassHead | None
    priced: Mapping[str, Priced] = field(default_factory=dict)
    """By arm id: a price that changes in the config counts at once, not after the next retrain."""
    centre: Array | None = None
    """(1 + size,) the average query. When it is given every query is forecast as that one: the log did not show
    that telling queries apart pays, so the best single model at the prices and values of now answers."""

    _latest: Memo[tuple[Arm, ...], _HeadsByArm] = field(
        default_factory=Memo, init=False, repr=False, compare=False
    )

    def vectors(self, texts: Sequence[str], tasks: Sequence[str | None] | None = None) -> Array:
        """Return the length in characters and then the feature vector of each text, shape (n, 1 + size)."""
        return np.concatenate([PRIORS.vectors(texts), self.map.vectors(texts, tasks)], axis=1)

    def with_embeddings(self, given: Embeddings) -> LearnedPredictor:
        """Return the same with these embeddings at hand, where its map reads any."""
        if not isinstance(self.map, EmbeddedMap):
            return self
        found = replace(self, map=self.map.with_embeddings(given))
        # Heads do not depend on what the map knows, and are not to be put in order for every query.
        object.__setattr__(found, "_latest", self._latest)
        return found

    def graded_models(self) -> set[str]:
        """Return the models of which graded answers were learned from."""
        return {
            model
            for place, model in enumerate(self.models)
            if self.accuracy is not None and self.accuracy.rows[place] > 0
        }

    def forecast(self, vectors: Array, arms: Sequence[Arm]) -> Forecast:
        """Return the predictions of the heads, and the prior where a head or an arm is new."""
        if self.centre is not None:
            vectors = np.tile(self.centre, (len(vectors), 1))
        arms = tuple(arms)
        panel = self._latest.of(arms, lambda: _HeadsByArm.of(self, arms))
        prior, doubts = PRIORS.forecast(vectors[:, :1], arms), _StandardErrors(vectors[:, 1:])
        accuracy, accuracy_se = _or_prior(panel.accuracy, doubts, prior.accuracy, prior.accuracy_se)
        liking, liking_se = _or_prior(panel.satisfaction, doubts, prior.satisfaction, prior.satisfaction_se)
        response, response_se = _or_prior(panel.response, doubts, prior.response_s, prior.response_se)
        cost, cost_se = _or_prior(panel.cost, doubts, prior.cost_usd, prior.cost_se)
        satisfied, p95 = prior.satisfied, prior.response_p95_s
        if panel.rating is not None:
            satisfied = np.where(panel.known, panel.rating.good(doubts.x), satisfied)
        if panel.tail is not None:
            p95 = response * panel.tail
        return Forecast(
            accuracy=within(accuracy, 0.0, 1.0),
            accuracy_se=accuracy_se,
            satisfaction=within(liking, 0.0, 1.0),
            satisfaction_se=liking_se,
            response_s=response,
            response_se=response_se,
            response_p95_s=p95,
            cost_usd=cost * panel.factor,
            cost_se=cost_se * panel.factor,
            satisfied=satisfied,
            rows=prior.rows if panel.rows is None else panel.rows,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _HeadsByArm:
    """The heads of a predictor in the order of K arms, with no rows of those it has never seen."""

    known: Mask
    """(K,)"""
    accuracy: _Head | None
    satisfaction: _Head | None
    response: _Head | None
    cost: _Head | None
    rating: ClassHead | None
    rows: Array | None
    """(K,) training rows of each; None without any."""
    tail: Array | None
    """(K,) how many times its mean the 95% quantile of an answer's time is; NaN without rows."""
    factor: Array
    """(K,) by how much the costs change with the prices of now."""

    @classmethod
    def of(cls, predictor: LearnedPredictor, arms: Sequence[Arm]) -> Self:
        place = {model: index for index, model in enumerate(predictor.models)}
        places = np.array([place.get(arm.id, -1) for arm in arms], dtype=np.int64)
        spreads: dict[int, Array32] = {}

        def seat(head: LinearHead | LogHead | None, claims: Sequence[float | None]) -> _Head | None:
            if head is None:
                return None
            linear = head.linear if isinstance(head, LogHead) else head
            if id(linear.spread) not in spreads:
                spreads[id(linear.spread)] = linear.spread[places]
            mine = linear.of(places, spreads[id(linear.spread)])
            seen = mine.rows > 0
            if not seen.any():
                return None
            if isinstance(head, LogHead):
                head = LogHead(linear=mine, smear=head.smear[places], upper=head.upper[places])
            else:
                head = mine
            new = [k for k, claim in enumerate(claims) if claim is None and not seen[k]]
            alike = tuple((k, *_alike(arms, k, np.flatnonzero(seen))) for k in new)
            return _Head(head=head, linear=mine, seen=None if seen.all() else seen, alike=alike)

        response = seat(predictor.response, [arm.prior_response_s for arm in arms])
        priced = predictor.priced
        tail = None
        if response is not None and isinstance(response.head, LogHead):
            tail = np.where(response.linear.rows > 0, response.head.tail, np.nan)
        return cls(
            known=places >= 0,
            accuracy=seat(predictor.accuracy, [arm.prior_accuracy for arm in arms]),
            satisfaction=seat(predictor.satisfaction, ()),
            response=response,
            cost=seat(predictor.cost, ()),
            rating=None if predictor.rating is None else predictor.rating.of(places, predictor.map.size),
            rows=None if response is None else response.linear.rows,
            tail=tail,
            factor=np.array([priced[arm.id].factor(arm.prices) if arm.id in priced else 1.0 for arm in arms]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """One head of a panel, with rows of an arm at least."""

    head: LinearHead | LogHead
    linear: LinearHead
    """The same, or what it is the logarithm of."""
    seen: Mask | None
    """(K,) the arms that it has rows of; None for all."""
    alike: tuple[tuple[int, Index, float], ...]
    """Arms of which nothing is known or claimed, each with those that it is taken for one of, and with the share of
    the variance between models that is between those."""


class _StandardErrors:
    """The standard errors of n vectors in units of the noise, computed once for all heads that share a spread."""

    def __init__(self, x: Array) -> None:
        self.x = x
        self._found: dict[int, Array] = {}

    def of(self, head: LinearHead) -> Array:
        """Return those of one head, (n, K)."""
        key = id(head.spread)
        if key not in self._found:
            self._found[key] = head.doubt(self.x)
        return self._found[key]


def _or_prior(seat: _Head | None, doubts: _StandardErrors, mean: Array, se: Array) -> tuple[Array, Array]:
    """Return a head's predictions for the arms it has rows of and the priors for the others, each (n, K)."""
    if seat is None:
        return mean, se
    learned_mean, learned_se = seat.head.estimate(doubts.x, doubts.of(seat.linear))
    if seat.seen is None:
        return learned_mean, learned_se
    mean, se = np.where(seat.seen, learned_mean, mean), np.where(seat.seen, learned_se, se)
    known = learned_mean[:, seat.seen]
    for arm, others, share in seat.alike:
        level = known.mean(axis=1)
        usual = PRIOR_RELATIVE_SE * level if isinstance(seat.head, LogHead) else PRIOR_SE
        apart = ((known - level[:, None]) ** 2).sum(axis=1) + SD_ROWS * usual**2
        variance = share * apart / (known.shape[1] - 1 + SD_ROWS)
        mean[:, arm] = learned_mean[:, others].mean(axis=1)
        se[:, arm] = np.sqrt(variance * (1.0 + 1.0 / len(others)))
    return mean, se


def _alike(arms: Sequence[Arm], new: int, seen: Index) -> tuple[Index, float]:
    """Return the seen arms that a new one is taken for one of: those of its model, else all."""
    ids = [arm.of or arm.id for arm in arms]
    family = np.array([k for k in seen.tolist() if ids[k] == ids[new]], dtype=np.int64)
    return (family, OWN_SHARE) if len(family) else (seen, 1.0)


def with_lengths(texts: Sequence[str], x: NDArray[np.floating[Any]]) -> Array:
    """Return what a learned predictor forecasts from: the length of each text in front of its vector."""
    return np.hstack([PRIORS.vectors(texts), x])
