"""The verdict of a retrain: PROMOTE, REJECT or INSUFFICIENT, in words, and what would settle it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from zetaroute.arrays import Array
from zetaroute.config import Settings
from zetaroute.domain import Objective, strength
from zetaroute.evaluate.e_process import PROMOTES_AT, ROLLS_BACK_AT
from zetaroute.evaluate.log_checks import LogFault
from zetaroute.lifecycle.contests import proves_gain
from zetaroute.lifecycle.evidence import Evidence
from zetaroute.lifecycle.margins import kinds_of_query, margin_words, satisfaction_words
from zetaroute.projections.contest_standing import ContestStanding

Word = Literal["PROMOTE", "REJECT", "INSUFFICIENT"]
NO_ROWS = (
    "no query can be scored yet: rows without a logged probability teach what to expect of each model and prove "
    "nothing; what is asked through zetaroute from now on is scored"
)
NO_CONTEST = (
    "no query was scored: nothing has challenged {version} yet, and nothing does while it is pinned; queries are "
    "scored from the next contest on"
)
RATED_ALONE = (
    "no verdict is made of ratings alone, for few answers are rated, and not at random: they steer the policy, and "
    "the challenger's share follows them; references, a check (`[[checks]]`, `--check`) or a judge would prove a gain"
)
FEWEST_SCORED = 20
"""Scored queries below which the gain is what is usual, and no plan is made of it."""
PLANNED_SPREAD, PLANNED_ROWS = 0.3 * 2.0 * 0.16, 50
"""Variance of the difference of two models' grades on one query, in squares of an answer's value, before any was seen
(`evaluate.e_process`), and the audited queries that it counts for: the first ones may well not differ at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the evidence says of the challengers so far."""

    word: Word
    reasons: tuple[str, ...]
    audits_needed: int | None
    """Audited queries that would prove the estimated gain, as a plan; None where none is estimated."""
    audit_usd_needed: float | None
    """What they would cost."""


def judged(
    evidence: Evidence,
    settings: Settings,
    *,
    faults: Sequence[LogFault],
    usd_per_audit: float,
    unscored: str = NO_ROWS,
) -> Verdict:
    """Judge by what was measured of challengers; `usd_per_audit` is what an audited query is expected to cost.

    `unscored` says why nothing was measured, where nothing was.
    """
    standing, found, objective = evidence.standing, evidence.found, settings.objective
    broken, questions = satisfaction_words(
        evidence.satisfaction(), standing.belief.mean, settings.gate, objective
    )
    squares = np.zeros(0)
    if found is not None:
        worse, unknown = margin_words(found, settings.gate)
        harmed = [one for one in kinds_of_query(found, objective) if one.harmed]
        broken += worse
        broken += [f"it loses on {one.name}: {one.gain_usd:+.6f} USD per query" for one in harmed]
        questions += unknown
        squares = found.lines["gain_usd"][found.paired] ** 2
    needed = _audits_needed(standing, objective, squares)
    return _verdict(
        evidence,
        broken=broken,
        open_questions=questions,
        faults=faults,
        needed=needed,
        usd_needed=None if needed is None else needed * usd_per_audit,
        unscored=unscored,
    )


def _verdict(
    evidence: Evidence,
    *,
    broken: Sequence[str],
    open_questions: Sequence[str],
    faults: Sequence[LogFault],
    needed: int | None,
    usd_needed: float | None,
    unscored: str,
) -> Verdict:
    standing = evidence.standing
    refusals = [fault.words for fault in faults if fault.refuses]
    if refusals:
        return _plain("INSUFFICIENT", *refusals)
    harmful = evidence.rejected or standing.harm >= ROLLS_BACK_AT
    if harmful or broken:
        loses = (
            f"the challenger loses: the evidence of harm is {strength(standing.harm)}, and {ROLLS_BACK_AT:.0f} "
            "takes its queries away"
        )
        return _plain("REJECT", *([loses] if harmful else []), *broken)
    found = (
        f"{_scored(standing)}: the evidence of a gain is {strength(standing.e_value)} of {PROMOTES_AT:.0f}"
    )
    if evidence.serves:
        return _plain("INSUFFICIENT", f"{found}, for the version that serves already")
    if proves_gain(standing) and not open_questions:
        kept = f"the evidence that accuracy keeps its margin is {strength(standing.accuracy)}"
        return _plain("PROMOTE", found, kept)
    reasons = [found] if standing.units else [unscored]
    if standing.e_value >= PROMOTES_AT:
        reasons += _what_is_open(standing)
    elif needed is not None and usd_needed is not None:
        reasons.append(
            f"at the estimated gain about {needed} more audited queries would settle it, about ${usd_needed:.2g} of "
            "audits: `zetaroute batch` with references brings them, `[audit] share` says how many are audited"
        )
    elif standing.units >= FEWEST_SCORED:
        reasons.append("what is estimated so far is no gain: later challengers learn from more rows")
    elif standing.units:
        reasons.append(
            f"{FEWEST_SCORED - standing.units} more scored queries make an estimate of what would settle it: "
            "`zetaroute batch` with references or a check brings them"
        )
    return Verdict(
        word="INSUFFICIENT",
        reasons=(*reasons, *open_questions),
        audits_needed=needed,
        audit_usd_needed=usd_needed,
    )


def _plain(word: Word, *reasons: str) -> Verdict:
    """Return a verdict that more audits of the same do not change."""
    return Verdict(word=word, reasons=reasons, audits_needed=None, audit_usd_needed=None)


def _scored(standing: ContestStanding) -> str:
    return f"{standing.units} queries were scored, {standing.paired} of them audited"


def _what_is_open(standing: ContestStanding) -> list[str]:
    words = []
    if standing.accuracy < PROMOTES_AT:
        words.append(
            f"the evidence that accuracy keeps its margin is {strength(standing.accuracy)} of {PROMOTES_AT:.0f}"
        )
    if standing.own_mean_usd is None:
        words.append("the newest challenger has no scored query of its own yet")
    elif standing.own_mean_usd <= 0.0:
        words.append(
            f"the newest challenger's own queries show no gain ({standing.own_mean_usd:+.6f} USD each)"
        )
    return words


def _audits_needed(standing: ContestStanding, objective: Objective, squares: Array) -> int | None:
    """Return log(what is missing of the evidence) x 2 v / gain^2: bets of gain / v grow by gain^2 / 2 v a query.

    v is the mean of what was planned and of the `squares` (n,) of the gains of audited queries.
    """
    gain = standing.belief.mean
    if gain <= 0.0 or standing.e_value >= PROMOTES_AT or standing.units < FEWEST_SCORED:
        return None
    planned = PLANNED_ROWS * PLANNED_SPREAD * objective.answer_value_usd**2
    spread = (planned + float(squares.sum())) / (PLANNED_ROWS + len(squares))
    missing = math.log(PROMOTES_AT) - math.log(max(standing.e_value, 1e-300))
    return max(1, math.ceil(missing * 2.0 * spread / gain**2))
