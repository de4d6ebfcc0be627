"""Evidence errs as seldom as it says, whatever was expected of the answers; bets never lose more than they have."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.support.contests import drawn, lines_of
from zetaroute.domain import LARGEST_SHARE, LEAST_SHARE
from zetaroute.evaluate.e_process import (
    GAINS,
    HARMS,
    PROMOTES_AT,
    Ranges,
    Units,
    believed_gain,
    design_variance,
    last_evidence,
    log_evidence,
    loss_is_limited,
    scores,
    variances,
)

POINT = 0.01
DESIGN = design_variance(1.0, np.array([0.5]))[:, 0]
numbers = st.floats(-3.0, 3.0)
chances = st.floats(0.05, 0.45)


def one(**changes) -> Units:
    values = {
        "paired": [False],
        "differ": [True],
        "champion_expected": [0.4],
        "challenger_expected": [0.7],
        "champion_reward": [math.nan],
        "challenger_reward": [math.nan],
        "champion_p": [0.3],
        "challenger_p": [0.5],
    }
    return Units(**{name: np.array(value) for name, value in (values | changes).items()})


@given(r_b=numbers, r_c=numbers, q_b=numbers, q_c=numbers, p_b=chances, p_c=chances)
def test_mean_over_the_draws_is_the_gain_whatever_was_expected(r_b, r_c, q_b, q_c, p_b, p_c):
    said = {
        "champion_expected": [q_b],
        "challenger_expected": [q_c],
        "champion_p": [p_b],
        "challenger_p": [p_c],
    }
    mean = (
        p_b * scores(one(champion_reward=[r_b], **said))[0]
        + p_c * scores(one(challenger_reward=[r_c], **said))[0]
        + (1.0 - p_b - p_c) * scores(one(**said))[0]
    )
    assert mean == pytest.approx(r_c - r_b, abs=1e-9)


def test_a_pair_is_the_difference_of_its_answers_and_equal_choices_say_nothing():
    seen = {"champion_reward": [0.2], "challenger_reward": [0.9], "paired": [True]}
    assert scores(one(**seen)) == pytest.approx([0.7])
    assert scores(one(**seen, differ=[False])) == [0.0]
    assert scores(one(differ=[False], champion_reward=[0.9])) == [0.0]


@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_nothing_loses_more_than_its_bound(seed, mirror, anchored):
    """Rewards, expectations and probabilities are chosen among the worst; every pair of models occurs."""
    rng = np.random.default_rng(seed)
    n, models = 300, 4
    low = rng.uniform(-2.0, 0.0, models)
    ranges = Ranges(low=low, high=low + rng.uniform(0.0, 3.0, models))
    anchor = int(rng.integers(models)) if anchored else None
    b = np.full(n, anchor) if anchored else rng.integers(models, size=n)
    c = rng.integers(models, size=n)
    least_b, least_c = rng.uniform(0.01, 0.5, (2, n))

    def extreme(arm):
        return np.where(rng.random(n) < 0.5, ranges.low[arm], ranges.high[arm])

    drawn_one = rng.integers(3, size=n)
    paired = rng.random(n) < 0.3
    units = Units(
        paired=paired,
        differ=b != c,
        champion_expected=extreme(b),
        challenger_expected=extreme(c),
        champion_reward=np.where(paired | (drawn_one == 0), extreme(b), math.nan),
        challenger_reward=np.where(paired | (drawn_one == 1), extreme(c), math.nan),
        champion_p=np.where(rng.random(n) < 0.7, least_b, rng.uniform(least_b, 0.5)),
        challenger_p=np.where(rng.random(n) < 0.7, least_c, rng.uniform(least_c, 0.5)),
    )
    psi = scores(units) * (-1.0 if mirror else 1.0)
    single = ranges.worst(least=least_c, other_least=least_b, anchor=anchor, mirror=mirror)
    worst = np.where(paired, ranges.worst_pair(anchor=anchor, mirror=mirror), single)
    assert (psi >= -worst - 1e-9).all()
    log = log_evidence(psi, paired, np.full(n, 1e-9), np.maximum(worst, 1e-9), POINT * np.array(GAINS))
    assert np.isfinite(log).all()


def test_the_bound_of_a_single_answer_is_reached():
    ranges = Ranges(low=np.array([0.0, 0.0]), high=np.array([1.0, 1.0]))
    (worst,) = ranges.worst(least=np.array([0.25]), other_least=np.array([0.4]))
    lost = one(
        challenger_reward=[0.0], challenger_expected=[1.0], champion_expected=[1.0], challenger_p=[0.25]
    )
    assert scores(lost) == pytest.approx([-worst])


def test_variance_is_that_of_earlier_lines_of_the_same_kind():
    psi, paired = np.array([1.0, 9.0, 2.0, 3.0]), np.array([False, True, False, True])
    found = variances(psi, paired, design=np.array([0.5, 2.0]), past=np.array([[10.0, 30.0], [0.0, 0.0]]))
    assert found == pytest.approx(
        [
            (50 * 0.5 + 30) / 60,
            2.0,
            (50 * 0.5 + 30 + 1) / 61,
            (50 * 2.0 + 81) / 51,
        ]
    )
    changed = psi.copy()
    changed[-1] = 100.0
    again = variances(changed, paired, design=np.array([0.5, 2.0]), past=np.array([[10.0, 30.0], [0.0, 0.0]]))
    assert again.tolist() == found.tolist()


def test_evidence_of_lines_is_the_mean_of_the_bets_products():
    psi, variance, worst = np.array([0.5, -0.2]), np.array([0.1, np.inf]), np.array([2.0, 2.0])
    log = log_evidence(psi, np.array([True, False]), variance, worst, np.array([0.01, 0.5]))
    assert np.exp(log) == pytest.approx([(1 + 0.1 * 0.5 + 1 + 0.25 * 0.5) / 2] * 2)
    assert last_evidence(log) == pytest.approx(1.0875)
    assert last_evidence(np.zeros(0)) == 1.0
    assert last_evidence(np.array([1e6])) > 1e300


@pytest.mark.parametrize(("share", "audits"), [(0.5, 0.25), (0.9, 0.0), (0.25, 1.0)])
def test_an_equal_challenger_seldom_shows_a_gain_or_a_harm_at_any_look(share, audits):
    rng, runs, promoted, rejected = np.random.default_rng(5), 200, 0, 0
    for _ in range(runs):
        decided, _ = drawn(rng, 1500, gain=0.0, share=share, audits=audits)
        made, paired = lines_of(decided), decided.paired
        gain = log_evidence(
            made.gain_usd, paired, made.variance_usd, made.worst_gain_usd, POINT * np.array(GAINS)
        )
        harm = log_evidence(
            made.loss_usd, paired, made.variance_usd, made.worst_loss_usd, POINT * np.array(HARMS)
        )
        promoted += gain.max() >= math.log(PROMOTES_AT)
        rejected += harm.max() >= math.log(PROMOTES_AT)
    assert promoted <= 0.05 * runs
    assert rejected <= 0.05 * runs


def test_a_gain_is_found_and_a_harm_too():
    rng, found, harmed = np.random.default_rng(6), 0, 0
    for gain in (0.06, -0.1):
        for _ in range(20):
            decided, _ = drawn(rng, 3000, gain=gain, share=0.69, audits=0.25)
            made, paired = lines_of(decided), decided.paired
            found += gain > 0 and (
                log_evidence(
                    made.gain_usd, paired, made.variance_usd, made.worst_gain_usd, POINT * np.array(GAINS)
                ).max()
                >= math.log(PROMOTES_AT)
            )
            harmed += gain < 0 and (
                log_evidence(
                    made.loss_usd, paired, made.variance_usd, made.worst_loss_usd, POINT * np.array(HARMS)
                ).max()
                >= math.log(PROMOTES_AT)
            )
    assert found >= 18
    assert harmed >= 18


def test_belief_begins_with_what_is_usual_and_follows_the_lines():
    nothing = believed_gain(np.zeros(0), np.zeros(0, dtype=bool), point=POINT, design=DESIGN)
    assert (nothing.mean, nothing.sd) == (pytest.approx(0.01), pytest.approx(0.02))
    assert nothing.chance == pytest.approx(0.6915, abs=1e-4)
    paired = np.ones(4000, dtype=bool)
    noise = np.random.default_rng(0).normal(0.0, 0.3, 4000)
    good, bad = (
        believed_gain(noise + mean, paired, point=POINT, design=DESIGN).share for mean in (0.05, -0.05)
    )
    assert (good, bad) == (LARGEST_SHARE, LEAST_SHARE)
    worthless = believed_gain(noise, paired, point=0.0, design=np.zeros(2))
    assert 0.0 < worthless.chance < 1.0


@pytest.mark.parametrize("gain", [-0.1, -0.03])
def test_what_a_challenger_loses_stays_under_the_limit(gain):
    rng, limit, share, kept_to, stopped = np.random.default_rng(7), 100.0, 0.69, 0, 0
    runs, rows = 250, 4000
    for _ in range(runs):
        decided, truth = drawn(rng, rows, gain=gain, share=share, audits=0.1)
        psi = lines_of(decided).gain_usd
        lost = share * psi
        assert lost.min() >= -limit / 12
        spent = -np.cumsum(lost) + 6.0 / limit * np.cumsum(lost**2)
        end = int(np.argmax(spent >= limit / 2)) if (spent >= limit / 2).any() else rows
        assert loss_is_limited(np.full(end, share), psi[:end], limit)
        stopped += end < rows
        if end < rows:
            assert not loss_is_limited(np.full(end + 1, share), psi[: end + 1], limit)
        given = rng.random(rows) < share
        kept_to += -(truth[: end + 1] * given[: end + 1]).sum() <= limit
    assert kept_to >= 0.95 * runs
    if gain == -0.1:
        assert stopped >= 0.95 * runs


def test_queries_under_way_count_against_the_limit():
    quiet = np.zeros(5), np.zeros(5)
    assert loss_is_limited(*quiet, 100.0, 49.0)
    assert not loss_is_limited(*quiet, 100.0, 50.0)
