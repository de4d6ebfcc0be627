"""The exact solution equals scikit-learn's, statistics add, and uncertainty is honest."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from zetaroute.domain import Arm
from zetaroute.features.text_map import CONSTANT
from zetaroute.learn.incremental.sufficient_statistics import gather
from zetaroute.learn.ridge import (
    ARM_RIDGE,
    FAMILY,
    OWN,
    SHARED_RIDGE,
    STEP,
    fit_classes,
    likely_factor,
    log_head,
    relatives,
    solve,
)
from zetaroute.policy.heads import SMALLEST


def made(n: int = 400, size: int = 6, arms: int = 3, seed: int = 0):
    rng = np.random.default_rng(seed)
    x = np.hstack([rng.normal(size=(n, size - 1)), np.full((n, 1), CONSTANT)])
    arm = rng.integers(arms, size=n)
    coef = rng.normal(size=(arms, size)) * 0.3
    y = np.einsum("nd,nd->n", x, coef[arm]) + rng.normal(size=n) * 0.2
    return x, y, arm, coef


def fit_linear(x, y, arm, arms, weight=None):
    return solve(gather(x, y[:, None], arm, arms, weight))[0]


def fit_log(x, y, arm, arms):
    logs = np.log(np.maximum(y, SMALLEST))
    return log_head(fit_linear(x, logs, arm, arms), x, logs, arm, np.ones(len(y)))


def test_solution_equals_ridge_on_the_expanded_design():
    x, y, arm, _ = made()
    head = fit_linear(x, y, arm, 3)
    assert head is not None
    own = np.sqrt(likely_factor(gather(x, y[:, None], arm, 3), 0).arm)
    blocks = [x / np.sqrt(SHARED_RIDGE)] + [np.where((arm == k)[:, None], x, 0.0) / own for k in range(3)]
    level = y.mean()
    ridge = Ridge(alpha=1.0, fit_intercept=False).fit(np.hstack(blocks), y - level)
    for k in range(3):
        probe = [x / np.sqrt(SHARED_RIDGE)] + [x / own if j == k else np.zeros_like(x) for j in range(3)]
        np.testing.assert_allclose(head.mean(x)[:, k], level + ridge.predict(np.hstack(probe)), atol=1e-8)


def test_relatives_share_a_part_of_their_own():
    x, y, arm, _ = made(arms=4)
    family = [np.array([1, 3])]
    sums = gather(x, y[:, None], arm, 4)
    (head,), alone = solve(sums, family), likely_factor(sums, 0, family).arm

    def expanded(rows, arms):
        blocks = [rows / np.sqrt(SHARED_RIDGE)]
        blocks += [np.where(np.isin(arms, [1, 3])[:, None], rows, 0.0) / np.sqrt(FAMILY * alone)]
        ridges = [alone, OWN * alone, alone, OWN * alone]
        blocks += [np.where((arms == k)[:, None], rows, 0.0) / np.sqrt(ridges[k]) for k in range(4)]
        return np.hstack(blocks)

    level, design = y.mean(), expanded(x, arm)
    ridge = Ridge(alpha=1.0, fit_intercept=False).fit(design, y - level)
    inner = design[:, x.shape[1] :]
    covariance = np.linalg.inv(inner.T @ inner + np.eye(inner.shape[1]))
    for k in range(4):
        probe = expanded(x, np.full(len(x), k))
        np.testing.assert_allclose(head.mean(x)[:, k], level + ridge.predict(probe), atol=1e-8)
        own = probe[:, x.shape[1] :]
        doubt = np.sqrt(np.einsum("nd,de,ne->n", own, covariance, own))
        np.testing.assert_allclose(head.doubt(x)[:, k], doubt, rtol=1e-5)


def test_a_new_effort_learns_from_the_others_of_its_model():
    rng = np.random.default_rng(7)
    errors = []
    for _ in range(40):
        x = np.hstack([rng.normal(size=(640, 19)), np.full((640, 1), CONSTANT)])
        arm = np.repeat([0, 1, 2], [300, 300, 40])
        model = rng.normal(size=20) * 0.2
        # What sets an effort apart is half as large as what sets its model apart from others.
        coef = np.stack([rng.normal(size=20) * 0.2, model, model + rng.normal(size=20) * 0.1])
        y = np.einsum("nd,nd->n", x, coef[arm]) + rng.normal(size=640)
        sums = gather(x, y[:, None], arm, 3)
        errors.append(
            [
                np.mean((head.mean(x)[:, 2] - x @ coef[2]) ** 2)
                for (head,) in (solve(sums), solve(sums, [np.array([1, 2])]))
            ]
        )
    alone, together = np.mean(errors, axis=0)
    assert together < 0.8 * alone


def test_arms_of_one_model_are_relatives():
    arms = [
        Arm(id=name, provider="openai", model="m", of=of)
        for name, of in (("a", None), ("b", None), ("a:low", "a"), ("c", None), ("a:high", "a"))
    ]
    assert [family.tolist() for family in relatives(arms)] == [[0, 2, 4]]


def dense_surprise(x, y, arm, ridge, family=()):
    """-2 ln of the likelihood of all outcomes given the ridge, by their covariance, for the most likely noise."""
    same, related = arm[:, None] == arm[None, :], np.isin(arm, family)
    own = same / np.where(related, OWN * ridge, ridge) + np.outer(related, related) / (FAMILY * ridge)
    covariance = np.eye(len(y)) + (x @ x.T) * (1.0 / SHARED_RIDGE + own)
    residual = y - y.mean()
    left = residual @ np.linalg.solve(covariance, residual)
    return len(y) * np.log(left / len(y)) + np.linalg.slogdet(covariance)[1]


@pytest.mark.parametrize(
    ("own", "steps", "family"), [(0.5, -2, []), (0.15, 0, []), (0.0, 2, []), (0.5, -2, [0, 2])]
)
def test_ridge_of_the_arms_lies_halfway_to_the_most_likely_one(own, steps, family):
    rng = np.random.default_rng(5)
    x, _, arm, _ = made()
    coef = rng.normal(size=6) + own * rng.normal(size=(3, 6))
    y = np.einsum("nd,nd->n", x, coef[arm]) + rng.normal(size=len(x))
    tried = range(-4, 5)
    surprises = [dense_surprise(x, y, arm, ARM_RIDGE * STEP**step, family) + step**2 for step in tried]
    assert tried[int(np.argmin(surprises))] == steps
    families = [np.array(family)] if family else []
    assert likely_factor(gather(x, y[:, None], arm, 3), 0, families).arm == pytest.approx(
        ARM_RIDGE * STEP ** (steps / 2)
    )


def test_sums_of_parts_add_up_to_those_of_the_whole():
    x, y, arm, _ = made()
    columns = np.column_stack([y, y**2, np.where(y > 0, y, np.nan), np.full_like(y, np.nan)])
    whole = gather(x, columns, arm, 3)
    early, late = gather(x[:150], columns[:150], arm[:150], 3), gather(x[150:], columns[150:], arm[150:], 3)
    for sums in (early + late, late + early, whole - early + early):
        heads = solve(sums)
        assert heads[3] is None
        for head, expected in zip(heads[:3], solve(whole)[:3], strict=True):
            assert head is not None
            assert expected is not None
            np.testing.assert_allclose(head.coef, expected.coef, atol=1e-10)
            assert head.noise == pytest.approx(expected.noise)


def test_targets_of_one_call_are_solved_as_each_alone():
    x, y, arm, _ = made()
    columns = np.column_stack([y, 1.0 - 2.0 * y, np.where(y > 0, y, np.nan)])
    together = solve(gather(x, columns, arm, 3))
    for head, column in zip(together, columns.T, strict=True):
        alone = fit_linear(x, column, arm, 3)
        assert head is not None
        assert alone is not None
        np.testing.assert_allclose(head.mean(x), alone.mean(x), atol=1e-10)
        np.testing.assert_allclose(head.se(x), alone.se(x), rtol=1e-6)
    assert together[0].spread is together[1].spread
    assert together[0].spread is not together[2].spread


def test_faded_arm_counts_as_rows_of_less_weight():
    x, y, arm, _ = made()
    weight = np.where(arm == 1, 0.1, 1.0)
    expected = gather(x, y[:, None], arm, 3, weight)
    found = gather(x, y[:, None], arm, 3).scaled(np.array([1.0, 0.1, 1.0]))
    for name in ("moment", "square", "total", "rows"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name))
    np.testing.assert_allclose(found.gram[0], expected.gram[0])


def test_standard_errors_cover_the_true_mean():
    """z of the true mean has a root mean square near 1 when coefficients come from the prior."""
    rng = np.random.default_rng(3)
    squares = []
    for _ in range(60):
        size, arms, n, noise = 5, 3, 240, 0.5
        shared = rng.normal(size=size) * noise / np.sqrt(SHARED_RIDGE)
        coef = shared + rng.normal(size=(arms, size)) * noise / np.sqrt(ARM_RIDGE)
        x = np.hstack([rng.normal(size=(n, size - 1)), np.full((n, 1), CONSTANT)])
        arm = rng.integers(arms, size=n)
        y = np.einsum("nd,nd->n", x, coef[arm]) + rng.normal(size=n) * noise
        head = fit_linear(x, y, arm, arms)
        assert head is not None
        fresh = np.hstack([rng.normal(size=(50, size - 1)), np.full((50, 1), CONSTANT)])
        squares.append(np.mean(((head.mean(fresh) - fresh @ coef.T) / head.se(fresh)) ** 2))
    assert 0.8 < np.sqrt(np.mean(squares)) < 1.2


def test_unknown_targets_are_left_out_and_none_gives_no_head():
    x, y, arm, _ = made()
    blank = y.copy()
    blank[::2] = np.nan
    some, fewer = fit_linear(x, blank, arm, 3), fit_linear(x[1::2], y[1::2], arm[1::2], 3)
    assert some is not None
    assert fewer is not None
    np.testing.assert_allclose(some.coef, fewer.coef)
    assert fit_linear(x, np.full_like(y, np.nan), arm, 3) is None
    assert fit_log(x, np.full_like(y, np.nan), arm, 3) is None


def test_arm_without_rows_is_forecast_from_the_others_with_more_doubt():
    x, y, arm, _ = made(arms=2)
    head = fit_linear(x, y, arm, 3)
    assert head is not None
    assert head.rows.tolist()[2] == 0
    assert (head.se(x)[:, 2] > head.se(x)[:, 0]).all()


def test_log_head_gives_mean_and_upper_quantile_in_the_unit():
    rng = np.random.default_rng(4)
    n = 6000
    x, arm = np.full((n, 1), CONSTANT), rng.integers(2, size=n)
    y = np.exp(np.where(arm == 0, -3.0, 0.5) + rng.normal(size=n) * 0.6)
    head = fit_log(x, y, arm, 2)
    assert head is not None
    np.testing.assert_allclose(head.mean(x[:1])[0], [y[arm == k].mean() for k in range(2)], rtol=0.05)
    np.testing.assert_allclose(
        (head.estimate(x[:1])[0] * head.tail)[0],
        [np.quantile(y[arm == k], 0.95) for k in range(2)],
        rtol=0.05,
    )


def test_upper_quantile_covers_answers_that_were_not_seen():
    rng = np.random.default_rng(6)
    arms, size, covered = 3, 20, []

    def times(n):
        x = np.hstack([rng.normal(size=(n, size - 1)), np.full((n, 1), CONSTANT)])
        arm = rng.integers(arms, size=n)
        return x, np.exp(0.2 * x[:, :4].sum(axis=1) + rng.normal(size=n)), arm

    for _ in range(10):
        head = fit_log(*times(200), arms)
        x, y, arm = times(1000)
        covered.append((y <= (head.mean(x) * head.tail)[np.arange(len(y)), arm]).mean())
    assert 0.93 < np.mean(covered) < 0.97


def test_constant_zero_cost_is_forecast_as_nothing():
    x, _, arm, _ = made()
    head = fit_log(x, np.zeros(len(x)), arm, 3)
    assert head is not None
    assert head.mean(x).max() < 1e-8


@pytest.mark.parametrize("values", [[0.0, 0.5, 1.0], [0.0, 1.0], [0.5, 1.0]])
def test_classes_agree_with_scikit_learn(values):
    x, y, arm, _ = made()
    liking = np.array(values)[np.digitize(y, np.quantile(y, np.linspace(0, 1, len(values) + 1)[1:-1]))]
    head = fit_classes(x, liking, arm, 3)
    assert head is not None
    category = np.digitize(liking, [0.375, 0.625])
    reference = LogisticRegression(C=0.3, max_iter=1000).fit(np.hstack([x, np.eye(3)[arm]]), category)
    column = reference.classes_.tolist().index(2)
    for k in range(3):
        expected = reference.predict_proba(np.hstack([x, np.tile(np.eye(3)[k], (len(x), 1))]))[:, column]
        np.testing.assert_allclose(head.good(x)[:, k], expected, atol=3e-4)


def test_classes_need_two_categories():
    x, _, arm, _ = made()
    assert fit_classes(x, np.ones(len(x)), arm, 3) is None
