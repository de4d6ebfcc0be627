"""How often a contest errs, where the truth is known, and what a bad challenger costs: one section of
simulations.md.

Queries come from cells; a challenger is fitted anew at every look on all rows that were graded until then, and knows
the texts that it was trained on by heart. What is drawn, scored and stopped is the product's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics.sizes import Size, each, error_of, row, share_of
from zetaroute.domain import FIRST_SHARE, PROVING_SHARE, PROVING_UNITS
from zetaroute.evaluate.e_process import (
    GAINS,
    PROMOTES_AT,
    ROLLS_BACK_AT,
    log_evidence,
    loss_is_limited,
)
from zetaroute.evaluate.scoring import COLUMNS, Decided, Scored, found_in, scored
from zetaroute.policy.contest import (
    CHALLENGER_SAMPLES,
    CHAMPION_SAMPLES,
    FIRST_AUDITS,
    LATER_AUDITS,
    PROVING_AUDITS,
    affordable_share,
    kept_by,
    least_probabilities,
)
from zetaroute.policy.exploration import QUOTA, explored_shares, only, thompson, with_floor

Array = NDArray[np.float64]
Index = NDArray[np.int64]

CELLS, MODELS, RATE = 8, 3, 0.05
LOOKS, STEP = 100, 40
LATE = 100
"""Rows that the grade of a wrong answer comes late, where grades are delayed."""
REPEATS = 3.5
COST = np.array([0.02, 0.03, 0.04])
"""Of an answer, in right answers; so is everything else here."""
LOW, HIGH = -COST, np.ones(MODELS)
ALIKE = 0.4
"""Share of the queries that models answer alike, as far as their chances allow."""
LIMIT = 100.0
ROWS_AT_ONCE = 20
MOST_ROWS = 4000
LOSSES = (0.1, 0.03)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Queries on which no challenger gains anything that was not asked before."""

    name: str
    right: Array
    """(MODELS,) probability of a right answer, whatever the cell."""
    repeats: float = 1.0
    """How often a text is asked."""
    late: bool = False
    """Whether wrong answers are graded later."""
    drift: float = 0.0
    """What the last model loses halfway."""


EVEN = 0.6 + COST
"""All models are worth the same."""
WORLDS = (
    World(name="all models are worth the same", right=EVEN),
    World(name="the same, each text asked 3.5 times", right=EVEN, repeats=REPEATS),
    World(name=f"the same, wrong answers are graded {LATE} rows late", right=EVEN, late=True),
    World(name="context tells nothing, the others are worse", right=EVEN - np.array([0.0, 0.02, 0.04])),
    World(name="one model gets 15 points worse halfway", right=EVEN, drift=0.15),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of one contest."""

    promoted: bool
    anyway: bool
    """Whether it would have been promoted had every repeat of a text been scored too."""
    rejected: bool


class Learner:
    """Means of cells and models, and every text's own outcomes, from the rows that were graded so far."""

    def __init__(self, texts: int) -> None:
        self.count, self.sum = np.zeros((CELLS, MODELS)), np.zeros((CELLS, MODELS))
        self.known = np.full((texts, MODELS), np.nan)

    def learn(self, cell: Index, text: Index, arm: Index, right: Array) -> None:
        """Take in graded answers, each array (n,)."""
        np.add.at(self.count, (cell, arm), 1.0)
        np.add.at(self.sum, (cell, arm), right)
        self.known[text, arm] = right

    def expects(self) -> tuple[Array, Array]:
        """Return mean and standard error of the utility, (CELLS, MODELS)."""
        overall = (self.sum.sum(axis=0) + 3.0) / (self.count.sum(axis=0) + 6.0)
        mean = (self.sum + 10.0 * overall) / (self.count + 10.0)
        return mean - COST, np.sqrt(mean * (1.0 - mean) / (self.count + 10.0))


def run(world: World, seed: int) -> Run:
    """Look LOOKS times at a contest of the first model, which is never worse than another, with challengers."""
    rng = np.random.default_rng([7, seed])
    rows = LOOKS * STEP
    texts = round(rows / world.repeats)
    text = rng.integers(texts, size=rows) if world.repeats > 1.0 else np.arange(rows)
    first = np.zeros(rows, dtype=bool)
    first[np.unique(text, return_index=True)[1]] = True
    cell, luck = rng.integers(CELLS, size=texts), rng.random((texts, MODELS))
    learner, share, lines, all_lines = Learner(texts), FIRST_SHARE, _Lines(), _Lines()
    waiting: list[tuple[Index, Index, Array, Index]] = []
    for look in range(LOOKS):
        chances = world.right - np.array([0.0, 0.0, world.drift * (look >= LOOKS // 2)])
        here = slice(look * STEP, (look + 1) * STEP)
        decided, asked = _asked(rng, learner, text[here], cell, luck < chances, share)
        made = lines.score(_part(decided, first[here]))
        all_lines.score(decided)
        share = float(made.next_share[-1]) if len(made.next_share) else share
        at, arm, right = asked
        arrives = look * STEP + at + np.where(world.late & (right < 0.5), LATE, 0)
        waiting.append((text[here][at], arm, right, arrives))
        came = [_arrived(one, (look + 1) * STEP) for one in waiting]
        waiting = [_later(one, (look + 1) * STEP) for one in waiting]
        for row_text, arms, rights in came:
            learner.learn(cell[row_text], row_text, arms, rights)
    return Run(
        promoted=lines.passes(), anyway=all_lines.passes(), rejected=lines.says()["harm"] >= ROLLS_BACK_AT
    )


def _asked(
    rng: np.random.Generator,
    learner: Learner,
    text: Index,
    cell: Index,
    right: NDArray[np.bool_],
    share: float,
) -> tuple[Decided, tuple[Index, Index, Array]]:
    """Decide queries (n,); return them as they are scored, with row, model and grade of every answer."""
    mean, se = learner.expects()
    known = learner.known[text]
    own = np.where(np.isnan(known), mean[cell[text]], known - COST)
    own_se = np.where(np.isnan(known), se[cell[text]], 0.05)
    best = own.argmax(axis=1)
    index = np.arange(len(text))
    lead = own[index, best] - own[:, 0]
    challenger = np.where(lead > 0.5 * np.hypot(own_se[index, best], own_se[:, 0]), best, 0)
    pmf = _probabilities(rng, mean, se)[:, cell[text]]
    by_champion = _explored(CHAMPION_SAMPLES, only(0, MODELS)[None, :], pmf[0], mean[cell[text]])
    by_challenger = _explored(CHALLENGER_SAMPLES, np.eye(MODELS)[challenger], pmf[1], mean[cell[text]])
    both = share * by_challenger + (1.0 - share) * by_champion
    arm = np.minimum((both.cumsum(axis=1) < rng.random((len(text), 1))).sum(axis=1), MODELS - 1)
    heads = rng.random(len(text)) < FIRST_AUDITS
    decided = decided_of(
        champion=np.zeros(len(text), dtype=np.int64),
        challenger=challenger,
        arm=arm,
        heads=heads,
        p=both,
        share=np.full(len(text), share),
        expected=own + COST,
        right=right[text].astype(np.float64),
    )
    single = np.flatnonzero(~heads)
    pairs = np.flatnonzero(heads)
    rows = np.concatenate([single, pairs, pairs[challenger[pairs] > 0]])
    arms = np.concatenate(
        [arm[single], np.zeros(len(pairs), dtype=np.int64), challenger[pairs[challenger[pairs] > 0]]]
    )
    return decided, (rows, arms, right[text[rows], arms].astype(np.float64))


def _probabilities(rng: np.random.Generator, mean: Array, se: Array) -> Array:
    """Return what Thompson sampling draws per side and cell, (2, CELLS, MODELS)."""
    every = np.ones(MODELS, dtype=bool)
    single = mean.mean(axis=0), np.sqrt((se**2).mean(axis=0) / CELLS)
    return np.array(
        [
            [thompson(*single, every, rng)] * CELLS,
            [thompson(mean[k], se[k], every, rng) for k in range(CELLS)],
        ]
    )


def _explored(sampled: float, wanted: Array, samples: Array, mean: Array) -> Array:
    pmf = (1.0 - sampled) * wanted + sampled * samples
    shares = np.array(
        [explored_shares(one, np.ones(MODELS, dtype=bool), answer_value_usd=1.0) for one in mean]
    )
    return with_floor(pmf, shares, RATE)


def decided_of(
    *,
    champion: Index,
    challenger: Index,
    arm: Index,
    heads: NDArray[np.bool_],
    p: Array,
    share: Array,
    expected: Array,
    right: Array,
) -> Decided:
    """Return queries (n,) as they are scored, of which `p`, `expected` and `right` are (n, MODELS)."""
    index = np.arange(len(arm))
    least = least_probabilities(share, np.full(len(arm), kept_by(RATE, 0.0)))
    values: dict[str, Any] = {}
    for side, wanted, bound in (("champion", champion, least[0]), ("challenger", challenger, least[1])):
        seen = (champion != challenger) & (heads | (arm == wanted))
        values |= {
            side: wanted,
            f"{side}_p": p[index, wanted],
            f"{side}_least": bound,
            f"{side}_usd": expected[index, wanted] - COST[wanted],
            f"{side}_accuracy": expected[index, wanted],
            f"{side}_asked": seen,
            f"{side}_utility": np.where(seen, right[index, wanted] - COST[wanted], np.nan),
            f"{side}_right": np.where(seen, right[index, wanted], np.nan),
        }
    return Decided(paired=heads, share=share, **values)


def _part(decided: Decided, chosen: NDArray[np.bool_]) -> Decided:
    return Decided(**{name: getattr(decided, name)[chosen] for name in Decided.__slots__})


def _arrived(one: tuple[Index, Index, Array, Index], now: int) -> tuple[Index, Index, Array]:
    here = one[3] < now
    return one[0][here], one[1][here], one[2][here]


def _later(one: tuple[Index, Index, Array, Index], now: int) -> tuple[Index, Index, Array, Index]:
    rest = one[3] >= now
    return one[0][rest], one[1][rest], one[2][rest], one[3][rest]


class _Lines:
    """The lines of an epoch."""

    def __init__(self) -> None:
        self.columns: dict[str, Array] = {name: np.zeros(0) for name in COLUMNS}

    def score(self, decided: Decided, *, promoted: bool = False) -> Scored:
        made = scored(
            decided,
            low=LOW,
            high=HIGH,
            anchor=0,
            answer_value_usd=1.0,
            margin=0.02,
            bets=True,
            past=self.columns,
            promoted=promoted,
        )
        for name in COLUMNS:
            new = getattr(
                decided if name in {"share", "paired"} else made, name, np.zeros(len(decided.share))
            )
            self.columns[name] = np.concatenate([self.columns[name], new])
        return made

    def passes(self) -> bool:
        """Return whether the evidence of a gain ever promoted, after whichever line."""
        lines = self.columns
        log = log_evidence(
            lines["gain_usd"],
            lines["paired"] > 0,
            lines["variance_usd"],
            lines["worst_gain_usd"],
            0.01 * np.array(GAINS),
        )
        return bool(log.max(initial=0.0) >= math.log(PROMOTES_AT))

    def says(self) -> Mapping[str, Any]:
        every = np.ones(len(self.columns["share"]), dtype=bool)
        return found_in(self.columns, mine=every, answer_value_usd=1.0, margin=0.02, earlier=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """A challenger that stays as it is and loses on every query that it answers."""

    loss: float
    alike: float = ALIKE
    promoted: bool = False
    limit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """When a bad challenger was given nothing any more."""

    own: int
    """Queries that it was given until then."""
    lost: float
    """What they lost, in right answers."""


def ended(bad: Bad, seed: int) -> Ended:
    """Give queries to a bad challenger until it has lost its share, by its harm or by its limit."""
    rng = np.random.default_rng([8, seed, round(100 * bad.loss), bad.promoted])
    share, lines = PROVING_SHARE if bad.promoted else FIRST_SHARE, _Lines()
    own, lost = 0, 0.0
    for start in range(0, MOST_ROWS, ROWS_AT_ONCE):
        kept = kept_by(RATE, QUOTA)
        share = affordable_share(
            share, kept=kept, width_usd=float(HIGH.max() - LOW.min()), limit_usd=bad.limit
        )
        audits = FIRST_AUDITS
        if bad.promoted:
            audits = PROVING_AUDITS if start < PROVING_UNITS else LATER_AUDITS
        n = ROWS_AT_ONCE
        chance = np.where(rng.random(n) < 0.6, 0.9, 0.4)[:, None] - np.array([0.0, bad.loss - 0.01, 0.2])
        right = np.where(rng.random((n, 1)) < bad.alike, rng.random((n, 1)), rng.random((n, MODELS))) < chance
        p = _drawn_with(share)
        arm = (p.cumsum() < rng.random((n, 1))).sum(axis=1)
        made = lines.score(
            decided_of(
                champion=np.zeros(n, dtype=np.int64),
                challenger=np.ones(n, dtype=np.int64),
                arm=arm,
                heads=rng.random(n) < audits,
                p=np.tile(p, (n, 1)),
                share=np.full(n, share),
                expected=chance + rng.normal(0.0, 0.1, (n, MODELS)),
                right=right.astype(np.float64),
            ),
            promoted=bad.promoted,
        )
        given = rng.random(n) < share
        own += int(given.sum())
        lost += float(((right[:, 0] - COST[0]) - (right[:, 1] - COST[1]))[given].sum())
        if bad.limit is not None:
            in_flight = ROWS_AT_ONCE * share * float(HIGH.max() - LOW.min())
            if not loss_is_limited(lines.columns["share"], lines.columns["gain_usd"], bad.limit, in_flight):
                break
        elif lines.says()["harm"] >= ROLLS_BACK_AT:
            break
        share = float(made.next_share[-1])
    return Ended(own=own, lost=lost)


def _drawn_with(share: float) -> Array:
    """Return with which probability each model answers, (MODELS,), where both sides mostly sample their own."""
    even = np.zeros((1, MODELS))
    by_champion = _explored(CHAMPION_SAMPLES, only(0, MODELS)[None, :], np.array([[0.8, 0.1, 0.1]]), even)
    by_challenger = _explored(CHALLENGER_SAMPLES, only(1, MODELS)[None, :], np.array([[0.1, 0.8, 0.1]]), even)
    return np.asarray((share * by_challenger + (1.0 - share) * by_champion)[0])


def loops(size: Size, jobs: int) -> list[str]:
    """Return the lines of Markdown that say how often contests err, and what a bad challenger costs."""
    n = size.loops
    lines = [
        "## Contests",
        "",
        f"{n} contests per line of {LOOKS} looks each, {STEP} queries from one to the next, {MODELS} models. The",
        "challenger is fitted anew at every look, is given what the product gives it, and is looked at after every",
        f"line of evidence. A quarter of the queries is audited. Promised: at most {1 / PROMOTES_AT:.0%} promoted.",
        "",
        *row("world", "ever promoted", "± standard error", "had repeats been scored"),
        *row(*["---"] * 4),
    ]
    for world in WORLDS:
        runs = each([partial(run, world, seed) for seed in range(n)], jobs)
        promoted = share_of(sum(one.promoted for one in runs), n)
        anyway = share_of(sum(one.anyway for one in runs), n)
        lines += row(world.name, f"{promoted:.3f}", f"{error_of(promoted, n):.3f}", f"{anyway:.3f}")
    lines += [
        "",
        "A challenger that is worse on every query by so much: queries that it was given until the evidence of harm",
        f"took its share away, in {n} runs, looked at every {ROWS_AT_ONCE} queries.",
        "",
        *row("loss", "when", "answered alike", "median", "90% within"),
        *row(*["---"] * 5),
    ]
    for promoted in (False, True):
        for alike in (ALIKE, 0.0):
            bad = Bad(loss=LOSSES[0], alike=alike, promoted=promoted)
            own = np.array([one.own for one in each([partial(ended, bad, seed) for seed in range(n)], jobs)])
            when = "after its promotion" if promoted else "before a promotion"
            quantiles = (f"{np.median(own):.0f}", f"{np.quantile(own, 0.9):.0f}")
            lines += row(f"{LOSSES[0]:.0%}", when, f"{alike:.0%}", *quantiles)
    lines += [
        "",
        f"Under a limit of {LIMIT:.0f} right answers on what challengers may lose, in {n} runs:",
        "",
        *row("loss", "lost, median", "lost, most", "within the limit"),
        *row(*["---"] * 4),
    ]
    for loss in LOSSES:
        found = each([partial(ended, Bad(loss=loss, limit=LIMIT), seed) for seed in range(n)], jobs)
        lost = np.array([one.lost for one in found])
        within = share_of(int((lost <= LIMIT).sum()), n)
        lines += row(f"{loss:.0%}", f"{np.median(lost):.0f}", f"{lost.max():.0f}", f"{within:.3f}")
    return [*lines, ""]
