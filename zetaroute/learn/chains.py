"""Fit a chain on queries that several models have answered and that were graded, and guard it by its gain there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Self

import numpy as np
from numpy.typing import NDArray

from zetaroute.answers.agreement import agreement
from zetaroute.answers.names import EQUAL, KINDS, SIGNS
from zetaroute.answers.read import ReadAnswer
from zetaroute.arrays import Array, Index, Mask
from zetaroute.domain import Arm, Objective, run_chain
from zetaroute.evaluate.reward_model import FOLDS
from zetaroute.learn.chain_labels import labelled
from zetaroute.learn.logistic import fit_logistic
from zetaroute.policy.asking import USUAL_MODELS
from zetaroute.policy.chain.plan import ChainPlan, ChainState
from zetaroute.policy.chain.posterior import (
    Asked,
    Posterior,
    joint_design,
    logit,
    sigmoid,
    single_design,
    subsets,
)
from zetaroute.policy.chain.value import MOST_ASKS, Moves
from zetaroute.policy.forecast import Forecast

FEWEST_ROWS = 40
"""Queries below which no chain is fitted."""
LABELLED_BELOW = 100
"""Graded queries below which ungraded ones are labelled by who agrees: with more of them labels cost."""
SHARED_ROWS = FOLDS / (FOLDS - 1)
"""By which the variance of a cross-fitted gain is larger than its rows say: the fits of the folds share rows."""
UNSEEN_ROWS = 4.0
"""Rows of the largest variance of a grade that an estimate is given besides: a gain that is rare was hardly seen."""
WAYS = 7
"""In which an answer may move what is thought."""
Answers = tuple[tuple[ReadAnswer | None, ...], ...]


@dataclass(frozen=True, kw_only=True)
class ChainRows:
    """n queries with the answers of K models, those of a chain, the cheapest first."""

    texts: tuple[str, ...]
    group: NDArray[np.uint64]
    """(n,) rows that share it are in one fold."""
    forecast: Forecast
    """Of each query by heads that have not seen it, for all arms."""
    cells: Index
    """(n,)"""
    answers: Answers
    """(n, K)"""
    right: Array
    """(n, K) NaN where it is not known."""
    cost_usd: Array
    """(n, K)"""
    seconds: Array
    """(n, K)"""
    places: tuple[int, ...]
    """Of the K models among all arms."""

    @cached_property
    def signs(self) -> Array:
        """(n, K, F), NaN where there is no answer, or it has no such sign."""
        blank = np.full(len(SIGNS), np.nan)
        return np.array([[blank if one is None else one.signs for one in row] for row in self.answers])

    @cached_property
    def agreements(self) -> Array:
        """(n, K, K), 1 where an answer is missing."""
        return agreements_of(self.answers)

    @cached_property
    def prior(self) -> Array:
        """(n, K) log-odds that each model is right, by the query alone."""
        return logit(self.forecast.accuracy[:, self.places])

    @cached_property
    def folds(self) -> Index:
        """(n,) the fold of each query."""
        return np.asarray(self.group % FOLDS, dtype=np.int64)

    def whole(self) -> Mask:
        """Return of which queries every model's grade is known (n,)."""
        return np.asarray(~np.isnan(self.right).any(axis=1))

    def take(self, keep: Mask) -> ChainRows:
        """Return the chosen queries."""
        kept = np.flatnonzero(keep).tolist()
        arrays = {name: getattr(self.forecast, name)[keep] for name in Forecast.__slots__ if name != "rows"}
        taken = ChainRows(
            texts=tuple(self.texts[row] for row in kept),
            group=self.group[keep],
            forecast=Forecast(**arrays, rows=self.forecast.rows),
            cells=self.cells[keep],
            answers=tuple(self.answers[row] for row in kept),
            right=self.right[keep],
            cost_usd=self.cost_usd[keep],
            seconds=self.seconds[keep],
            places=self.places,
        )
        # They take longer to find than all the rest.
        taken.__dict__["agreements"] = self.agreements[keep]
        return taken


def agreeing_models(
    usual: tuple[int, ...], right: Array, cost_usd: Array, answers: Answers, objective: Objective
) -> tuple[int, ...]:
    """Return the arms of a chain, the cheapest first: the `usual` ones unless others are clearly better.

    Three arms are better by what they gain where the third is asked only if the two cheaper ones differ, on n
    queries whose grades `right` and `answers` are (n, K); `cost_usd` (K,) are means. Of hundreds of such threes the
    best one must be better by two standard errors.
    """
    if len(usual) < USUAL_MODELS:
        return usual
    same = agreements_of(answers) >= EQUAL
    means = np.nanmean(right, axis=0)

    def gains(arms: tuple[int, ...]) -> Array:
        first, second, last = arms
        better = first if means[first] > means[second] else second
        agree = same[:, first, second]
        spent = cost_usd[first] + cost_usd[second] + np.where(agree, 0.0, cost_usd[last])
        worth = objective.answer_value_usd * np.where(agree, right[:, better], right[:, last]) - spent
        return np.where(np.isnan(right[:, arms]).any(axis=1), np.nan, worth)

    known = [
        arm
        for arm in np.argsort(cost_usd, kind="stable").tolist()
        if not np.isnan(cost_usd[arm] + means[arm])
    ]
    base, best, most = gains(usual), usual, 2.0
    for arms in combinations(known, USUAL_MODELS):
        more = gains(arms) - base
        more = more[~np.isnan(more)]
        if len(more) < FEWEST_ROWS or not more.any():
            continue
        clear = float(more.mean() / (more.std(ddof=1) / np.sqrt(len(more))))
        if clear > most:
            best, most = arms, clear
    return best


def agreements_of(answers: Answers) -> Array:
    """Return how far the answers of n queries agree (n, K, K), 1 where one is missing."""
    count = len(answers[0]) if answers else 0
    found = np.ones((len(answers), count, count))
    for row, given in enumerate(answers):
        for one, mine in enumerate(given):
            for other, theirs in enumerate(given[:one]):
                if mine is not None and theirs is not None:
                    found[row, [one, other], [other, one]] = agreement(mine.final, theirs.final)
    return found


def fit_posterior(rows: ChainRows) -> tuple[Posterior, Moves]:
    """Return what is to be thought of answers, and how answers that are still to come may move it.

    The second step is fitted on views that are cross-fitted.
    """
    count = rows.right.shape[1]
    known = ~np.isnan(rows.signs)
    told = np.maximum(known.sum(axis=0), 1)
    centre = np.nan_to_num(rows.signs).sum(axis=0) / told
    scale = np.sqrt((np.where(known, rows.signs - centre, 0.0) ** 2).sum(axis=0) / told)
    scale = np.where(scale > 1e-6, scale, 1.0)
    first = Posterior(
        centre=centre, scale=scale, single=np.zeros((count, count, count + len(SIGNS) + 1)), joint={}
    )
    views = np.zeros(rows.right.shape)
    for fold in range(FOLDS):
        out = rows.folds == fold
        for asked in range(count):
            design = single_design(rows.prior, first.standard(asked, rows.signs[:, asked]))
            coef = _judged(design, rows.right[:, [asked]], ~out & _seen(rows, (asked,)), (asked,))
            views[out, asked] = design[out] @ coef[0]
    single = np.stack(
        [
            _judged(
                single_design(rows.prior, first.standard(asked, rows.signs[:, asked])),
                rows.right,
                _seen(rows, (asked,)),
                tuple(range(count)),
            )
            for asked in range(count)
        ]
    )
    joint = {asked: _joint(rows, asked, views) for asked in subsets(count, min(MOST_ASKS, count))}
    posterior = replace(first, single=single, joint=joint)
    return posterior, moves_of(rows, posterior, views)


def moves_of(rows: ChainRows, posterior: Posterior, views: Array) -> Moves:
    """Return how answers that are still to come may move what is thought; `views` (n, K) are of each by its own."""
    count = rows.right.shape[1]
    logits = {(): rows.prior} | {
        asked: posterior.after(rows.prior, asked, views, rows.agreements) for asked in posterior.joint
    }
    moves: dict[Asked, Array] = {}
    for asked in logits:
        if len(asked) >= min(MOST_ASKS, count):
            continue
        moves[asked] = np.zeros((count, WAYS, count))
        for place in set(range(count)).difference(asked):
            after = tuple(sorted((*asked, place)))
            moved = (logits[after] - logits[asked])[_seen(rows, after)]
            moved = moved[np.argsort(moved[:, place], kind="stable")]
            if len(moved) >= WAYS:
                moves[asked][place] = [part.mean(axis=0) for part in np.array_split(moved, WAYS)]
    return moves


def _seen(rows: ChainRows, asked: Sequence[int]) -> Mask:
    return np.asarray(~np.isnan(rows.signs[:, list(asked), 0]).any(axis=1))


def _joint(rows: ChainRows, asked: tuple[int, ...], views: Array) -> Array:
    count = rows.right.shape[1]
    design = joint_design(rows.prior, asked, views, rows.agreements)
    own = tuple(count + asked.index(k) if k in asked else k for k in range(count))
    return _judged(design, rows.right, _seen(rows, asked), own)


def _judged(design: Array, right: Array, seen: Mask, own: Sequence[int]) -> Array:
    """Return coefficients (J, D) for J judged models: without rows each goes by its `own` column alone."""
    found = np.zeros((right.shape[1], design.shape[1]))
    for judged, column in enumerate(own):
        centre = np.zeros(design.shape[1])
        centre[column] = 1.0
        use = seen & ~np.isnan(right[:, judged])
        found[judged] = fit_logistic(design[use], right[use, judged], centre=centre)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What a chain did with n queries."""

    asked: Mask
    """(n, K) over the models of the chain."""
    returned: Index
    """(n,) place of the model whose answer was returned; -1 where there was no chain."""
    seconds: Array
    """(n,) that were waited."""
    expected_usd: Array
    """(n,)"""
    probability_right: Array
    """(n,) what was thought of the answer that was returned."""

    @classmethod
    def nothing(cls, n: int, count: int) -> Self:
        """Return what was done where no chain ran."""
        return cls(
            asked=np.zeros((n, count), dtype=bool),
            returned=np.full(n, -1),
            seconds=np.zeros(n),
            expected_usd=np.zeros(n),
            probability_right=np.zeros(n),
        )

    def utility(self, rows: ChainRows, objective: Objective, otherwise: Array) -> Array:
        """Return the utility of each query in USD; `otherwise` (n,) that of those without a chain."""
        n = np.arange(len(self.returned))
        gained = (
            objective.answer_value_usd * rows.right[n, self.returned]
            - (self.asked * np.nan_to_num(rows.cost_usd)).sum(axis=1)
            - objective.second_value_usd * self.seconds
        )
        return np.where(self.returned >= 0, gained, otherwise)


def play_chain(plan: ChainPlan, rows: ChainRows, arms: Sequence[Arm], objective: Objective) -> Played:
    """Let an unguarded plan answer queries out of recorded answers, which all must be known."""
    n, count = rows.right.shape
    played = Played.nothing(n, count)
    eligible = np.ones(len(arms), dtype=bool)
    steps = (
        plan.first_steps(rows.forecast, arms, objective) if objective.answer_value_usd > 0.0 else [None] * n
    )
    for row, (forecast, step) in enumerate(zip(rows.forecast.each(), steps, strict=True)):
        cell = int(rows.cells[row])
        state = plan.begin(
            rows.texts[row], forecast, arms, objective, eligible, cell=cell, guarded=False, step=step
        )
        if state is None:
            continue
        played.expected_usd[row] = state.expected_usd
        seconds = dict(zip(plan.models, np.nan_to_num(rows.seconds[row]).tolist(), strict=True))
        see = see_recorded(dict(zip(plan.models, rows.answers[row], strict=True)))
        state, paid, played.seconds[row] = run_chain(state, seconds, see)
        played.asked[row, [plan.models.index(model) for model in paid]] = True
        played.returned[row] = plan.models.index(state.best())
        played.probability_right[row] = sigmoid(state.logits[played.returned[row]])
    return played


def see_recorded(
    answers: Mapping[str, ReadAnswer | None],
) -> Callable[[ChainState, str, str | None], ChainState]:
    """Return what shows a chain recorded answers, None for a call that failed (see `run_chain`)."""

    def see(state: ChainState, model: str, running: str | None) -> ChainState:
        answer = answers[model]
        if answer is None:
            return state.without(model)
        models = state.plan.models
        return state.with_read(
            models.index(model), answer, running=None if running is None else models.index(running)
        )

    return see


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainFit:
    """A chain that was fitted on n queries, and by fold on the others of them."""

    rows: ChainRows
    plan: ChainPlan
    """By all queries."""
    others: tuple[ChainPlan, ...]
    """By fold, from the queries outside of it."""

    def crossed(self, arms: Sequence[Arm], objective: Objective) -> Played:
        """Return what the chain would have done with the queries, each by the plan that has not seen it.

        Those that some model's grade is missing of are left out, with -1 for what was returned.
        """
        n, count = self.rows.right.shape
        whole = Played.nothing(n, count)
        for fold, plan in enumerate(self.others):
            out = self.rows.whole() & (self.rows.folds == fold)
            if out.any():
                part = play_chain(plan, self.rows.take(out), arms, objective)
                for name in Played.__slots__:
                    getattr(whole, name)[out] = getattr(part, name)
        return whole

    def guarded(self, arms: Sequence[Arm], objective: Objective, *, otherwise: Array) -> ChainPlan:
        """Return the plan with its gain over what was chosen `otherwise`, whose utility is (n,); NaN is unknown."""
        played, scored = self.crossed(arms, objective), self.rows.whole() & ~np.isnan(otherwise)
        found = played.utility(self.rows, objective, otherwise)
        gains, ran = (found - otherwise)[scored], scored & (played.returned >= 0)
        few, mean = len(gains) < FEWEST_ROWS, float(gains.mean()) if len(gains) else 0.0
        spread = ((gains - mean) ** 2).sum() + UNSEEN_ROWS * 0.25 * objective.answer_value_usd**2
        variance = SHARED_ROWS * float(spread) / (len(gains) + UNSEEN_ROWS)
        return replace(
            self.plan,
            objective=objective,
            gain_usd=0.0 if few else mean,
            gain_se=0.0 if few else float(np.sqrt(variance / len(gains))),
            promised_usd=float((played.expected_usd - found)[ran].mean()) if ran.any() else 0.0,
        )


def fit_chain(rows: ChainRows, arms: Sequence[Arm]) -> ChainFit | None:
    """Return the chain that n queries teach; None where those with all grades are too few."""
    if rows.whole().sum() < FEWEST_ROWS:
        return None
    others = tuple(_plan(rows.take(rows.folds != fold), arms) for fold in range(FOLDS))
    return ChainFit(rows=rows, plan=_plan(rows, arms), others=others)


def _plan(rows: ChainRows, arms: Sequence[Arm]) -> ChainPlan:
    if rows.whole().sum() < LABELLED_BELOW:
        answered = _seen(rows, range(rows.right.shape[1]))
        rows = replace(rows, right=labelled(rows.right, rows.agreements, answered))
    posterior, moves = fit_posterior(rows)
    kinds = np.zeros(len(KINDS))
    for answers, right in zip(rows.answers, rows.right, strict=True):
        for answer, graded in zip(answers, (~np.isnan(right)).tolist(), strict=True):
            if answer is not None and graded:
                kinds[KINDS.index(answer.final.kind)] += 1
    return ChainPlan(
        models=tuple(arms[place].id for place in rows.places),
        posterior=posterior,
        moves=moves,
        cells=np.bincount(rows.cells, minlength=1).astype(np.float64),
        kinds=kinds,
        gain_usd=0.0,
        gain_se=0.0,
        promised_usd=0.0,
        objective=Objective(),
    )
