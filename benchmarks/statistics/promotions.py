"""What is shown at the moment of a promotion, where the truth is known: one section of simulations.md."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics.sizes import Size, each, error_of, row, share_of
from zetaroute.evaluate.betting_interval import betting_interval
from zetaroute.evaluate.e_process import GAINS, PROMOTES_AT, log_evidence, variances
from zetaroute.evaluate.scoring import design

UNIT, POINT = 0.01, 0.0001
"""An answer's value in USD, and a hundredth of it."""
LINES, DIFFER, AUDITS, SHARE = 8000, 0.4, 0.25, 0.5
TRUE_GAINS = (0.0, 0.5, 1.0, 2.0, 4.0)
"""In points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """What was shown at one promotion."""

    line: int
    shown: float
    betting: bool
    """Whether the interval that holds at every look held the truth."""
    fixed: bool
    """The same of one for a number of rows that was set beforehand."""


def lines(rng: np.random.Generator, n: int, gain: float) -> dict[str, NDArray[Any]]:
    """Draw lines of evidence with a mean gain in USD: paired ones, and single ones by an even draw."""
    paired, differ = rng.random(n) < AUDITS, rng.random(n) < DIFFER
    base = rng.uniform(0.3, 0.6, n)
    luck = rng.random(n)
    before, after = (UNIT * (luck < chance) for chance in (base, base + gain / UNIT / DIFFER))
    took, expected = rng.random(n) < SHARE, 0.45 * UNIT
    single = np.where(took, (after - expected) / SHARE, (expected - before) / (1.0 - SHARE))
    psi = np.where(differ, np.where(paired, after - before, single), 0.0)
    worst = np.where(paired, UNIT, UNIT / SHARE)
    return {
        "gain": psi,
        "loss": -psi,
        "paired": paired,
        "variance": variances(psi, paired, design=design(UNIT, SHARE), past=np.zeros((2, 2))),
        "worst_gain": worst,
        "worst_loss": worst,
    }


def run(gain: float, seed: int) -> Promoted | None:
    """Look after every line until one promotes, and return what is shown then."""
    drawn = lines(np.random.default_rng([5, seed, round(100 * gain)]), LINES, gain * POINT)
    log = log_evidence(
        drawn["gain"], drawn["paired"], drawn["variance"], drawn["worst_gain"], POINT * np.array(GAINS)
    )
    passed = np.flatnonzero(log >= math.log(PROMOTES_AT))
    if not len(passed):
        return None
    until: Mapping[str, Any] = {name: values[: passed[0] + 1] for name, values in drawn.items()}
    figure = betting_interval(**until, point=POINT)
    psi, truth = until["gain"], gain * POINT
    return Promoted(
        line=figure.n,
        shown=figure.value / POINT,
        betting=figure.low <= truth <= figure.high,
        fixed=abs(float(psi.mean()) - truth) <= 1.96 * float(psi.std(ddof=1)) / math.sqrt(len(psi)),
    )


def promotions(size: Size, jobs: int) -> list[str]:
    """Return the section."""
    out = [
        "## What a promotion shows",
        "",
        f"Evidence looked at after every line, at most {LINES:,}; {size.promotions} runs per true gain,",
        f"{AUDITS:.0%} audits, policies that differ on {DIFFER:.0%} of the queries. At a promotion the evidence has",
        "just run high, so an interval for a fixed number of rows misses more often than it says; the one that is",
        "printed holds at every look: promised are 95% of all runs, promoted or not.",
        "",
        *row("true gain", "promoted", "lines", "gain shown", "printed interval holds", "fixed one", "±"),
        *row(*["---"] * 7),
    ]
    for gain in TRUE_GAINS:
        found = each([partial(run, gain, seed) for seed in range(size.promotions)], jobs)
        promoted = [one for one in found if one is not None]
        count = len(promoted)
        held, fixed = (sum(getattr(one, name) for one in promoted) for name in ("betting", "fixed"))
        out += row(
            f"{gain:g} points",
            f"{share_of(count, size.promotions):.3f}",
            f"{np.median([one.line for one in promoted]):.0f}" if count else "-",
            f"{np.mean([one.shown for one in promoted]):.1f} points" if count else "-",
            f"{held} of {count}",
            f"{fixed} of {count}",
            f"{error_of(share_of(held, count), count):.3f}" if count else "-",
        )
    return [*out, ""]
