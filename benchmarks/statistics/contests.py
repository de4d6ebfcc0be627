"""Worlds in which two policies answer side by side, whose truth is known: what the table of before and after is
measured in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from zetaroute.domain import Objective
from zetaroute.evaluate.before_after import SideRows, chance_of_seeing

Array = NDArray[np.float64]
Index = NDArray[np.int64]

OBJECTIVE = Objective(answer_value_usd=0.01, satisfaction_value_usd=0.0, second_value_usd=0.0002)
ARMS = 4
USD_PER_QUERY = 1.5e-4
SECONDS = np.array([0.8, 1.5, 2.5, 5.0])
SPECIAL = np.array([[0.8, -0.4, 0.0, 0.1], [-0.6, 0.7, 0.2, 0.1], [0.0, 0.0, -0.3, 0.3]])
"""How much better than elsewhere each model is in three kinds of queries, in log-odds."""
ALIKE = 0.4
"""Share of the queries that either all models answer or none, as far as their chances allow."""
TIME_NOISE, LENGTH_NOISE = 0.5, 0.8
FAVOURITE = 2
LARGE = 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """A world of queries that differ in difficulty, and a champion and a challenger for it."""

    name: str
    level: float
    """Log-odds of the first model to be right."""
    step: float
    """What the next model adds."""
    slope: float
    """What a standard deviation of difficulty takes."""
    skill: float
    """How far the forecasts follow the log-odds; negative ones mislead."""
    lead_usd: float
    """Utility by which the challenger leaves the champion's model."""
    contextual: bool = False
    """Whether the champion chooses by query too, by worse forecasts."""
    prices: Sequence[float] = (1.0, 3.0, 10.0, 30.0)
    cost_noise: float = 0.5


CONTESTS = (
    Contest(name="plain", level=0.2, step=0.25, slope=1.0, skill=0.6, lead_usd=0.002),
    Contest(name="accuracy near .94", level=3.0, step=0.2, slope=0.9, skill=0.6, lead_usd=0.0003),
    Contest(name="forecasts that tell much", level=0.5, step=0.3, slope=4.0, skill=0.9, lead_usd=0.0003),
    Contest(name="forecasts that mislead", level=0.3, step=0.3, slope=1.2, skill=-0.5, lead_usd=0.0003),
    Contest(
        name="two that choose by query",
        level=0.2,
        step=0.3,
        slope=1.2,
        skill=0.7,
        lead_usd=0.0002,
        contextual=True,
    ),
    Contest(
        name="free models",
        level=0.2,
        step=0.25,
        slope=1.0,
        skill=0.6,
        lead_usd=0.001,
        prices=(0.0, 0.0, 10.0, 30.0),
    ),
    Contest(name="wild costs", level=0.2, step=0.25, slope=1.0, skill=0.6, lead_usd=0.001, cost_noise=1.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Units of a contest, and what each side's choices bring in the mean."""

    before: SideRows
    after: SideRows
    differ: NDArray[np.bool_]
    expected: tuple[Mapping[str, float], Mapping[str, float]]


def draw(contest: Contest, rng: np.random.Generator, n: int, *, audits: float, share: float) -> Drawn:
    """Draw `n` units of which the challenger is given a `share`, and both choices are asked on a share `audits`."""
    difficulty, kind = rng.normal(size=n), rng.integers(len(SPECIAL), size=n)
    length = np.exp(LENGTH_NOISE * rng.normal(size=n) - LENGTH_NOISE**2 / 2)
    odds = contest.level + contest.step * np.arange(ARMS) - contest.slope * difficulty[:, None]
    odds = odds + 0.6 * contest.slope * SPECIAL[kind]
    right = _sigmoid(odds)
    cost = length[:, None] * np.asarray(contest.prices) * USD_PER_QUERY
    seconds = SECONDS * np.exp(0.2 * difficulty[:, None])
    burden = cost + OBJECTIVE.second_value_usd * seconds
    forecast = _forecast(contest, odds, rng)
    utility = OBJECTIVE.answer_value_usd * forecast - burden
    index = np.arange(n)
    before = np.full(n, FAVOURITE)
    if contest.contextual:
        before = np.argmax(
            OBJECTIVE.answer_value_usd * _forecast(contest, odds, rng, worse=0.7) - burden, axis=1
        )
    best = np.argmax(utility, axis=1)
    leads = utility[index, best] - utility[index, before] > contest.lead_usd
    after = np.where(leads, best, before)
    pmf = _pmf(utility, before, after, share=share, contextual=contest.contextual)
    arm = np.minimum((np.cumsum(pmf, axis=1) < rng.random((n, 1))).sum(axis=1), ARMS - 1)
    alike = np.where(rng.random((n, 1)) < ALIKE, rng.random((n, 1)), rng.random((n, ARMS)))
    brought = {
        "accuracy_rate": (alike < right).astype(np.float64),
        "cost_per_query_usd": cost * _noise(contest.cost_noise, rng, n),
        "mean_response_s": seconds * _noise(TIME_NOISE, rng, n),
    }
    heads = rng.random(n) < audits

    def side(choice: Index) -> SideRows:
        own = {name: values[index, choice] for name, values in brought.items()}
        return SideRows(
            seen=heads | (arm == choice),
            probability=chance_of_seeing(
                heads=heads,
                audits=np.full(n, audits),
                p=np.where(heads, 1.0, pmf[index, choice]),
                alike=before != after,
            ),
            forecast=np.column_stack([forecast[index, choice], utility[index, choice]]),
            shares={"accuracy_rate": own.pop("accuracy_rate")},
            amounts=own,
        )

    def means(choice: Index) -> dict[str, float]:
        own = (float(values[index, choice].mean()) for values in (right, cost, seconds))
        return dict(zip(brought, own, strict=True))

    return Drawn(
        before=side(before),
        after=side(after),
        differ=before != after,
        expected=(means(before), means(after)),
    )


@cache
def truths(contest: Contest) -> tuple[Mapping[str, float], ...]:
    """Return the true KPIs before and after, and their difference, from many queries."""
    drawn = draw(contest, np.random.default_rng(0), LARGE, audits=0.1, share=0.5)
    columns = [dict(means) for means in drawn.expected]
    for column in columns:
        column["utility_usd"] = (
            OBJECTIVE.answer_value_usd * column["accuracy_rate"]
            - column["cost_per_query_usd"]
            - OBJECTIVE.second_value_usd * column["mean_response_s"]
        )
    return (*columns, {name: columns[1][name] - columns[0][name] for name in columns[0]})


def _forecast(contest: Contest, odds: Array, rng: np.random.Generator, *, worse: float = 1.0) -> Array:
    skill = worse * contest.skill
    return _sigmoid(skill * odds + (1.0 - abs(skill)) * contest.level + 0.35 * rng.normal(size=odds.shape))


def _pmf(utility: Array, before: Index, after: Index, *, share: float, contextual: bool) -> Array:
    """Return probabilities (n, arms) over both sides: half the challenger's own arm and half Thompson sampling with a
    floor; the champion's arm, a tenth of sampling, and a floor."""
    index = np.arange(len(before))
    sampled = np.exp((utility - utility.max(axis=1, keepdims=True)) / 0.0008)
    sampled /= sampled.sum(axis=1, keepdims=True)
    challenger = 0.5 * (0.98 * sampled + 0.02 / ARMS)
    challenger[index, after] += 0.5
    single = np.array([0.1, 0.2, 0.5, 0.2])
    champion = 0.1 * (sampled if contextual else single) + np.full(sampled.shape, 0.02 / ARMS)
    champion[index, before] += 0.88
    return np.asarray(share * challenger + (1.0 - share) * champion)


def _noise(size: float, rng: np.random.Generator, n: int) -> Array:
    return np.exp(size * rng.normal(size=(n, ARMS)) - size**2 / 2)


def _sigmoid(odds: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-odds)))
