"""Ways of choosing that look at recorded answers: the chain, two models that agree, and a check of the own answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from zetaroute.answers.names import EQUAL
from zetaroute.answers.read import ReadAnswer, read_answer
from zetaroute.arrays import Array, Index, Mask
from zetaroute.bench.datasets import Recordings
from zetaroute.bench.datasets.recordings import charged, utility
from zetaroute.bench.way import Way
from zetaroute.config import Objective
from zetaroute.domain import Arm
from zetaroute.evaluate.frontier import call_measures
from zetaroute.evaluate.intervals import standard_error
from zetaroute.learn.chains import (
    ChainFit,
    ChainRows,
    agreeing_models,
    fit_chain,
    play_chain,
)
from zetaroute.learn.fit import Fitted, single_threaded
from zetaroute.learn.routing_gain import fold_predictors, forecast_crossed
from zetaroute.policy import Forecast, Policy
from zetaroute.policy.asking import chain_models
from zetaroute.policy.chain.posterior import Posterior, sigmoid
from zetaroute.policy.learned import with_lengths

POINTS = 16
"""Values of an answer that an operating point is chosen from."""
TOLERANCE = 0.005
"""Of the score on the training queries that counts as equal."""
BELOW = 0.5
"""Standard errors off a score there: of many points the cheapest that seems equal has been lucky."""
COMPARED = 600
"""Training queries that models are chosen by."""
THRESHOLDS = np.arange(0.3, 1.0, 0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainBench:
    """A chain that was fitted on the training queries, and what it is held against."""

    train: Recordings
    test: Recordings
    arms: tuple[Arm, ...]
    fit: ChainFit
    rows: ChainRows
    """Of the test queries."""
    router: Policy

    def ways(self, objective: Objective, router: Way) -> dict[str, Way]:
        """Return chain, agreement and verifier on the test queries."""
        return {"chain": self.chain(objective, router), **self.simple(objective)}

    def chain(self, objective: Objective, router: Way) -> Way:
        """Return the chain's way on the test queries; where it may not serve that is the router's."""
        chain = self.played(objective, train=False) if self.serves(objective) else router
        return replace(chain, paid=chain.asks)

    def simple(self, objective: Objective) -> dict[str, Way]:
        """Return the simple ways of looking at answers, on the test queries."""
        found = {"verifier": self._verifier(objective)}
        if len(self.fit.rows.places) > 2:
            found["agreement"] = self._agreement(self.rows)
        return found

    def serves(self, objective: Objective) -> bool:
        """Return whether the chain gains enough on the training queries to serve."""
        otherwise = self.routed(objective, train=True).utility(self.train, objective)
        return self.fit.guarded(self.arms, objective, otherwise=otherwise).serves

    def equal_accuracy(self, objective: Objective) -> dict[str, dict[str, Any] | None]:
        """Return, for each way, what it costs at the accuracy of the most accurate single model.

        The operating point, a value of an answer, is the cheapest whose score on the training queries, by fits that
        have not seen them, less BELOW standard errors is at most TOLERANCE lower. None where there is none, or no
        cost is known.
        """
        best = int(np.argmax(self.train.score.mean(axis=0)))
        single = Way(weights=np.eye(len(self.arms))[np.full(len(self.test.texts), best)])
        cost = single.cost_usd(self.test)
        if not cost:
            return dict.fromkeys(("chain", "router", "agreement"))
        highest = 100.0 * float(charged(self.train).mean(axis=0).max())
        points = [
            replace(objective, answer_value_usd=float(value), second_value_usd=0.0)
            for value in np.geomspace(highest / 200.0, highest, POINTS)
        ]
        return {
            name: self._point(pairs, best, cost, single)
            for name, pairs in (
                (
                    "chain",
                    [(self.played(one, train=True), self.played(one, train=False)) for one in points],
                ),
                (
                    "router",
                    [(self.routed(one, train=True), self.routed(one, train=False)) for one in points],
                ),
                ("agreement", [(self._agreement(self.fit.rows), self._agreement(self.rows))]),
            )
            if name != "agreement" or len(self.fit.rows.places) > 2
        }

    def answer_seen(self) -> dict[str, Any] | None:
        """Return RouteLLM's measures of asking the second of two models by the answer of the first."""
        if len(self.arms) != 2:
            return None
        weak, strong = self.fit.rows.places
        posterior, rows = self.fit.plan.posterior, self.rows
        views = np.zeros(rows.right.shape)
        views[:, 0] = posterior.view(rows.prior, 0, rows.signs[:, 0])[:, 0]
        right = sigmoid(posterior.after(rows.prior, (0,), views, rows.agreements))
        return call_measures(self.test.score[:, weak], self.test.score[:, strong], right[:, 1] - right[:, 0])

    def _point(
        self, pairs: Sequence[tuple[Way, Way]], best: int, cost: float, single: Way
    ) -> dict[str, Any] | None:
        able = []
        for pair in pairs:
            less = pair[0].scores(self.train) - self.train.score[:, best]
            if less.mean() - BELOW * (standard_error(less) or 0.0) >= -TOLERANCE:
                able.append(pair)
        if not able:
            return None
        _, way = min(able, key=lambda pair: pair[0].cost_usd(self.train) or 0.0)
        own = way.cost_usd(self.test) or 0.0
        lost = way.scores(self.test) - single.scores(self.test)
        return {
            "model": self.test.models[best],
            "cost_usd": own,
            "saving": 1.0 - own / cost,
            "score_difference": float(lost.mean()),
            "se": standard_error(lost),
        }

    def played(self, objective: Objective, *, train: bool) -> Way:
        """Return the chain's way without its guard, the router's where a query has no chain.

        On the training queries each fold goes by the others' fits.
        """
        if train:
            played = self.fit.crossed(self.arms, objective)
        else:
            played = play_chain(self.fit.plan, self.rows, self.arms, objective)
        way, without = self._way(played.returned, played.asked, played.seconds), played.returned < 0
        if not without.any():
            return way
        alone = self.routed(objective, train=train).weights
        latency = np.nan_to_num((self.train if train else self.test).latency_s)
        return Way(
            weights=np.where(without[:, None], alone, way.weights),
            paid=np.where(without[:, None], alone, way.asks),
            seconds=np.where(without, (alone * latency).sum(axis=1), played.seconds),
        )

    def routed(self, objective: Objective, *, train: bool) -> Way:
        """Return the router's way where it pays; on the training queries each fold goes by the others' heads."""
        known, count = utility(self.train, objective), len(self.arms)
        crossed = self._exploit(self.fit.rows.forecast, objective)
        single = int(np.argmax(known.mean(axis=0)))
        gain = known[np.arange(len(known)), crossed] - known[:, single]
        if gain.mean() <= gain.std(ddof=1) / np.sqrt(len(gain)):
            return Way(
                weights=np.eye(count)[np.full(len((self.train if train else self.test).texts), single)]
            )
        return Way(weights=np.eye(count)[crossed if train else self._exploit(self.rows.forecast, objective)])

    def _exploit(self, forecast: Forecast, objective: Objective) -> Index:
        eligible = np.ones(forecast.accuracy.shape, dtype=bool)
        return self.router.exploit(forecast, arms=self.arms, objective=objective, eligible=eligible)

    def _way(self, returned: Index, asked: Mask, seconds: Array) -> Way:
        """Return a way over all models from one over those of the chain."""
        places, count = list(self.fit.rows.places), len(self.arms)
        paid = np.zeros((len(returned), count))
        paid[:, places] = asked
        return Way(weights=np.eye(count)[np.array(places)[returned]], paid=paid, seconds=seconds)

    def _agreement(self, rows: ChainRows) -> Way:
        """Ask the two cheapest; where they agree return the better one's answer, else ask and return the last's."""
        n, count = rows.right.shape
        same = rows.agreements[:, count - 3, count - 2] >= EQUAL
        asked = np.zeros((n, count), dtype=bool)
        asked[:, [count - 3, count - 2]], asked[:, count - 1] = True, ~same
        returned = np.where(same, count - 2, count - 1)
        return self._way(returned, asked, (asked * np.nan_to_num(rows.seconds)).sum(axis=1))

    def _verifier(self, objective: Objective) -> Way:
        """Ask one after the other while the own answer is held less likely right than a threshold (FrugalGPT's way).

        The one threshold of all is the best on the training queries, by models that have not seen them.
        """
        views = np.zeros(self.fit.rows.right.shape)
        for fold, plan in enumerate(self.fit.others):
            out = self.fit.rows.folds == fold
            views[out] = _own_views(plan.posterior, self.fit.rows)[out]
        known = [self._by_views(self.fit.rows, views, one) for one in THRESHOLDS.tolist()]
        gains = [way.utility(self.train, objective).mean() for way in known]
        threshold = float(THRESHOLDS[int(np.argmax(gains))])
        return self._by_views(self.rows, _own_views(self.fit.plan.posterior, self.rows), threshold)

    def _by_views(self, rows: ChainRows, views: Array, threshold: float) -> Way:
        enough = views >= threshold
        enough[:, -1] = True
        returned = enough.argmax(axis=1)
        asked = np.arange(rows.right.shape[1]) <= returned[:, None]
        return self._way(returned, asked, (asked * np.nan_to_num(rows.seconds)).sum(axis=1))


@single_threaded
def chain_bench(
    train: Recordings,
    test: Recordings,
    arms: tuple[Arm, ...],
    fitted: Fitted,
    objective: Objective,
    *,
    use_task: bool,
) -> ChainBench | None:
    """Return a chain that was fitted on the training queries; None without answers, or where there is none.

    Its models are chosen for an `objective`; it is good for others too.
    """
    if train.responses is None or test.responses is None:
        return None
    cost, score = train.mean_costs(), train.score.mean(axis=0)
    # Where no cost is known the least accurate model counts as the cheapest.
    places = chain_models(score, score if np.isnan(cost).all() else cost)
    if len(places) < 2:
        return None
    if len(arms) > len(places) and not np.isnan(cost).any():
        some = train.take(np.arange(len(train.texts)) < COMPARED)
        places = agreeing_models(places, some.score, cost, _answers(some, range(len(arms))), objective)
    routed = replace(fitted.predictor, centre=None)
    rows, sides = train.full_sample(use_task=use_task), (train, test)
    vectors = [
        with_lengths(side.texts, fitted.vectors(side.texts, side.labels(use_task=use_task))) for side in sides
    ]
    x, group = np.repeat(vectors[0][:, 1:], len(arms), axis=0), train.groups()
    others = fold_predictors(x, rows, arms, fitted.map)
    forecasts = (forecast_crossed(others, vectors[0], group, arms), routed.forecast(vectors[1], arms))
    seen, marked = (
        chain_rows(side, forecast, fitted.map.cells(vector[:, 1:]), places)
        for side, forecast, vector in zip(sides, forecasts, vectors, strict=True)
    )
    fit = fit_chain(seen, arms)
    if fit is None:
        return None
    router = Policy(version="bench", predictor=routed)
    return ChainBench(train=train, test=test, arms=arms, fit=fit, rows=marked, router=router)


def chain_rows(side: Recordings, forecast: Forecast, cells: Index, places: tuple[int, ...]) -> ChainRows:
    """Return recorded queries with the answers of the models at some places."""
    mine = list(places)
    return ChainRows(
        texts=side.texts,
        group=side.groups(),
        forecast=forecast,
        cells=cells,
        answers=_answers(side, places),
        right=side.score[:, mine],
        cost_usd=charged(side)[:, mine],
        seconds=np.nan_to_num(side.latency_s[:, mine]),
        places=places,
    )


def _answers(side: Recordings, places: Sequence[int]) -> tuple[tuple[ReadAnswer, ...], ...]:
    return tuple(
        tuple(read_answer(row[place], text) for place in places)
        for text, row in zip(side.texts, side.responses or (), strict=True)
    )


def _own_views(posterior: Posterior, rows: ChainRows) -> Array:
    """Return how likely right each model's answer is by itself, (n, K)."""
    count = rows.right.shape[1]
    return sigmoid(
        np.column_stack([posterior.view(rows.prior, k, rows.signs[:, k])[:, k] for k in range(count)])
    )
