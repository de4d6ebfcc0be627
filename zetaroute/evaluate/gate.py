"""The verdict on a candidate: PROMOTE, REJECT or INSUFFICIENT, with reasons in plain words.

Figures in, verdict out. The level of each test shrinks with the number of tests before it, so that many retrains
together promote a policy that is no better at most as often as promised.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from zetaroute.evaluate.log_checks import WRONG_PROPENSITIES, LogFault
from zetaroute.evaluate.ope import Difference, Support
from zetaroute.evaluate.subgroups import Segment, harm_words

Word = Literal["PROMOTE", "REJECT", "INSUFFICIENT"]

ALPHA = 0.025
"""False promotions that all tests together may make; the canaries have as much."""
MARGIN_ALPHA = 0.05
"""Level of each margin's own test; all must pass, so no correction is needed (intersection-union)."""
GROWTH = 1.5
"""How much the holdout must grow before it is tested again."""
FEWEST_HITS = 20
PLANNED_HITS = 25
"""Hits to expect so that four holdouts out of five have the fewest."""
LOGGED_PER_HELD_OUT = 2
COLLAPSE_SHARE = 0.95
"""Share of the queries from which on a policy is said to use one model for everything."""
NO_EVIDENCE = (
    "no held-out row says with which probability its model was drawn, so this log cannot tell whether routing would "
    "have helped, whatever the models' figures look like: ask through zetaroute, which writes that down"
)
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
    collapse: str | None
    """The model that gets nearly everything from a candidate that was fitted to route, without a proven gain."""


def spent_level(test: int) -> float:
    """Return the level of the `test`-th test (from 1): alpha / (k (k + 1)), which sums to alpha."""
    return ALPHA / (test * (test + 1))


def collapsed_model(share_before: Mapping[str, float], share_after: Mapping[str, float]) -> str | None:
    """Return the model to which the candidate sends nearly every query while the incumbent spreads them."""
    model = max(share_after, key=lambda name: share_after[name], default=None)
    if model is None or share_after[model] < COLLAPSE_SHARE:
        return None
    return None if max(share_before.values(), default=0.0) >= COLLAPSE_SHARE else model


def judge(
    *,
    utility: Difference,
    margins: Sequence[Margin],
    support: Support,
    tests_before: int,
    tested_rows: int,
    holdout_rows: int,
    segments: Sequence[Segment] = (),
    findings: Sequence[LogFault] = (),
    collapse: str | None = None,
    satisfaction_usd: Difference | None = None,
) -> Verdict:
    """Judge a candidate by its utility per query, the margins the user set, its segments and the log's faults.

    `tests_before` and `tested_rows` describe the last test that was spent: how many there were, and how large
    the holdout was. `collapse` is the model that gets nearly everything although the candidate was fitted to
    route: a proven gain carries that, a hoped-for one does not. A candidate that says "do not route" is none.

    `utility` holds no satisfaction, so ratings can carry nothing; `satisfaction_usd`, the change in satisfaction at
    what it is worth, can only stop a candidate.
    """
    level = spent_level(tests_before + 1)
    waits = _waits(tested_rows=tested_rows, holdout_rows=holdout_rows)
    broken = _broken(utility, margins, segments) + _disliked(utility, satisfaction_usd)
    refusal = _refusal(support, findings, holdout_rows)
    tested = not refusal and not waits
    word: Word = "INSUFFICIENT"
    if refusal:
        reasons = [refusal]
    elif broken:
        # Turning down needs no spending, so it need not wait: the levels bound false promotions only.
        word, reasons = "REJECT", broken
    elif waits:
        reasons = [waits]
    else:
        open_questions = _open(utility, margins, level)
        word = "INSUFFICIENT" if open_questions else "PROMOTE"
        reasons = open_questions or _kept(utility, margins, level, collapse)
        reasons += [harm_words(segments)] if segments else []
    open_collapse = collapse if word == "INSUFFICIENT" else None
    return Verdict(
        word=word,
        reasons=(*reasons, *_collapse_words(open_collapse)),
        tested=tested,
        level=level,
        detectable_usd=reach(level) * utility.se if math.isfinite(utility.se) else None,
        rows_needed=_rows_needed(
            utility,
            support,
            level=spent_level(tests_before + 1 + tested),
            least=GROWTH * (holdout_rows if tested else tested_rows),
            rows=holdout_rows,
        ),
        collapse=open_collapse,
    )


def _refusal(support: Support, findings: Sequence[LogFault], holdout_rows: int) -> str | None:
    """Return why the log cannot carry any judgement."""
    refused = [finding.words for finding in findings if finding.refuses]
    if refused:
        return refused[0]
    if holdout_rows == 0:
        return NO_EVIDENCE
    if not support.propensities_consistent:
        return WRONG_PROPENSITIES
    if support.disagreement == 0.0:
        return "the candidate would choose the same model as the policy in use for every held-out query"
    if support.hits < FEWEST_HITS:
        return (
            f"only {support.hits} held-out rows show what the candidate would do differently, "
            f"at least {FEWEST_HITS} are needed: more exploration or more rows"
        )
    return None


def _waits(*, tested_rows: int, holdout_rows: int) -> str | None:
    if not tested_rows or holdout_rows >= GROWTH * tested_rows:
        return None
    return (
        f"the holdout was tested at {tested_rows} rows and is tested again at "
        f"{math.ceil(GROWTH * tested_rows)}; it has {holdout_rows}"
    )


def _broken(utility: Difference, margins: Sequence[Margin], segments: Sequence[Segment]) -> list[str]:
    """Return what is proven to get worse."""
    broken = [
        f"{m.name} gets worse by more than its margin of {m.most:g}: {_interval(m.difference)}"
        for m in margins
        if _worse(m, side=-1) > m.most
    ]
    broken += [
        f"the candidate harms {segment.name}: {_interval(segment.difference)} USD per query there"
        for segment in segments
        if segment.harmed
    ]
    if utility.bound(MARGIN_ALPHA, side=1) < 0:
        broken.append(f"the candidate loses utility: {_interval(utility)} USD per query")
    return broken


def _disliked(utility: Difference, satisfaction_usd: Difference | None) -> list[str]:
    """Return that satisfaction surely falls, and by more than the estimated gain is worth."""
    if satisfaction_usd is None or not math.isfinite(satisfaction_usd.se):
        return []
    least_loss = -satisfaction_usd.bound(MARGIN_ALPHA, side=1)
    if least_loss <= 0 or utility.mean >= least_loss:
        return []
    return [
        f"satisfaction falls by {_interval(satisfaction_usd)} USD per query at what it is worth to you, and the rest "
        f"gains only {utility.mean:+.6f}"
    ]


def _open(utility: Difference, margins: Sequence[Margin], level: float) -> list[str]:
    """Return what is not proven."""
    questions = [
        f"{m.name} may get worse by more than its margin of {m.most:g}: {_interval(m.difference)}"
        for m in margins
        if _worse(m, side=1) > m.most
    ]
    if utility.bound(level, side=-1) <= 0:
        questions.insert(0, f"the gain is not proven: {_interval(utility)} USD per query")
    return questions


def _kept(utility: Difference, margins: Sequence[Margin], level: float, collapse: str | None) -> list[str]:
    """Return what speaks for a promotion."""
    lower = utility.bound(level, side=-1)
    return [
        f"utility gains {_interval(utility)} USD per query; its lower bound at level {level:.4f} is {lower:+.6f}",
        *(f"{m.name} keeps its margin of {m.most:g}: {_interval(m.difference)}" for m in margins),
        *(
            [f"it sends nearly everything to {collapse}, and the proven gain carries that"]
            if collapse
            else []
        ),
    ]


def _collapse_words(model: str | None) -> list[str]:
    if model is None:
        return []
    return [
        f"it sends nearly everything to {model} although it was fitted to route, and no proven gain carries that: "
        "it is not tried on live queries either"
    ]


def _worse(margin: Margin, *, side: int) -> float:
    """Return how much worse the KPI gets, by the bound that is hopeful (side=-1) or cautious (side=1)."""
    if margin.higher_is_better:
        return -margin.difference.bound(MARGIN_ALPHA, side=-side)
    return margin.difference.bound(MARGIN_ALPHA, side=side)


def _rows_needed(
    utility: Difference, support: Support, *, level: float, least: float, rows: int
) -> int | None:
    """Return the logged rows that prove the estimated gain at `level`, and that no rule refuses before that."""
    if not math.isfinite(utility.se) or utility.mean <= 0 or support.hits == 0:
        return None
    proven = (reach(level) * utility.se / utility.mean) ** 2 * rows
    supported = PLANNED_HITS / support.hits * rows
    return math.ceil(LOGGED_PER_HELD_OUT * max(proven, supported, least))


def reach(level: float) -> float:
    """Return how many standard errors a gain must measure to be proven at `level` with 80% power."""
    from scipy.special import ndtri

    return float(ndtri(1.0 - level)) + POWER


def _interval(difference: Difference) -> str:
    low, high = difference.bound(0.025, side=-1), difference.bound(0.025, side=1)
    return f"{difference.mean:+.6f} (95% interval {low:+.6f} to {high:+.6f})"
