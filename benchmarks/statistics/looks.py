"""How often a candidate that must not be promoted is promoted over 100 looks with everything on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics.sizes import Size, each, error_of, row
from benchmarks.statistics.worlds import DIFFICULTIES, Drawn, World, draw, practice_world
from zetaroute.evaluate.gate import GROWTH, Margin, Verdict, judge, spent_level
from zetaroute.evaluate.intervals import Moments
from zetaroute.evaluate.ope import LoggedRows, PairedDR, support
from zetaroute.evaluate.subgroups import segments

Array = NDArray[np.float64]
Index = NDArray[np.int64]

LOOKS = 100
STEP_FLOOR = 0.02
"""Floor from which on the holdout grows by the step that the size says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A candidate that must not be promoted, or that should be."""

    name: str
    floor: float
    arms: int
    changes: Mapping[str, float]
    """What an arm that is not the incumbent's adds: right (share) and cost_usd."""
    redrawn: bool
    """Whether every look brings another candidate."""


def equal_world(scenario: Scenario) -> tuple[World, Index]:
    """Return a world in which every arm does what the practice model of the middle does, but for the changes."""
    base = practice_world(3)
    before = np.random.default_rng(scenario.arms).integers(scenario.arms, size=len(base.right))
    other = np.arange(scenario.arms) != before[:, None]

    def same(table: Array) -> Array:
        return np.repeat(table[:, 1:2], scenario.arms, axis=1)

    right = 0.1 + 0.8 * same(base.right)
    world = World(
        right=right + scenario.changes.get("right", 0.0) * other,
        cost_usd=same(base.cost_usd) + 0.0005 + scenario.changes.get("cost_usd", 0.0) * other,
        response_s=same(base.response_s),
        rated=same(base.rated),
    )
    return world, before


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """What came of all looks at one log."""

    tests: int
    """Looks that the rules of support and growth let through."""
    promoted: bool


def journey(scenario: Scenario, seed: int, *, looks: int, step: int) -> Journey:
    """Look `looks` times at a holdout that grows by `step` rows each, until a candidate is promoted."""
    rng = np.random.default_rng([seed, scenario.arms])
    world, before = equal_world(scenario)
    drawn = draw(world, rng, looks * step, floor=scenario.floor, before=before, after=before)
    after = _candidate(before, scenario.arms, rng)
    tests, tested = 0, 0
    for look in range(1, looks + 1):
        n = look * step
        if tested and n < GROWTH * tested:
            continue
        if scenario.redrawn:
            after = _candidate(before, scenario.arms, rng)
        verdict = look_at(drawn, n, after, world, tests=tests, tested=tested)
        if verdict.tested:
            tests, tested = tests + 1, n
        if verdict.word == "PROMOTE":
            return Journey(tests=tests, promoted=True)
    return Journey(tests=tests, promoted=False)


def look_at(drawn: Drawn, n: int, after: Index, world: World, *, tests: int, tested: int) -> Verdict:
    """Judge a candidate on the first `n` rows with everything on: spending, four margins, segments."""
    first = np.arange(n)
    rows = replace(drawn.rows.take(first), after=after[drawn.cell[:n]])
    rewards = {name: reward[:n] for name, reward in drawn.rewards.items()}
    utility = PairedDR(rows, rewards["utility"], bounded=False)
    gain, seen = utility.difference(), support(rows)
    # Margins and segments can only turn down: where the gain itself is not proven they need no fitting.
    proven = gain.bound(spent_level(tests + 1), side=-1) > 0
    return judge(
        utility=gain,
        margins=_margins(rows, rewards) if proven else (),
        support=seen,
        tests_before=tests,
        tested_rows=tested,
        holdout_rows=n,
        segments=segments(utility, (drawn.cell[:n] // DIFFICULTIES).astype(str)) if proven else (),
    )


def _margins(rows: LoggedRows, rewards: Mapping[str, Array]) -> list[Margin]:
    wanted = [
        ("accuracy", 0.02, True),
        ("cost", 0.1 * float(rewards["cost"].mean()), False),
        ("response", 0.1 * float(rewards["response"].mean()), False),
        ("slow share", 0.02, False),
    ]
    return [
        Margin(
            name=name,
            difference=PairedDR(rows, rewards[name], bounded=name in {"accuracy", "slow share"}).difference(),
            most=most,
            higher_is_better=higher,
        )
        for name, most, higher in wanted
    ]


def _candidate(before: Index, arms: int, rng: np.random.Generator) -> Index:
    """Return a candidate that differs from the incumbent on about one half of the cells."""
    moved = (before + rng.integers(1, arms, size=len(before))) % arms
    return np.where(rng.random(len(before)) < 0.5, moved, before)


AT_MARGIN = {"right": -0.04, "cost_usd": -0.0008}
"""Half of the queries lose 4 points, so the whole exactly its margin of 2, while costs fall by more than that."""
WORSE = {"right": -0.01}
"""Half of the queries lose 1 point."""
CANDIDATES: tuple[tuple[str, Mapping[str, float], bool], ...] = (
    ("equal, one candidate", {}, False),
    ("equal, another candidate at every look", {}, True),
    ("half a point worse, another at every look", WORSE, True),
    ("cheaper, accuracy exactly at its margin", AT_MARGIN, True),
)
"""Name, changes, and whether every look brings another one."""


def false_promotions(size: Size, jobs: int) -> list[str]:
    lines = [
        "## False promotions over 100 looks",
        "",
        f"Everything on: spending, the growth rule, four margins, segments; {size.journeys} logs per line. The",
        f"holdout grows by {size.step} rows between two looks, by more where the floor is under {STEP_FLOOR:g}, as",
        "it takes longer there to see anything. Promised: at most 2.5%, and as much for the canaries. 'at most' is",
        "the upper end of Wilson's 95% interval: a standard error says nothing where none was promoted.",
        "'tests' is how many looks per log were tested at all: where that is none, no promotion says nothing.",
        "",
        *row("candidate", "floor", "models", "tests", "ever promoted", "standard error", "at most"),
        *row(*["---"] * 7),
    ]
    scenarios = [
        Scenario(name=name, floor=floor, arms=arms, changes=changes, redrawn=redrawn)
        for floor, arms in size.tried
        for name, changes, redrawn in CANDIDATES
    ]
    for scenario in scenarios:
        seeds = range(size.journeys)
        step = math.ceil(size.step * max(1.0, STEP_FLOOR / scenario.floor))
        made = each([partial(journey, scenario, s, looks=LOOKS, step=step) for s in seeds], jobs)
        promoted = np.array([one.promoted for one in made], dtype=np.float64)
        share = float(promoted.mean())
        lines += row(
            scenario.name,
            f"{scenario.floor:g}",
            str(scenario.arms),
            f"{np.mean([one.tests for one in made]):.1f}",
            f"{share:.3f}",
            f"{error_of(share, len(made)):.3f}",
            f"{Moments.of(promoted).share().high:.3f}",
        )
    return [*lines, ""]
