"""What else a promotion must keep: the user's margins, and every kind of query. Each has evidence of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zetaroute.analysis.contest_result import Measured
from zetaroute.arrays import Array
from zetaroute.config import PromotionGate
from zetaroute.domain import Figure, Objective, strength
from zetaroute.evaluate.e_process import (
    GAINS,
    HARMS,
    PROMOTES_AT,
    ROLLS_BACK_AT,
    last_evidence,
    log_evidence,
    variances,
)
from zetaroute.evaluate.scoring import design

FEWEST_OF_KIND = 10
"""Scored queries of a kind below which it is not looked at for harm."""
MOST_KINDS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class KindHarm:
    """What the evidence says of one kind of query."""

    name: str
    rows: int
    gain_usd: float
    """Mean gain there."""
    harm: float
    """Evidence that the challengers lose there."""
    harmed: bool


def kinds_of_query(found: Measured, objective: Objective) -> list[KindHarm]:
    """Return the kinds with enough scored queries, the largest first.

    Together they are called harmed by mistake with one in twenty: each takes as many times more evidence as there
    are kinds.
    """
    counts = Counter(kind for kind in found.kind.tolist() if kind)
    kinds = [(kind, rows) for kind, rows in counts.most_common(MOST_KINDS) if rows >= FEWEST_OF_KIND]
    told = []
    for kind, rows in kinds:
        here = found.kind == kind
        loss, paired = found.lines["loss_usd"][here], found.paired[here]
        log = log_evidence(
            loss,
            paired,
            variances(loss, paired, design=design(objective.answer_value_usd, 0.5), past=np.zeros((2, 2))),
            found.lines["worst_loss_usd"][here],
            0.01 * objective.answer_value_usd * np.array(HARMS),
        )
        harm = last_evidence(log)
        told.append(
            KindHarm(
                name=kind,
                rows=rows,
                gain_usd=float(found.lines["gain_usd"][here].mean()),
                harm=harm,
                harmed=harm >= ROLLS_BACK_AT * len(kinds),
            )
        )
    return told


def margin_words(found: Measured, gate: PromotionGate) -> tuple[list[str], list[str]]:
    """Return which of the user's margins on cost and time are broken, and which are not shown to hold.

    By audited queries alone: both models were asked there, whatever the query.
    """
    broken, open_questions = [], []
    for name, change, worst in _changes(found, gate):
        kept, lost = (last_evidence(_evidence(sign * change, worst)) for sign in (1.0, -1.0))
        if lost >= ROLLS_BACK_AT:
            broken.append(f"{name} gets worse by more than its margin: the evidence is {strength(lost)}")
        elif kept < PROMOTES_AT:
            open_questions.append(
                f"the evidence that {name} keeps its margin is {strength(kept)} of {PROMOTES_AT:.0f} "
                f"({len(change)} audited queries)"
            )
    return broken, open_questions


def satisfaction_words(
    change: Figure, gain_usd: float, gate: PromotionGate, objective: Objective
) -> tuple[list[str], list[str]]:
    """Return whether satisfaction surely falls by more than the rest gains, and whether its margin is open.

    Ratings stop and never carry: few answers are rated, and who rates is not drawn.
    """
    least_loss = 0.0 if change.high is None else -objective.satisfaction_value_usd * change.high
    if least_loss > max(gain_usd, 0.0):
        return [
            f"satisfaction falls, and costs at least {least_loss:.6f} USD per query of what the rest gains"
        ], []
    if gate.satisfaction_margin is None or (
        change.low is not None and change.low >= -gate.satisfaction_margin
    ):
        return [], []
    return [], [f"satisfaction is not shown to keep its margin of {gate.satisfaction_margin:g}"]


def _changes(found: Measured, gate: PromotionGate) -> Sequence[tuple[str, Array, float]]:
    """Return, for every margin, by how much each audited query keeps it (n,), and what one may lose at most."""
    changes = []
    for name, kpi, margin in (
        ("the cost", "cost_per_query_usd", gate.cost_margin),
        ("the response time", "mean_response_s", gate.response_margin),
    ):
        if margin is not None:
            before, after = _audited(found, kpi)
            # What is worse than 99 in a hundred counts like the worst of those.
            most = float(np.quantile(np.r_[before, after], 0.99)) if len(before) else 0.0
            changes.append(
                (
                    name,
                    (1.0 + margin) * np.minimum(before, most) - np.minimum(after, most),
                    (1 + margin) * most,
                )
            )
    if gate.response_limit_s is not None and gate.limit_margin is not None:
        before, after = _audited(found, "mean_response_s")
        slow = (after > gate.response_limit_s).astype(float) - (before > gate.response_limit_s).astype(float)
        changes.append(("the share of slow answers", gate.limit_margin - slow, 1.0 + gate.limit_margin))
    return changes


def _audited(found: Measured, kpi: str) -> tuple[Array, Array]:
    before, after = found.champion[kpi], found.challenger[kpi]
    both = found.paired & ~np.isnan(before) & ~np.isnan(after)
    return before[both], after[both]


def _evidence(change: Array, worst: float) -> Array:
    """Return the evidence that the mean of the change, at least -worst, is above 0, after each query."""
    if not len(change) or worst <= 0.0:
        return np.zeros(len(change))
    paired = np.ones(len(change), dtype=bool)
    usual = np.full(2, (0.25 * worst) ** 2)
    spread = variances(change, paired, design=usual, past=np.zeros((2, 2)))
    return log_evidence(change, paired, spread, np.full(len(change), worst), 0.01 * worst * np.array(GAINS))
