"""The verdict on a candidate: PROMOTE, REJECT or INSUFFICIENT, with reasons in plain words.

Figures in, verdict out. The level of each test shrinks with the number of tests before it, so that many retrains
together promote a policy that is no better at most as often as promised.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from zetaroute.evaluate.ope import Difference, Support

Word = Literal["PROMOTE", "REJECT", "INSUFFICIENT"]

ALPHA = 0.05
"""False promotions that all tests together may make."""
MARGIN_ALPHA = 0.05
"""Level of each margin's own test; all must pass, so no correction is needed (intersection-union)."""
GROWTH = 1.5
"""How much the holdout must grow before it is tested again."""
FEWEST_HITS = 20
POWER = 0.84
"""Standard normal quantile of 80% power."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """How much worse one KPI may get."""

    name: str
    difference: Difference
    most: float
    """In the KPI's own unit, positive."""
    higher_is_better: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate says of a candidate."""

    word: Word
    reasons: tuple[str, ...]
    tested: bool
    """Whether a test was spent."""
    level: float
    detectable_usd: float | None
    """Smallest gain per query that this holdout could prove with 80% power."""
    rows_needed: int | None
    """Logged rows it would take to prove the gain that was estimated; None when it is not positive."""


def spent_level(test: int) -> float:
    """Return the level of the `test`-th test (from 1): alpha / (k (k + 1)), which sums to alpha."""
    return ALPHA / (test * (test + 1))


def judge(
    *,
    utility: Difference,
    margins: Sequence[Margin],
    support: Support,
    tests_before: int,
    tested_rows: int,
    holdout_rows: int,
) -> Verdict:
    """Judge a candidate by its utility per query and the margins the user set.

    `tests_before` and `tested_rows` describe the last test that was spent: how many there were, and how large
    the holdout was.
    """
    level = spent_level(tests_before + 1)
    detectable, needed = _power(utility, level, holdout_rows)

    def verdict(word: Word, *reasons: str, tested: bool = True) -> Verdict:
        return Verdict(
            word=word,
            reasons=reasons,
            tested=tested,
            level=level,
            detectable_usd=detectable,
            rows_needed=needed,
        )

    refusal = _refusal(support, tested_rows=tested_rows, holdout_rows=holdout_rows)
    if refusal:
        return verdict("INSUFFICIENT", refusal, tested=False)
    broken = [
        f"{m.name} gets worse by more than its margin of {m.most:g}: {_interval(m.difference)}"
        for m in margins
        if _worse(m, side=-1) > m.most
    ]
    if utility.bound(MARGIN_ALPHA, side=1) < 0:
        broken.append(f"the candidate loses utility: {_interval(utility)} USD per query")
    if broken:
        return verdict("REJECT", *broken)
    open_margins = [
        f"{m.name} may get worse by more than its margin of {m.most:g}: {_interval(m.difference)}"
        for m in margins
        if _worse(m, side=1) > m.most
    ]
    lower = utility.bound(level, side=-1)
    if lower > 0 and not open_margins:
        return verdict(
            "PROMOTE",
            f"utility gains {_interval(utility)} USD per query; its lower bound at level {level:.4f} is {lower:+.6f}",
            *(f"{m.name} keeps its margin of {m.most:g}: {_interval(m.difference)}" for m in margins),
        )
    if lower <= 0:
        open_margins.insert(0, f"the gain is not proven: {_interval(utility)} USD per query")
    return verdict("INSUFFICIENT", *open_margins)


def _refusal(support: Support, *, tested_rows: int, holdout_rows: int) -> str | None:
    if not support.propensities_consistent:
        return (
            "the logged propensities do not fit the models that were drawn: this log cannot be used to judge"
        )
    if support.disagreement == 0.0:
        return "the candidate would choose the same model as the policy in use for every held-out query"
    if support.hits < FEWEST_HITS:
        return (
            f"only {support.hits} held-out rows show what the candidate would do differently, "
            f"at least {FEWEST_HITS} are needed: more exploration or more rows"
        )
    if tested_rows and holdout_rows < GROWTH * tested_rows:
        return (
            f"the holdout was tested at {tested_rows} rows and is tested again at "
            f"{math.ceil(GROWTH * tested_rows)}; it has {holdout_rows}"
        )
    return None


def _worse(margin: Margin, *, side: int) -> float:
    """Return how much worse the KPI gets, by the bound that is hopeful (side=-1) or cautious (side=1)."""
    if margin.higher_is_better:
        return -margin.difference.bound(MARGIN_ALPHA, side=-side)
    return margin.difference.bound(MARGIN_ALPHA, side=side)


def _power(utility: Difference, level: float, holdout_rows: int) -> tuple[float | None, int | None]:
    from scipy.special import ndtri

    if not math.isfinite(utility.se):
        return None, None
    reach = float(ndtri(1.0 - level)) + POWER
    detectable = reach * utility.se
    if utility.mean <= 0:
        return detectable, None
    holdout = (reach * utility.se / utility.mean) ** 2 * holdout_rows
    return detectable, math.ceil(2.0 * holdout)


def _interval(difference: Difference) -> str:
    low, high = difference.bound(0.025, side=-1), difference.bound(0.025, side=1)
    return f"{difference.mean:+.6f} (95% interval {low:+.6f} to {high:+.6f})"
