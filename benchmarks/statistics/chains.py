"""What a chain's own figures promise, where the truth is known: one section of simulations.md.

Three models answer a colour each; wrong answers are often the same one, and a signal tells right from wrong not quite
always. There are so few different queries and answers that the value of a plan is worked out over all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics.sizes import Size, each, error_of, row, share_of
from zetaroute.answers.read import read_answer
from zetaroute.domain import Arm, Objective
from zetaroute.evaluate.e_process import GAINS, PROMOTES_AT, log_evidence
from zetaroute.evaluate.scoring import COLUMNS, Decided, scored
from zetaroute.learn.chains import ChainFit, ChainRows, fit_chain, play_chain
from zetaroute.policy.contest import FIRST_AUDITS
from zetaroute.policy.forecast import Forecast

Array = NDArray[np.float64]
Index = NDArray[np.int64]

ARMS = tuple(Arm(id=name, provider="recorded", model=name) for name in ("small", "medium", "large"))
RIGHT = np.array([[0.75, 0.8, 0.95], [0.35, 0.5, 0.8]])
"""Probability of a right answer by kind of query, easy and hard, and by model."""
KNOWN = 0.5
"""How far what is expected of a query follows its kind."""
WRONG = (0.6, 0.4)
"""Probabilities of the two wrong answers."""
COLOURS = ("Red.", "Tan.", "Blue.")
SIGNAL = (0.75, 0.35)
"""Probability that the signal is good of a right and of a wrong answer; of the large model's it is always."""
COST_USD = np.array([0.0001, 0.0004, 0.004])
WORTH = Objective(answer_value_usd=0.02, satisfaction_value_usd=0.0, second_value_usd=0.0)
QUERY = "Which colour?"
LARGE = 2
UNITS, PLANS, LEARNED = 4000, 8, 200
"""Queries of a contest with a chain, and chains that take part in one, of so many audited queries each."""
P_CHAMPION, P_CHALLENGER = 0.4, 0.35
"""Probabilities with which a side's plan answers, where no audit asks for both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainWorld:
    """What answers tell."""

    name: str
    telling: bool
    """Whether right answers differ from wrong ones, and signals are good more often."""


WORLDS = (
    ChainWorld(name="answers tell", telling=True),
    ChainWorld(name="answers tell nothing", telling=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class States:
    """All S queries with their answers, and how probable each is."""

    kind: Index
    said: Index
    """(S, 3) which colour each model answers; 0 is right."""
    signal: Index
    """(S, 3)"""
    chance: Array
    """(S,)"""


@cache
def states() -> States:
    """Return what can come of a query."""
    every = np.array(list(product(range(len(RIGHT)), *[range(3)] * 3, *[range(2)] * 2, [1])))
    kind, said, signal = every[:, 0], every[:, 1:4], every[:, 4:]
    right = RIGHT[kind]
    answered = np.where(said == 0, right, (1.0 - right) * np.array([0.0, *WRONG])[said])
    good = np.where(said == 0, *SIGNAL)
    good[:, LARGE] = 1.0
    chance = answered.prod(axis=1) * np.where(signal == 1, good, 1.0 - good).prod(axis=1) / len(RIGHT)
    return States(kind=kind, said=said, signal=signal, chance=chance)


def rows_of(world: ChainWorld, at: Index) -> ChainRows:
    """Return queries in some states as a chain is fitted on them and plays them."""
    known, n = states(), len(at)
    read = {
        (said, signal): read_answer(COLOURS[said], QUERY, signal=float(signal))
        for said in range(3)
        for signal in range(2)
    }
    said, signal = (known.said[at], known.signal[at]) if world.telling else (np.zeros((n, 3), dtype=int),) * 2
    expected = KNOWN * RIGHT[known.kind[at]] + (1.0 - KNOWN) * RIGHT.mean(axis=0)
    nothing, cost = np.zeros((n, 3)), np.tile(COST_USD, (n, 1))
    return ChainRows(
        texts=(QUERY,) * n,
        group=np.arange(n, dtype=np.uint64),
        forecast=Forecast(
            accuracy=expected,
            accuracy_se=nothing,
            satisfaction=nothing,
            satisfaction_se=nothing,
            response_s=nothing,
            response_se=nothing,
            response_p95_s=nothing,
            cost_usd=cost,
            cost_se=nothing,
            satisfied=nothing,
            rows=np.full(3, 100.0),
        ),
        cells=np.zeros(n, dtype=np.int64),
        answers=tuple(
            tuple(read[one] for one in zip(*answers, strict=True))
            for answers in zip(said.tolist(), signal.tolist(), strict=True)
        ),
        right=(known.said[at] == 0).astype(np.float64),
        cost_usd=cost,
        seconds=nothing,
        places=(0, 1, 2),
    )


def drawn(rng: np.random.Generator, n: int) -> Index:
    """Draw the states of n queries."""
    return rng.choice(len(states().chance), n, p=states().chance)


def routed(rows: ChainRows) -> Array:
    """Return the utility of what is chosen by the query alone, (n,)."""
    best = (WORTH.answer_value_usd * rows.forecast.accuracy - rows.cost_usd).argmax(axis=1)
    index = np.arange(len(best))
    return WORTH.answer_value_usd * rows.right[index, best] - rows.cost_usd[index, best]


def gains(fit: ChainFit, world: ChainWorld) -> Array:
    """Return what the fitted chain gains over the choice by the query alone in every state, (S,)."""
    every = rows_of(world, np.arange(len(states().chance)))
    alone = routed(every)
    return play_chain(fit.plan, every, ARMS, WORTH).utility(every, WORTH, alone) - alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What was said of one fitted chain."""

    truth_usd: float
    covers: bool
    serves: bool


def fitted(world: ChainWorld, audited: int, seed: int) -> Fitted | None:
    """Fit a chain on audited queries, and hold its figures against what it is worth."""
    rng = np.random.default_rng([23, WORLDS.index(world), audited, seed])
    rows = rows_of(world, drawn(rng, audited))
    fit = fit_chain(rows, ARMS)
    if fit is None:
        return None
    plan = fit.guarded(ARMS, WORTH, otherwise=routed(rows))
    truth = float(states().chance @ gains(fit, world))
    return Fitted(
        truth_usd=truth,
        covers=abs(plan.gain_usd - truth) <= 1.96 * plan.gain_se,
        serves=plan.serves,
    )


@cache
def contestant(world: ChainWorld, number: int) -> Array:
    """Return what a fitted chain gains in every state (S,), less what it gains in the mean: nothing."""
    fit = fit_chain(rows_of(world, drawn(np.random.default_rng([24, number]), LEARNED)), ARMS)
    gained = np.zeros(len(states().chance)) if fit is None else gains(fit, world)
    return gained - float(states().chance @ gained)


def promoted(world: ChainWorld, seed: int) -> bool:
    """Return whether a chain that gains nothing is ever promoted, looked at after every line."""
    rng = np.random.default_rng([25, seed])
    at = drawn(rng, UNITS)
    alone = routed(rows_of(world, np.arange(len(states().chance))))[at]
    chained = alone + contestant(world, seed % PLANS)[at]
    heads, luck = rng.random(UNITS) < FIRST_AUDITS, rng.random(UNITS)
    sides = {
        "champion": (alone, luck < P_CHAMPION, P_CHAMPION, LARGE),
        "challenger": (chained, luck > 1.0 - P_CHALLENGER, P_CHALLENGER, len(ARMS) + 1),
    }
    columns: dict[str, NDArray[np.float64]] = {name: np.zeros(0) for name in COLUMNS}
    values = {}
    for side, (utility, own, chance, arm) in sides.items():
        seen = heads | own
        values |= {
            side: np.full(UNITS, arm),
            f"{side}_p": np.full(UNITS, chance),
            f"{side}_least": np.full(UNITS, chance),
            f"{side}_usd": np.full(UNITS, float(utility.mean())),
            f"{side}_accuracy": np.full(UNITS, 0.8),
            f"{side}_asked": seen,
            f"{side}_utility": np.where(seen, utility, np.nan),
            f"{side}_right": np.where(seen, 1.0, np.nan),
        }
    lines = scored(
        Decided(paired=heads, share=np.full(UNITS, 0.5), **values),
        low=-COST_USD,
        high=np.full(len(ARMS), WORTH.answer_value_usd),
        anchor=LARGE,
        answer_value_usd=WORTH.answer_value_usd,
        margin=0.02,
        bets=True,
        past=columns,
        promoted=False,
    )
    point = WORTH.answer_value_usd / 100.0
    log = log_evidence(
        lines.gain_usd, heads, lines.variance_usd, lines.worst_gain_usd, point * np.array(GAINS)
    )
    return bool(log.max() >= math.log(PROMOTES_AT))


def chains(size: Size, jobs: int) -> list[str]:
    """Return the section."""
    n = size.loops
    lines = [
        "## Chains",
        "",
        f"Three models, and audited queries that all of them have answered; {n} fits per line. 'holds': how often",
        "the cross-fitted gain, give or take 1.96 of its standard errors, held what the fitted chain is worth on all",
        "queries that there can be. 'opens': how often its guard, one standard error, lets it serve.",
        "",
        *row("world", "audited", "worth, mean", "holds", "±", "opens", "worth where it opens", "worst there"),
        *row(*["---"] * 8),
    ]
    for world in WORLDS:
        for audited in size.audited:
            tasks = [partial(fitted, world, audited, seed) for seed in range(n)]
            found = [one for one in each(tasks, jobs) if one is not None]
            holds = share_of(sum(one.covers for one in found), len(found))
            worth = _points([one.truth_usd for one in found])
            there = _points([one.truth_usd for one in found if one.serves])
            lines += row(
                world.name,
                str(audited),
                f"{worth.mean():+.2f} points",
                f"{holds:.3f}",
                f"{error_of(holds, len(found)):.3f}",
                f"{len(there) / len(found):.2f}",
                f"{there.mean():+.2f} points" if len(there) else "-",
                f"{there.min():+.2f} points" if len(there) else "-",
            )
    share = share_of(sum(each([partial(promoted, WORLDS[0], seed) for seed in range(n)], jobs)), n)
    return [
        *lines,
        "",
        f"Of {n} contests of {UNITS:,} queries whose challenger is a chain that gains nothing in the mean, a quarter",
        f"audited and looked at after every line, {share:.3f} ± {error_of(share, n):.3f} were promoted; promised are",
        f"at most {1 / PROMOTES_AT:.0%}.",
        "",
    ]


def _points(usd: Sequence[float]) -> Array:
    return 100.0 * np.asarray(usd) / WORTH.answer_value_usd
