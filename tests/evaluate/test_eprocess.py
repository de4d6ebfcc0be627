"""The canary's test where the truth is known: how often it errs, and how soon it sees."""

from __future__ import annotations

import numpy as np
import pytest

from zetaroute.evaluate.eprocess import (
    ALPHA,
    ROLLBACK_AT,
    Trials,
    evidence,
    judge,
    left_after,
    promotion_level,
)

RATE, ARMS = 0.05, 4


def trials(rng: np.random.Generator, rows: int, *, share: float, gain: float, differ: float = 0.4) -> Trials:
    """Return rows of a canary whose candidate gains `gain` in reward, where it differs at all."""
    apart = rng.random(rows) < differ
    p_before, p_after = ((1 - s) * (1 - RATE) + RATE / ARMS for s in (share, 1 - share))
    place = rng.random(rows)
    before, after = place < p_before, (place >= p_before) & (place < p_before + p_after)
    right = np.clip(rng.normal(0.6, 0.2, rows), 0.1, 0.9)
    chance = right + np.where(after & apart, gain / differ, 0.0)
    return Trials(
        reward=(rng.random(rows) < chance).astype(float),
        before=right,
        after=np.clip(right + 0.05, 0.0, 1.0),
        took_before=np.where(before, 1 / p_before, 0.0),
        took_after=np.where(after, 1 / p_after, 0.0),
        differ=apart,
        least=np.full(rows, min(share, 1 - share) * (1 - RATE)),
    )


def ends(gain: float, *, share: float, rows: int, runs: int) -> tuple[float, float, float]:
    """Return how often canaries were promoted and rolled back, and the median row at which they ended."""
    words, lengths = [], []
    for seed in range(runs):
        found = trials(np.random.default_rng([7, seed]), rows, share=share, gain=gain)
        finding = judge(found, found, promote_at=promotion_level(ALPHA), margin=0.02)
        words.append(finding.end)
        lengths.append(finding.at_row or rows)
    return words.count("promoted") / runs, words.count("rolled_back") / runs, float(np.median(lengths))


def test_equal_candidate_is_hardly_ever_promoted_or_rolled_back():
    promoted, rolled_back, _ = ends(0.0, share=0.5, rows=2000, runs=200)
    assert promoted <= 0.025
    assert promoted + rolled_back <= 0.05


def test_slightly_worse_candidate_is_not_promoted():
    promoted, _, _ = ends(-0.01, share=0.5, rows=2000, runs=100)
    assert promoted <= 0.02


def test_gain_of_five_points_is_promoted():
    promoted, rolled_back, rows = ends(0.05, share=0.5, rows=4000, runs=60)
    assert promoted >= 0.9
    assert rolled_back <= 0.05
    assert rows <= 2000


def test_loss_of_ten_points_is_rolled_back_although_a_tenth_of_the_queries_show_it():
    _, rolled_back, rows = ends(-0.1, share=0.1, rows=3000, runs=60)
    assert rolled_back >= 0.95
    assert rows <= 1000


def test_gain_in_utility_with_a_loss_of_accuracy_is_not_promoted():
    """Cheaper and worse: the margin of the accuracy must hold by itself."""
    rng = np.random.default_rng(3)
    utility = trials(rng, 4000, share=0.5, gain=0.2)
    accuracy = trials(rng, 4000, share=0.5, gain=-0.1)
    assert judge(utility, utility, promote_at=80.0, margin=0.02).end == "promoted"
    finding = judge(utility, accuracy, promote_at=80.0, margin=0.02)
    assert finding.end == "rolled_back"
    assert "accuracy" in finding.reason


def test_gains_are_unbiased_whatever_was_predicted():
    rng = np.random.default_rng(1)
    for shift in (-0.5, 0.0, 0.4):
        found = trials(rng, 40_000, share=0.3, gain=0.05)
        wrong = Trials(
            **{name: getattr(found, name) for name in Trials.__slots__ if name != "after"},
            after=np.clip(found.after + shift, 0.0, 1.0),
        )
        gains = wrong.gains()
        assert abs(gains.mean() - 0.05) < 3.5 * gains.std() / np.sqrt(len(gains))


def test_worst_row_never_empties_the_purse():
    found = trials(np.random.default_rng(2), 5000, share=0.1, gain=-0.3)
    worst = 1 / found.least
    assert (found.gains() >= -worst - 1e-12).all()
    assert (-found.gains() >= -worst - 1e-12).all()
    assert (evidence(found.gains(), worst) > 0).all()


def test_promotion_costs_nothing_and_a_lost_bet_its_stake():
    assert promotion_level(ALPHA) == pytest.approx(80.0)
    assert left_after(ALPHA, promoted=True, evidence=100.0) == ALPHA
    assert left_after(ALPHA, promoted=False, evidence=60.0) == ALPHA
    assert left_after(ALPHA, promoted=False, evidence=0.0) == pytest.approx(ALPHA / 2)


def test_many_canaries_in_a_row_promote_an_equal_candidate_as_seldom_as_one():
    """Each is ended early, when the next candidate comes; the bets of all together stay within ALPHA."""
    runs, promoted = 200, 0
    for seed in range(runs):
        left = ALPHA
        for number in range(20):
            found = trials(np.random.default_rng([11, seed, number]), 250, share=0.5, gain=0.0)
            finding = judge(found, found, promote_at=promotion_level(left), margin=0.5)
            if finding.end == "promoted":
                promoted += 1
                break
            left = left_after(left, promoted=False, evidence=finding.gain)
    assert promoted / runs <= 0.035


def test_no_row_decides_nothing():
    empty = trials(np.random.default_rng(0), 0, share=0.1, gain=0.0)
    finding = judge(empty, empty, promote_at=80.0, margin=0.02)
    assert (finding.end, finding.gain, finding.harm) == (None, 1.0, 1.0)


def test_endless_evidence_stays_a_number():
    gains = np.full(200_000, 0.5)
    assert np.isfinite(evidence(gains, np.ones(200_000))).all()
    assert evidence(gains, np.ones(200_000))[-1] > ROLLBACK_AT
