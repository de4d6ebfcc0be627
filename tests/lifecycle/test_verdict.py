"""The verdict of a retrain: by the evidence alone, with what would settle it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.lifecycle.test_next_step import FOUND, SETTINGS
from zetaroute.analysis.contest_result import Measured
from zetaroute.config import PromotionGate, Settings
from zetaroute.domain import Figure, Objective
from zetaroute.evaluate.e_process import Belief
from zetaroute.evaluate.log_checks import LogFault
from zetaroute.lifecycle.evidence import Evidence
from zetaroute.lifecycle.margins import kinds_of_query, margin_words, satisfaction_words
from zetaroute.lifecycle.verdict import RATED_ALONE, Verdict, judged

PROVEN = replace(FOUND, e_value=40.0, accuracy=30.0)


def verdict(
    standing=FOUND, *, settings: Settings = SETTINGS, faults=(), usd: float = 0.001, **what
) -> Verdict:
    evidence = Evidence(standing=standing, found=None, table=None, **what)
    return judged(evidence, settings, faults=faults, usd_per_audit=usd)


def measured(rows: int = 300, *, cost=(0.001, 0.001), seconds=(1.0, 1.0), loss=0.0, kind="sums") -> Measured:
    """Audited queries with these costs, times and losses of both sides."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0.0, 0.002, rows)
    sides = [
        {
            "accuracy_rate": np.ones(rows),
            "satisfaction_score": np.full(rows, np.nan),
            "error_rate": np.zeros(rows),
            "cost_per_query_usd": np.full(rows, cost[side]) * rng.uniform(0.9, 1.1, rows),
            "mean_response_s": np.full(rows, seconds[side]) * rng.uniform(0.9, 1.1, rows),
        }
        for side in range(2)
    ]
    lines = {
        "paired": np.ones(rows),
        "loss_usd": loss + noise,
        "gain_usd": -loss - noise,
        "worst_loss_usd": np.full(rows, 0.011),
    }
    return Measured(lines=lines, champion=sides[0], challenger=sides[1], kind=np.full(rows, kind))


def test_a_gain_is_proven_by_evidence_for_it_and_for_the_accuracy_together():
    assert verdict(PROVEN).word == "PROMOTE"
    assert "40 of 20" in verdict(PROVEN).reasons[0]
    open_margin = verdict(replace(PROVEN, accuracy=3.0))
    assert open_margin.word == "INSUFFICIENT"
    assert any("accuracy keeps its margin is 3 of 20" in reason for reason in open_margin.reasons)
    for own, words in ((-0.001, "show no gain"), (None, "no scored query of its own")):
        waiting = verdict(replace(PROVEN, own_mean_usd=own))
        assert waiting.word == "INSUFFICIENT"
        assert any(words in reason for reason in waiting.reasons)


def test_harm_rejects_whatever_was_proven_before():
    assert verdict(replace(PROVEN, harm=21.0)).word == "REJECT"
    assert verdict(PROVEN, rejected=True).word == "REJECT"


def test_what_serves_already_is_not_promoted_again():
    assert verdict(PROVEN, serves=True).word == "INSUFFICIENT"
    assert verdict(replace(PROVEN, harm=30.0), serves=True).word == "REJECT"


def test_a_log_that_cannot_be_judged_by_is_refused():
    broken = LogFault(name="wrong-propensities", words="they do not fit", refuses=True)
    assert (verdict(PROVEN, faults=[broken]).word, verdict(PROVEN, faults=[broken]).reasons) == (
        "INSUFFICIENT",
        ("they do not fit",),
    )
    mild = replace(broken, refuses=False)
    assert verdict(PROVEN, faults=[mild]).word == "PROMOTE"


def test_what_would_settle_it_is_planned_by_the_estimate():
    """log(20 / .5) x 2 x .096 x .01^2 / gain^2 audited queries, at a tenth of a cent each."""
    gain = 0.001
    found = verdict(replace(FOUND, belief=Belief(mean=gain, sd=0.001)))
    wanted = np.log(40.0) * 2.0 * 0.3 * 2.0 * 0.16 * 0.01**2 / gain**2
    assert found.audits_needed == int(np.ceil(wanted))
    assert found.audit_usd_needed == pytest.approx(0.001 * found.audits_needed)
    assert f"about {found.audits_needed} more audited queries" in found.reasons[1]
    none = verdict(replace(FOUND, belief=Belief(mean=-gain, sd=0.001)))
    assert (none.audits_needed, none.audit_usd_needed) == (None, None)
    assert "no gain" in none.reasons[1]


def test_first_audits_on_which_both_sides_agree_do_not_make_a_proof_look_near():
    """(log(20 / 1) x 2 x .096 x .01^2 x 50 / 120) / gain^2, not one more audited query."""
    standing = replace(FOUND, e_value=1.0, belief=Belief(mean=0.0003, sd=0.001))
    found = measured(70)
    found.lines["gain_usd"][:] = 0.0  # type: ignore[index]
    equal = judged(
        Evidence(standing=standing, found=found, table=None), SETTINGS, faults=(), usd_per_audit=0.001
    )
    assert equal.audits_needed == int(np.ceil(np.log(20.0) * 2.0 * 0.096 * 1e-4 * 50 / 120 / 0.0003**2))


def test_without_a_scored_query_it_says_why():
    assert "no query can be scored yet" in verdict(replace(FOUND, units=0, paired=0)).reasons[0]
    few = verdict(replace(FOUND, units=15))
    assert few.reasons[1].startswith("5 more scored queries make an estimate")
    nothing = Evidence(standing=replace(FOUND, units=0, paired=0), found=None, table=None)
    rated = judged(nothing, SETTINGS, faults=(), usd_per_audit=0.001, unscored=RATED_ALONE)
    assert rated.word == "INSUFFICIENT"
    assert "no verdict is made of ratings alone" in rated.reasons[0]


def test_a_margin_on_cost_and_time_is_proven_broken_or_open():
    asked = PromotionGate(cost_margin=0.1, response_margin=0.1, response_limit_s=1.5, limit_margin=0.05)
    assert margin_words(measured(), asked) == ([], [])
    broken, open_questions = margin_words(measured(cost=(0.001, 0.0015)), asked)
    assert ["the cost" in one for one in broken] == [True]
    assert open_questions == []
    broken, _ = margin_words(measured(seconds=(1.0, 2.0)), asked)
    assert len(broken) == 2, "the mean time, and the share of slow answers"
    few = margin_words(measured(5), asked)
    assert few[0] == []
    assert len(few[1]) == 3
    assert margin_words(measured(cost=(0.001, 0.002)), PromotionGate()) == ([], [])


def test_a_kind_that_loses_is_named_and_one_that_does_not_is_not():
    objective = Objective(answer_value_usd=0.01)
    (losing,) = kinds_of_query(measured(loss=0.002), objective)
    assert (losing.name, losing.rows, losing.harmed) == ("sums", 300, True)
    assert losing.gain_usd < 0
    (fine,) = kinds_of_query(measured(loss=0.0), objective)
    assert not fine.harmed
    assert kinds_of_query(measured(9), objective) == []
    assert kinds_of_query(measured(kind=""), objective) == []


def test_satisfaction_stops_and_never_carries():
    objective = Objective(satisfaction_value_usd=0.01)
    falls = Figure(value=-0.2, low=-0.3, high=-0.1, n=100)
    rises = Figure(value=0.2, low=0.1, high=0.3, n=100)
    unknown = Figure(value=None, low=None, high=None, n=0)
    gate, strict = PromotionGate(), PromotionGate(satisfaction_margin=0.05)
    assert satisfaction_words(falls, 0.0005, gate, objective)[0] != []
    assert satisfaction_words(falls, 0.002, gate, objective) == ([], [])
    assert satisfaction_words(rises, -1.0, gate, objective) == ([], [])
    assert satisfaction_words(unknown, 0.001, gate, objective) == ([], [])
    assert len(satisfaction_words(unknown, 0.001, strict, objective)[1]) == 1
    assert satisfaction_words(rises, 0.001, strict, objective) == ([], [])
