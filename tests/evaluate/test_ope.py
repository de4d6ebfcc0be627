"""Off-policy differences against worlds whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from zetaroute.evaluate.ope import Comparison, Rows, outcome_model, support

ARMS = 3


def world(rng, n: int, floor: float = 0.1):
    """Make logged rows: accuracy depends on the query's kind and the arm; the better policy is known."""
    kind = rng.integers(2, size=n)
    x = np.column_stack([kind, 1 - kind, np.ones(n)]).astype(float)
    right = np.array([[0.8, 0.6, 0.5], [0.4, 0.7, 0.5]])
    before, after = np.zeros(n, dtype=np.int64), kind.astype(np.int64)
    pmf = np.full((n, ARMS), floor)
    pmf[np.arange(n), before] += 1 - ARMS * floor
    arm = np.array([rng.choice(ARMS, p=row) for row in pmf])
    reward = (rng.random(n) < right[kind, arm]).astype(float)
    truth = float(np.mean(right[kind, after] - right[kind, before]))
    rows = Rows(
        x=x,
        arm=arm,
        pmf=pmf,
        before=before,
        after=after,
        fold=rng.integers(5, size=n),
        stratum=np.ones(n, dtype=np.int64),
    )
    return rows, reward, truth, right


def test_interval_covers_the_truth_and_the_model_alone_does_not_decide_it():
    rng = np.random.default_rng(1)
    hits, errors = 0, []
    for _ in range(300):
        rows, reward, _, right = world(rng, 400)
        figure = Comparison(rows, reward, bounded=True).difference().figure()
        truth = 0.5 * (right[1, 1] - right[1, 0])
        hits += figure.low <= truth <= figure.high
        errors.append(figure.value - truth)
    assert hits / 300 >= 0.93
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(300)


def test_reversed_policies_give_the_negative():
    rows, reward, _, _ = world(np.random.default_rng(2), 500)
    swapped = Rows(
        x=rows.x,
        arm=rows.arm,
        pmf=rows.pmf,
        before=rows.after,
        after=rows.before,
        fold=rows.fold,
        stratum=rows.stratum,
    )
    assert Comparison(swapped, reward, bounded=True).difference().mean == pytest.approx(
        -Comparison(rows, reward, bounded=True).difference().mean
    )


def test_policies_that_agree_differ_by_exactly_nothing():
    rows, reward, _, _ = world(np.random.default_rng(3), 200)
    same = Rows(
        x=rows.x,
        arm=rows.arm,
        pmf=rows.pmf,
        before=rows.after,
        after=rows.after,
        fold=rows.fold,
        stratum=rows.stratum,
    )
    found = Comparison(same, reward, bounded=True).difference()
    assert (found.mean, found.ips, found.model) == (0.0, 0.0, 0.0)
    assert support(same).disagreement == 0.0


def test_weighting_alone_is_unbiased_too():
    rng = np.random.default_rng(4)
    errors = []
    for _ in range(200):
        rows, reward, truth, _ = world(rng, 300)
        errors.append(Comparison(rows, reward, bounded=True).difference().ips - truth)
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(200)


def test_value_of_one_policy_covers_its_truth():
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(200):
        rows, reward, _, right = world(rng, 400)
        figure = Comparison(rows, reward, bounded=True).value(rows.after)
        hits += figure.low <= 0.5 * (right[0, 0] + right[1, 1]) <= figure.high
    assert hits / 200 >= 0.92


def test_unknown_rewards_are_left_out():
    rows, reward, _, _ = world(np.random.default_rng(6), 300)
    blank = reward.copy()
    blank[:100] = np.nan
    keep = ~np.isnan(blank)
    assert (
        Comparison(rows, blank, bounded=True).difference()
        == Comparison(rows.take(keep), reward[keep], bounded=True).difference()
    )


def test_outcome_model_never_sees_the_row_that_it_predicts():
    rows, reward, _, _ = world(np.random.default_rng(7), 300)
    changed = reward.copy()
    mine = rows.fold == 2
    changed[mine] = 1 - changed[mine]
    assert np.array_equal(outcome_model(rows, reward)[mine], outcome_model(rows, changed)[mine])
    assert not np.array_equal(outcome_model(rows, reward)[~mine], outcome_model(rows, changed)[~mine])


def test_wrong_propensities_are_noticed_and_right_ones_are_not():
    rng = np.random.default_rng(8)
    alarms = caught = 0
    for _ in range(100):
        rows, _, _, _ = world(rng, 2000)
        alarms += not support(rows).propensities_consistent
        off = rows.pmf.copy()
        off[np.arange(2000), rows.after] *= np.where(rows.after != rows.before, 2.0, 1.0)
        lied = Rows(
            x=rows.x,
            arm=rows.arm,
            pmf=off,
            before=rows.before,
            after=rows.after,
            fold=rows.fold,
            stratum=rows.stratum,
        )
        caught += not support(lied).propensities_consistent
    assert alarms <= 3
    assert caught >= 95


def test_no_rows_say_nothing():
    rows, reward, _, _ = world(np.random.default_rng(9), 10)
    found = Comparison(rows, np.full_like(reward, np.nan), bounded=True).difference()
    assert found.n == 0
    assert found.se == float("inf")
