"""Off-policy differences against worlds whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zetaroute.evaluate.ope import LoggedRows, PairedDR, probabilities, support
from zetaroute.evaluate.reward_model import outcome_model

ARMS = 3


def drawn(rng, pmf: np.ndarray) -> np.ndarray:
    """Draw an arm from each row of probabilities."""
    return (pmf.cumsum(axis=1)[:, :-1] < rng.random((len(pmf), 1))).sum(axis=1)


def world(rng, n: int, floor: float = 0.1):
    """Make logged rows: accuracy depends on the query's kind and the arm; the better policy is known."""
    kind = rng.integers(2, size=n)
    x = np.column_stack([kind, 1 - kind, np.ones(n)]).astype(float)
    right = np.array([[0.8, 0.6, 0.5], [0.4, 0.7, 0.5]])
    before, after = np.zeros(n, dtype=np.int64), kind.astype(np.int64)
    pmf = np.full((n, ARMS), floor)
    pmf[np.arange(n), before] += 1 - ARMS * floor
    arm = drawn(rng, pmf)
    reward = (rng.random(n) < right[kind, arm]).astype(float)
    truth = float(np.mean(right[kind, after] - right[kind, before]))
    rows = LoggedRows(
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
        figure = PairedDR(rows, reward, bounded=True).difference().figure()
        truth = 0.5 * (right[1, 1] - right[1, 0])
        hits += figure.low <= truth <= figure.high
        errors.append(figure.value - truth)
    assert hits / 300 >= 0.93
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(300)


def test_reversed_policies_give_the_negative():
    rows, reward, _, _ = world(np.random.default_rng(2), 500)
    swapped = replace(rows, before=rows.after, after=rows.before)
    assert PairedDR(swapped, reward, bounded=True).difference().mean == pytest.approx(
        -PairedDR(rows, reward, bounded=True).difference().mean
    )


def test_policies_that_agree_differ_by_exactly_nothing():
    rows, reward, _, _ = world(np.random.default_rng(3), 200)
    same = replace(rows, before=rows.after)
    found = PairedDR(same, reward, bounded=True).difference()
    assert (found.mean, found.ips, found.model) == (0.0, 0.0, 0.0)
    assert support(same).disagreement == 0.0


def test_arm_that_was_hardly_tried_is_covered_by_the_design_variance():
    """With three hits per log the sample's own variance is mostly far too small."""
    rng = np.random.default_rng(17)
    inside = 0
    for _ in range(200):
        rows, reward, _, right = world(rng, 300, floor=0.02)
        found = PairedDR(rows, reward, bounded=True).difference()
        truth = 0.5 * (right[1, 1] - right[1, 0])
        inside += abs(found.mean - truth) <= 1.96 * found.se
    assert inside / 200 >= 0.93


def test_weighting_alone_is_unbiased_too():
    rng = np.random.default_rng(4)
    errors = []
    for _ in range(200):
        rows, reward, truth, _ = world(rng, 300)
        errors.append(PairedDR(rows, reward, bounded=True).difference().ips - truth)
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(200)


def test_value_of_one_policy_covers_its_truth():
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(200):
        rows, reward, _, right = world(rng, 400)
        figure = PairedDR(rows, reward, bounded=True).value(rows.after)
        hits += figure.low <= 0.5 * (right[0, 0] + right[1, 1]) <= figure.high
    assert hits / 200 >= 0.92


def test_unknown_rewards_are_left_out():
    rows, reward, _, _ = world(np.random.default_rng(6), 300)
    blank = reward.copy()
    blank[:100] = np.nan
    keep = ~np.isnan(blank)
    assert (
        PairedDR(rows, blank, bounded=True).difference()
        == PairedDR(rows.take(keep), reward[keep], bounded=True).difference()
    )


def test_outcome_model_never_sees_the_row_that_it_predicts():
    rows, reward, _, _ = world(np.random.default_rng(7), 300)
    changed = reward.copy()
    mine = rows.fold == 2
    changed[mine] = 1 - changed[mine]

    def modelled(known):
        return outcome_model(rows.x, rows.arm, known, rows.fold, arms=ARMS)

    assert np.array_equal(modelled(reward)[mine], modelled(changed)[mine])
    assert not np.array_equal(modelled(reward)[~mine], modelled(changed)[~mine])


def test_wrong_propensities_are_noticed_and_right_ones_are_not():
    rng = np.random.default_rng(8)
    alarms = caught = 0
    for _ in range(100):
        rows, _, _, _ = world(rng, 2000)
        alarms += not support(rows).propensities_consistent
        off = rows.pmf.copy()
        off[np.arange(2000), rows.after] *= np.where(rows.after != rows.before, 2.0, 1.0)
        lied = replace(rows, pmf=off)
        caught += not support(lied).propensities_consistent
    assert alarms <= 3
    assert caught >= 95


def test_no_rows_say_nothing():
    rows, reward, _, _ = world(np.random.default_rng(9), 10)
    found = PairedDR(rows, np.full_like(reward, np.nan), bounded=True).difference()
    assert found.n == 0
    assert found.se == float("inf")


def test_outcome_model_is_two_ridge_regressions_on_the_other_folds():
    """The sums over folds give what fitting on the rows themselves gives."""
    rows, reward, _, _ = world(np.random.default_rng(10), 120)
    train = rows.fold != 3

    def ridge(x, y, penalty):
        return np.linalg.solve(x.T @ x + penalty * np.eye(3), x.T @ y)

    x, y = rows.x[train], reward[train]
    pooled = ridge(x, y - y.mean(), 10.0)
    mine = rows.arm[train] == 1
    own = ridge(x[mine], (y - y.mean() - x @ pooled)[mine], 30.0)
    found = outcome_model(rows.x, rows.arm, reward, rows.fold, arms=ARMS)
    assert found[~train, 1] == pytest.approx(y.mean() + rows.x[~train] @ (pooled + own))


def test_certain_probabilities_are_the_same_as_arms():
    rows, reward, _, _ = world(np.random.default_rng(11), 300)
    certain = replace(rows, before=probabilities(rows.before, ARMS), after=probabilities(rows.after, ARMS))
    assert (
        PairedDR(certain, reward, bounded=True).difference()
        == PairedDR(rows, reward, bounded=True).difference()
    )
    assert support(certain) == support(rows)


def test_policies_that_draw_are_covered_too():
    rng = np.random.default_rng(12)
    inside, errors = 0, []
    for _ in range(200):
        rows, reward, _, right = world(rng, 400)
        drawing = replace(
            rows,
            before=np.tile([0.7, 0.2, 0.1], (400, 1)),
            after=0.2 * np.tile([0.2, 0.3, 0.5], (400, 1)) + 0.8 * probabilities(rows.after, ARMS),
        )
        each = np.array([0.2 * right[kind] @ [0.2, 0.3, 0.5] + 0.8 * right[kind, kind] for kind in (0, 1)])
        truth = float((each - right @ [0.7, 0.2, 0.1]).mean())
        found = PairedDR(drawing, reward, bounded=True).difference()
        inside += found.bound(0.025, side=-1) <= truth <= found.bound(0.025, side=1)
        errors.append(found.mean - truth)
    assert inside / 200 >= 0.92
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(200)


def in_conversations(rng, conversations: int, size: int):
    """Make rows of conversations that share a mood: within one, the better arm is better for all rows or for none."""
    kind = np.repeat(rng.integers(2, size=conversations), size)
    n = len(kind)
    pmf = np.full((n, ARMS), 1 / ARMS)
    arm = rng.integers(ARMS, size=n)
    helped = np.repeat(rng.random(conversations) < 0.5, size)
    right = 0.3 + 0.5 * (helped & (arm == 1)) - 0.2 * (~helped & (arm == 1))
    rows = LoggedRows(
        x=np.column_stack([kind, 1 - kind]).astype(float),
        arm=arm,
        pmf=pmf,
        before=np.zeros(n, dtype=np.int64),
        after=np.ones(n, dtype=np.int64),
        fold=np.repeat(rng.integers(5, size=conversations), size),
        stratum=np.ones(n, dtype=np.int64),
        cluster=np.repeat(np.arange(conversations), size),
    )
    return rows, (rng.random(n) < right).astype(float), 0.15


def test_conversations_are_covered_and_rows_taken_for_independent_are_not():
    rng = np.random.default_rng(13)
    inside = alone = 0
    for _ in range(200):
        rows, reward, truth = in_conversations(rng, 60, 20)
        figure = PairedDR(rows, reward, bounded=True).difference().figure()
        inside += figure.low <= truth <= figure.high
        figure = PairedDR(replace(rows, cluster=None), reward, bounded=True).difference().figure()
        alone += figure.low <= truth <= figure.high
    assert inside / 200 >= 0.92
    assert alone / 200 <= 0.85


def test_conversations_of_one_row_change_nothing():
    rows, reward, _, _ = world(np.random.default_rng(14), 300)
    single = replace(rows, cluster=np.random.default_rng(0).permutation(300))
    found, plain = (PairedDR(r, reward, bounded=True).difference() for r in (single, rows))
    assert (found.mean, found.hits) == (plain.mean, plain.hits)
    assert (found.se, found.degrees) == pytest.approx((plain.se, plain.degrees))


def test_one_text_asked_many_times_is_one_hit():
    rows, reward, _ = in_conversations(np.random.default_rng(15), 1, 300)
    assert support(rows).hits == 1
    assert PairedDR(rows, reward, bounded=True).difference().se == float("inf")


def test_part_of_the_rows_is_estimated_as_if_alone_but_for_the_model():
    rows, reward, _, right = world(np.random.default_rng(16), 2000)
    comparison = PairedDR(rows, reward, bounded=True)
    kinds = rows.x[:, 0] == 1
    there, elsewhere = comparison.difference(kinds), comparison.difference(~kinds)
    assert there.n == int(kinds.sum())
    assert abs(there.mean - (right[1, 1] - right[1, 0])) < 3 * there.se
    assert (elsewhere.mean, elsewhere.se) == (0.0, 0.0)


PUBLISHED = {"ips": 0.6916666666666668, "snips": 0.535483870967742, "model": 0.4476190476190476}
"""What the estimators of Open Bandit Pipeline 0.4.1 (InverseProbabilityWeighting, SelfNormalized..., DirectMethod)
give for the arrays below; DoublyRobust gives the mean in the test."""


def test_values_of_open_bandit_pipeline():
    """One policy against "nobody answers", which is worth nothing: the difference is that policy's value."""
    n, index = 12, np.arange(12)
    arm = np.array([0, 1, 2, 0, 0, 1, 2, 1, 0, 2, 1, 0])
    reward = np.array([1.0, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1])
    rows = LoggedRows(
        x=np.ones((n, 1)),
        arm=arm,
        pmf=np.where((index % 2 == 0)[:, None], [[0.5, 0.3, 0.2]], [[0.2, 0.3, 0.5]]),
        before=np.zeros((n, ARMS)),
        after=np.where((index % 3 == 0)[:, None], [[0.1, 0.2, 0.7]], [[0.6, 0.3, 0.1]]),
        fold=index % 5,
        stratum=np.ones(n, dtype=np.int64),
    )
    comparison = PairedDR(rows, reward, bounded=True)
    comparison.q = (np.outer(index + 1, [1, 2, 3]) % 7) / 7.0
    found = comparison.difference()
    assert {name: getattr(found, name) for name in PUBLISHED} == pytest.approx(PUBLISHED)
    assert found.mean == pytest.approx(0.6464285714285714)
