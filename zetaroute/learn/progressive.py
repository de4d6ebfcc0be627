"""Past rows played through in order: every block is judged by what was fitted on the rows before it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.arrays import Array, Index, Mask
from zetaroute.config import Objective
from zetaroute.domain import BETS_FROM, FIRST_ROWS, GRADE_DEADLINE, Arm
from zetaroute.evaluate.scoring import COLUMNS, Decided, Scored, found_in, scored
from zetaroute.features import AnyMap
from zetaroute.learn.incremental.sufficient_statistics import SufficientStatistics, gather
from zetaroute.learn.ridge import Ridges, arm_ridges, fit_classes, heads, prices_learned_at, relatives
from zetaroute.learn.routing_gain import kept_anchor
from zetaroute.learn.samples import TARGETS, Sample, at, target_weights, targets
from zetaroute.policy.forecast import Forecast
from zetaroute.policy.learned import LearnedPredictor, with_lengths
from zetaroute.policy.policy import held_best, ranked_singles, single_best

GROWTH = 1.1
"""How many times the rows of one fit the next one has."""
RECHOSEN = 1.5
"""How many times the rows that ridges were chosen on there are when they are chosen anew."""
TAIL = 0.99
"""Quantile of earlier costs and times that bounds the utility of a model: rare worse ones count like it."""
LEAST_P = 0.001
"""A model that was drawn with less is not used where the log is the judge: its rows would say nothing."""
_OF_THE_DRAW = ("share", "paired", "champion_p", "challenger_p", "champion_usd", "challenger_usd")
_NONE = np.zeros(0, dtype=np.uint64)
_SALT, _ODD = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilityBounds:
    """What the utility of K models lies within, by earlier rows."""

    low: Array
    high: Array
    unknown_usd: float
    """What a call counts whose cost is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The units that one challenger was scored by, every array (n,)."""

    unit: NDArray[np.uint64]
    """`Sample.group`."""
    row: Index
    """The first row of each, in the order of the rows that were given."""
    champion_row: Index
    """The row with the answer of the single model; -1 where it was not asked."""
    challenger_row: Index
    audit_probability: Array
    decided: Decided
    scored: Scored

    def columns(self, *, own: bool) -> dict[str, Array]:
        """Return them as numbers by name, as evidence is counted; `own`: whether the challenger is that of now."""
        decided, scored = self.decided, self.scored
        columns = {name: getattr(scored, name) for name in scored.__slots__}
        columns |= {name: getattr(decided, name) for name in _OF_THE_DRAW}
        columns |= {
            "audit_probability": self.audit_probability,
            "differ": decided.champion != decided.challenger,
            "own": np.full(len(self.row), own),
        }
        return {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenged:
    """What past rows say of challengers of the best single model."""

    blocks: tuple[Block, ...]
    """Since the single model of now is the one to beat."""
    anchor: int
    """That model."""
    bounds: UtilityBounds
    earlier: float
    """Evidence, at most 1, that challenges of other single models before have left."""
    predictor: LearnedPredictor
    """The challenger that was scored last."""
    average: Array
    """(1 + size,) the average query of the rows that it was fitted on."""
    rows: int
    """How many those were."""

    def found(self, objective: Objective, margin: float) -> dict[str, Any]:
        """Return what the lines say together: see `found_in`."""
        lines, value = lines_of(self.blocks), objective.answer_value_usd
        mine = lines["own"] > 0
        return found_in(lines, mine=mine, answer_value_usd=value, margin=margin, earlier=self.earlier)


def play(
    rows: Sample,
    x: Array,
    arms: Sequence[Arm],
    *,
    objective: Objective,
    feature_map: AnyMap,
    margin: float,
    known: NDArray[np.uint64] = _NONE,
) -> Challenged | None:
    """Play rows with vectors `x` (n, D) through; None where there are too few for a first challenger.

    The first challenger is fitted on FIRST_ROWS per model, each later one on GROWTH times the rows. It is judged by
    the units (conversations, else texts) that begin before the next one and of which there is no earlier row: what
    trained on a text never judges it. A row counts by its logged probabilities; where several models were asked, the
    difference of their answers counts. One without either teaches only, and so does one that was decided within a
    contest, which has scored it, or whose unit is `known` from earlier evidence. `margin` is what accuracy may lose.
    """
    order = _order(rows)
    rows, x = at(rows, order), x[order]
    trials = _Trials.of(rows, known)
    edges = _edges(trials.start, FIRST_ROWS * len(arms), len(rows.arm))
    vectors, y, weight = with_lengths(rows.texts, x), targets(rows), target_weights(rows)
    sums, done = SufficientStatistics.nothing(TARGETS, len(arms), x.shape[1]), 0
    now: Challenged | None = None
    ridges: Ridges = ()
    chosen_on = 0
    for begin, end in pairwise(edges):
        new = slice(done, begin)
        sums = sums + gather(x[new], y[new], rows.arm[new], len(arms), weight[new])
        done, past = begin, at(rows, np.arange(begin))
        if begin >= RECHOSEN * chosen_on:
            ridges, chosen_on = arm_ridges(sums, relatives(arms)), begin
        predictor = heads(sums, x[:begin], past, arms, feature_map, ridges)
        average = vectors[:begin].mean(axis=0)
        single = None if now is None else arms[now.anchor].id
        anchor = kept_anchor(predictor, average, arms, objective, single)
        if now is None or anchor != now.anchor:
            now = Challenged(
                blocks=(),
                anchor=anchor,
                bounds=bounds_of(past, arms, objective),
                earlier=1.0 if now is None else now.found(objective, margin)["left"],
                predictor=predictor,
                average=average,
                rows=begin,
            )
        now = replace(now, predictor=predictor, average=average, rows=begin)
        block = _scored(
            trials.within(begin, end),
            rows,
            vectors,
            _Challenge(challenged=now, arms=arms, objective=objective),
            margin=margin,
            bets=begin >= BETS_FROM * len(arms),
        )
        now = replace(now, blocks=(*now.blocks, block))
    return None if now is None else _whole(now, rows, x, arms, order)


def _whole(now: Challenged, rows: Sample, x: Array, arms: Sequence[Arm], order: Index) -> Challenged:
    """Return what was found with all that a version holds, and with its rows counted as they were given."""
    past = at(rows, np.arange(now.rows))
    whole = replace(
        now.predictor,
        rating=fit_classes(x[: now.rows], past.satisfaction, past.arm, len(arms)),
        priced=prices_learned_at(past, arms),
    )
    return replace(now, predictor=whole, blocks=tuple(_as_given(block, order) for block in now.blocks))


def bounds_of(rows: Sample, arms: Sequence[Arm], objective: Objective) -> UtilityBounds:
    """Return what the utility of each model lies within by these rows; of one without any, by the worst of all."""
    lows: list[float] = []
    unknown_usd = _tail(rows.cost_usd)
    for k, arm in enumerate(arms):
        mine = rows.arm == k
        cost = _tail(rows.cost_usd[mine], default=0.0 if arm.local else unknown_usd)
        seconds = _tail(rows.response_s[mine], default=_tail(rows.response_s))
        lows.append(-cost - objective.second_value_usd * seconds)
    high = max(objective.answer_value_usd, 1e-12)
    return UtilityBounds(low=np.array(lows), high=np.full(len(arms), high), unknown_usd=unknown_usd)


def _tail(values: Array, *, default: float = 0.0) -> float:
    known = values[~np.isnan(values)]
    return float(np.quantile(known, TAIL)) if len(known) else default


def lines_of(blocks: Sequence[Block], names: Sequence[str] = COLUMNS) -> dict[str, NDArray[Any]]:
    """Return the lines of all blocks column by column; the last block's challenger is that of now."""
    parts = [block.columns(own=number == len(blocks) - 1) for number, block in enumerate(blocks)]
    return {name: np.concatenate([np.zeros(0), *(part[name] for part in parts)]) for name in names}


def _dated(rows: Sample) -> tuple[Mask, Array]:
    """Return, for every row, whether its decision has logged probabilities, and when the decision began."""
    decisions, place = np.unique(rows.decision, return_inverse=True)
    logged, begin = np.zeros(len(decisions), dtype=bool), np.full(len(decisions), np.inf)
    np.logical_or.at(logged, place, ~np.isnan(rows.pmf[:, 0]))
    np.minimum.at(begin, place, rows.time_s)
    return logged[place], begin[place]


def _order(rows: Sample) -> Index:
    """Return the order in which rows are played; rows of one decision stay together.

    What no policy decided comes first, by a hash of its text, for the order of a file may say what is in it; then
    decisions by their time.
    """
    logged, begin = _dated(rows)
    first, later = np.flatnonzero(~logged), np.flatnonzero(logged)
    first = first[np.lexsort((rows.group[first], (rows.group[first] ^ _SALT) * _ODD))]
    later = later[np.lexsort((rows.decision[later], begin[later]))]
    return np.concatenate([first, later])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trials:
    """Rows, one after the other, that are judged together or not at all: arrays (m,)."""

    start: Index
    end: Index
    drawn: Index
    """The row whose model was drawn; -1 for none."""
    new: Mask
    """Whether no earlier row is of the same conversation or text."""

    @classmethod
    def of(cls, rows: Sample, known: NDArray[np.uint64]) -> _Trials:
        """Return the trials of rows in the order in which they are played; `known` units are not new."""
        count = len(rows.arm)
        logged, _ = _dated(rows)
        key = np.where(logged, rows.decision, rows.group)
        start = np.flatnonzero(np.r_[count > 0, key[1:] != key[:-1]])
        drawn = np.where(np.isnan(rows.pmf[:, 0]), count, np.arange(count))
        first = np.minimum.reduceat(drawn, start) if count else start
        new = np.zeros(len(start), dtype=bool)
        new[np.unique(rows.group[start], return_index=True)[1]] = True
        new &= ~np.isin(rows.group[start], known)
        end = np.r_[start[1:], count]
        return cls(start=start, end=end, drawn=np.where(first < count, first, -1), new=new)

    def within(self, begin: int, end: int) -> _Trials:
        """Return those that begin from row `begin` on and before `end`."""
        mine = (self.start >= begin) & (self.start < end)
        return _Trials(start=self.start[mine], end=self.end[mine], drawn=self.drawn[mine], new=self.new[mine])


def _edges(start: Index, first: int, rows: int) -> list[int]:
    """Return the rows at which a fit is made, each the begin of a trial, and the number of rows.

    A last block of less than half the usual length belongs to the one before.
    """
    edges: list[int] = []
    wanted = first
    while wanted < rows and (place := int(np.searchsorted(start, wanted))) < len(start):
        edges.append(int(start[place]))
        wanted = math.ceil(GROWTH * edges[-1])
    if len(edges) > 1 and rows - edges[-1] < 0.5 * (GROWTH - 1.0) * edges[-1]:
        edges.pop()
    return [*edges, rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Challenge:
    """The challenger of a block and the single model that it is held against."""

    challenged: Challenged
    arms: Sequence[Arm]
    objective: Objective

    def choices(self, forecast: Forecast, eligible: Mask) -> tuple[Index, Index]:
        """Return the single model's arm and the challenger's for each of n queries."""
        mean, se = forecast.utility(self.objective, self.arms)
        now, anchor = self.challenged, self.arms[self.challenged.anchor].id
        singles = ranked_singles(now.predictor, now.average, self.arms, self.objective, anchor)
        champion = single_best(singles, forecast.rows, eligible)
        return champion, held_best(mean, se, forecast.rows, eligible, singles)

    def expected(self, forecast: Forecast) -> Array:
        """Return the expected utility without satisfaction, (n, K)."""
        return forecast.utility(replace(self.objective, satisfaction_value_usd=0.0), self.arms)[0]

    def utility(self, rows: Sample, accuracy: Array) -> Array:
        """Return the utility of each row in USD without satisfaction (n,): ratings never enter the evidence."""
        free = np.array([arm.local for arm in self.arms])[rows.arm]
        unknown = np.where(free, 0.0, self.challenged.bounds.unknown_usd)
        return (
            self.objective.answer_value_usd * accuracy
            - np.where(np.isnan(rows.cost_usd), unknown, rows.cost_usd)
            - self.objective.second_value_usd * np.nan_to_num(rows.response_s)
        )


def _scored(
    trials: _Trials, rows: Sample, vectors: Array, challenge: _Challenge, *, margin: float, bets: bool
) -> Block:
    """Score the new units of a block."""
    arms, now = challenge.arms, challenge.challenged
    first, drawn, by_pmf = trials.start, np.maximum(trials.drawn, 0), trials.drawn >= 0
    paired = np.where(by_pmf, rows.audited[drawn], rows.seeded[first])
    seen = _seen(trials, rows, paired, len(arms))
    able = np.where(by_pmf[:, None], rows.eligible[drawn], seen >= 0)
    accuracy, known_by_now = _grades(rows)
    graded = known_by_now[np.where(by_pmf, drawn, first)]
    kept = trials.new & able.any(axis=1) & (by_pmf | paired) & ~rows.live[first] & graded
    first, drawn, paired, seen = first[kept], drawn[kept], paired[kept], seen[kept]
    forecast = now.predictor.forecast(vectors[first], arms)
    champion, challenger = challenge.choices(forecast, able[kept])
    unit, pmf = np.arange(len(first)), np.where(paired[:, None], 1.0, rows.pmf[drawn])
    # Where the challenger cannot be judged it is taken to stay with the single model, which no answer decides.
    judged = np.where(
        paired,
        (seen[unit, champion] >= 0) & (seen[unit, challenger] >= 0),
        np.minimum(pmf[unit, champion], pmf[unit, challenger]) > LEAST_P,
    )
    challenger = np.where(judged, challenger, champion)
    utility, expected = challenge.utility(rows, accuracy), challenge.expected(forecast)
    places = {"champion": seen[unit, champion], "challenger": seen[unit, challenger]}
    values: dict[str, Any] = {"paired": paired, "share": np.zeros(len(unit))}
    known, single = np.ones(len(unit), dtype=bool), ~paired & (champion != challenger)
    for side, arm in (("champion", champion), ("challenger", challenger)):
        place, p = places[side], pmf[unit, arm]
        known &= (place < 0) | known_by_now[place]
        values |= {
            side: arm,
            f"{side}_p": p,
            f"{side}_least": np.full(len(unit), p[single].min(initial=1.0)),
            f"{side}_usd": expected[unit, arm],
            f"{side}_accuracy": forecast.accuracy[unit, arm],
            f"{side}_asked": place >= 0,
            f"{side}_utility": np.where(place >= 0, utility[place], np.nan),
            f"{side}_right": np.where(place >= 0, accuracy[place], np.nan),
        }
    decided, row = Decided(**{name: one[known] for name, one in values.items()}), first[known]
    return Block(
        unit=rows.group[row],
        row=row,
        champion_row=places["champion"][known],
        challenger_row=places["challenger"][known],
        audit_probability=np.nan_to_num(rows.audit_probability[row]),
        decided=decided,
        scored=scored(
            decided,
            low=now.bounds.low,
            high=now.bounds.high,
            anchor=now.anchor if (champion == now.anchor).all() else None,
            answer_value_usd=challenge.objective.answer_value_usd,
            margin=margin,
            bets=bets,
            past=lines_of(now.blocks),
            promoted=False,
        ),
    )


def _grades(rows: Sample) -> tuple[Array, Mask]:
    """Return how right each answer is (n,), and of which that is to be counted by now.

    Where something can grade answers, a call that failed is wrong, and a grade that never came is NaN and counts: it
    is the worst for both sides.
    """
    gradable = ~np.isnan(rows.audit_probability)
    accuracy = np.where(rows.lost | (gradable & ~rows.answered & np.isnan(rows.accuracy)), 0.0, rows.accuracy)
    overdue = rows.time_s < rows.time_s.max(initial=-np.inf) - GRADE_DEADLINE.total_seconds()
    return accuracy, ~np.isnan(accuracy) | (gradable & overdue)


def _seen(trials: _Trials, rows: Sample, paired: Mask, arms: int) -> Index:
    """Return the row with each model's answer to each trial that counts, (m, K); -1 for none."""
    seen = np.full((len(trials.start), arms), -1)
    for number in np.flatnonzero(paired).tolist():
        for row in range(int(trials.end[number]) - 1, int(trials.start[number]) - 1, -1):
            if rows.seeded[row] or rows.shadow[row] or row == trials.drawn[number]:
                seen[number, rows.arm[row]] = row
    alone = np.flatnonzero(~paired & (trials.drawn >= 0))
    seen[alone, rows.arm[trials.drawn[alone]]] = trials.drawn[alone]
    return seen


def _as_given(block: Block, order: Index) -> Block:
    """Return the block with its rows counted as they were given."""

    def given(place: Index) -> Index:
        return np.where(place >= 0, order[place], -1)

    return replace(
        block,
        row=order[block.row],
        champion_row=given(block.champion_row),
        challenger_row=given(block.challenger_row),
    )
