"""What can be wrong with a log itself, each found by its own trace and named in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from zetaroute.arrays import Array, Index
from zetaroute.evaluate.judge_agreement import Agreement

WRONG_PROPENSITIES = (
    "the logged propensities do not fit the models that were drawn: this log cannot be used to judge"
)
NEVER = 1e-6
"""A logged probability below this is as good as none."""
FALSE_ALARM = 1e-4
"""Probability at most with which a log is refused whose propensities are right; every retrain looks."""
BACKWARDS_S = 600.0
"""Clocks of several processes may differ, and a call may wait for a busy server, by this much."""
FEWEST_NEWEST = 50
NEWEST_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFault:
    """One fault of a log."""

    name: str
    """wrong-propensities, duplicate-feedback, future-rows, clock-backwards, delayed-labels, coin-judge"""
    words: str
    refuses: bool
    """Whether the log cannot be used to judge before this is fixed."""


def check_propensities(arm: Index, pmf: Array) -> list[LogFault]:
    """Find logged probabilities (n, K) that do not fit the models (n,) that were drawn.

    They are held against an even draw over all possible models: the weights of what was drawn add up to what that
    one wants more of, within what Bernstein's inequality allows. Nothing that was as good as impossible may be drawn.
    """
    possible = pmf >= NEVER
    more = np.maximum(possible / np.maximum(possible.sum(axis=1, keepdims=True), 1) - pmf, 0.0)
    p = np.maximum(pmf, NEVER)
    row, wanted = np.arange(len(arm)), more.sum(axis=1)
    return check_draws(
        int((~possible[row, arm]).sum()),
        float((more[row, arm] / p[row, arm] - wanted).sum()),
        float((more / p).max(initial=0.0)),
        float(((more**2 / p).sum(axis=1) - wanted**2).sum()),
    )


def check_draws(impossible: int, excess: float, largest: float, spread: float) -> list[LogFault]:
    """Do as `check_propensities` by what it adds up: the rows of models that could not be drawn, the weights of those
    that were less what was wanted, the largest weight there is, and the variance that the weights may have."""
    doubt = math.log(2.0 / FALSE_ALARM)
    allowed = largest * doubt / 3.0
    allowed += math.sqrt(allowed**2 + 2.0 * max(spread, 0.0) * doubt)
    if not impossible and abs(excess) <= allowed:
        return []
    return [LogFault(name="wrong-propensities", words=WRONG_PROPENSITIES, refuses=True)]


def check_feedback(entries: int, extra: int) -> list[LogFault]:
    """Find feedback written more than once by one author on one outcome's metric: `extra` of all entries repeat an
    earlier one. A correction looks the same: the latest counts, so nothing is refused."""
    if not extra:
        return []
    words = (
        f"{extra} of {entries} feedback entries repeat an earlier one by the same author on the same answer "
        "and metric: only the latest counts, see whether something sends feedback twice"
    )
    return [LogFault(name="duplicate-feedback", words=words, refuses=False)]


def check_clock(future: int, ahead_s: float, late: int, behind_s: float) -> list[LogFault]:
    """Find rows from the future, and times that run backwards in the order of the time-ordered ids.

    `future` rows are more than BACKWARDS_S ahead of now, at most `ahead_s`; `late` ones are more than that behind a
    row with an earlier id, at most `behind_s`.
    """
    found = []
    if future:
        days = ahead_s / 86400
        words = f"{future} rows are from the future, by up to {days:.1f} days: some machine's clock is ahead"
        found.append(LogFault(name="future-rows", words=words, refuses=False))
    if late:
        words = (
            f"{late} rows are up to {behind_s:.0f} s older than rows with an earlier id: a clock was set "
            "back, or rows were logged under another time than they were made"
        )
        found.append(LogFault(name="clock-backwards", words=words, refuses=False))
    return found


def check_labels(newest: int, late: float, early: float) -> list[LogFault]:
    """Find that the newest tenth of the rows, so many, mostly lacks the labels that older rows have: the share of
    labelled rows is `late` among them and `early` before."""
    if newest < FEWEST_NEWEST or late >= 0.5 * early:
        return []
    words = (
        f"of the newest {newest} rows {late:.0%} have a known accuracy, of the older ones {early:.0%}: labels come "
        "late, and what came first need not be typical"
    )
    return [LogFault(name="delayed-labels", words=words, refuses=False)]


def check_judges(judges: Mapping[str, Agreement]) -> list[LogFault]:
    """Find judges, by their agreement with the truth, of whom enough pairs do not show that they beat a coin."""
    return [
        LogFault(
            name="coin-judge",
            words=f"the judge {author} is not shown to be better than a coin: {kappa_words(found)}; what it marks "
            "teaches little, and accuracy that stands on it says little",
            refuses=False,
        )
        for author, found in judges.items()
        if found.coin
    ]


def kappa_words(found: Agreement) -> str:
    """Return how far a judge agrees with the truth."""
    low, value, high = found.kappa.low, found.kappa.value, found.kappa.high
    return f"kappa {value:+.2f} [{low:+.2f}, {high:+.2f}] with the truth on {found.pairs} answers"
