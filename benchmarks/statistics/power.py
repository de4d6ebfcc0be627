"""How often a gain is proven at the size of the log that the gate itself announces."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics.sizes import Size, each, error_of, row, share_of
from benchmarks.statistics.worlds import DIFFICULTIES, Drawn, World, draw, practice_world
from zetaroute.evaluate.gate import Verdict, judge
from zetaroute.evaluate.ope import Difference, PairedDR, Support, support

Array = NDArray[np.float64]
Index = NDArray[np.int64]

PILOT, MOST = 1500, 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What came of one announcement."""

    holdout_rows: int
    """Rows at which the next test was made."""
    proven: bool


def planned(floor: float, arms: int, seed: int, *, pilot: int, most: int, known_gain: bool) -> Plan | None:
    """Test a pilot, add as many rows as it announces, and test again; None when the pilot announces nothing.

    With `known_gain` the pilot announces for the gain that is true, and other rows are tested.
    """
    rng = np.random.default_rng([seed, arms])
    world = practice_world(arms)
    before, after = _better(world)
    drawn = draw(world, rng, most, floor=floor, before=before, after=after)
    gain, seen = _gain(drawn, np.arange(pilot))
    if known_gain:
        gain = replace(gain, mean=world.truths(before, after)["utility"])
    first = _judged(gain, seen, pilot, tests=0)
    if first.rows_needed is None or (first.word != "INSUFFICIENT" and not known_gain):
        return None
    n = min(first.rows_needed // 2, most)
    if known_gain:
        drawn = draw(world, rng, n, floor=floor, before=before, after=after)
    second = _judged(*_gain(drawn, np.arange(n)), n, tests=int(first.tested))
    return Plan(holdout_rows=n, proven=second.word == "PROMOTE")


def _judged(gain: Difference, seen: Support, n: int, *, tests: int) -> Verdict:
    return judge(utility=gain, margins=(), support=seen, tests_before=tests, tested_rows=0, holdout_rows=n)


def _gain(drawn: Drawn, part: Index) -> tuple[Difference, Support]:
    rows = drawn.rows.take(part)
    return PairedDR(rows, drawn.rewards["utility"][part], bounded=False).difference(), support(rows)


def _better(world: World) -> tuple[Index, Index]:
    """Return an incumbent that always uses the best single arm, and a candidate that routes two families in five."""
    utility = world.utility()
    before = np.full(len(utility), int(np.argmax(utility.mean(axis=0))))
    routed = np.arange(len(utility)) // DIFFICULTIES % 5 < 2
    return before, np.where(routed, np.argmax(utility, axis=1), before)


def power(size: Size, jobs: int) -> list[str]:
    lines = [
        "## Power at the announced size",
        "",
        f"A pilot of {PILOT} held-out rows announces how many rows its next test needs and is tested there, at most",
        f"at {MOST}. 'as announced' uses the gain that the pilot estimated and goes on with its rows, among pilots",
        "that were neither promoted nor estimated a loss; 'for the true gain' tests other rows. Promised: 80%.",
        "",
        *row("announced", "floor", "models", "pilots", "median rows", "proven", "standard error"),
        *row(*["---"] * 7),
    ]
    for floor, arms in size.planned:
        for name, known in (("for the true gain", True), ("as announced", False)):
            tasks = [
                partial(planned, floor, arms, seed, pilot=PILOT, most=MOST, known_gain=known)
                for seed in range(size.plans)
            ]
            plans = [plan for plan in each(tasks, jobs) if plan is not None]
            proven = share_of(sum(plan.proven for plan in plans), len(plans))
            rows = int(np.median([plan.holdout_rows for plan in plans])) if plans else 0
            lines += row(
                name,
                f"{floor:g}",
                str(arms),
                str(len(plans)),
                str(rows),
                f"{proven:.3f}" if plans else "-",
                f"{error_of(proven, len(plans)):.3f}" if plans else "-",
            )
    return [*lines, ""]
