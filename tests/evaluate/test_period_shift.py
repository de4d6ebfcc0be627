"""The look for drift, where the truth is known: how often it is wrong, and what it misses."""

from __future__ import annotations

import numpy as np
import pytest

from zetaroute.evaluate.period_shift import LEVEL, Period, accuracy_shift, find_shifts, mix_shift

KINDS = np.array(["dates", "sorting", "stories", "counting"])
EVEN = np.full(4, 0.25)
RIGHT = np.array([[0.9, 0.6, 0.3, 0.7], [0.95, 0.8, 0.6, 0.8], [0.95, 0.9, 0.9, 0.9]])


def drawn(rng, pmf: np.ndarray) -> np.ndarray:
    """Draw an arm from each row of probabilities."""
    return (pmf.cumsum(axis=1)[:, :-1] < rng.random((len(pmf), 1))).sum(axis=1)


def period(rng, rows, *, mix=EVEN, right=RIGHT, sharp=0.0, rate=0.1):
    """Draw a period. Each query has a hardness of its own, and `sharp` policies send hard ones to the last model."""
    kind = rng.choice(4, size=rows, p=mix)
    hard = rng.uniform(-0.3, 0.3, rows)
    scores = np.stack([np.full(rows, 0.3), np.full(rows, 0.2), np.full(rows, 0.1)], axis=1)
    scores[:, 2] += sharp * hard
    scores[:, 0] -= sharp * hard
    greedy = np.eye(3)[scores.argmax(axis=1)]
    pmf = (1 - rate) * greedy + rate / 3 if sharp else np.full((rows, 3), 1 / 3)
    arm = drawn(rng, pmf)
    p = np.clip(right[arm, kind] - hard, 0, 1)
    return Period(
        kind=KINDS[kind],
        arm=arm,
        accuracy=(rng.random(rows) < p).astype(float),
        pmf=pmf,
    )


@pytest.mark.parametrize(("first", "second"), [(0.0, 0.0), (0.0, 3.0), (3.0, 3.0)])
def test_false_alarms_are_rare_even_when_the_routing_changes(first, second):
    alarms = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        alarms += bool(find_shifts(period(rng, 500, sharp=first), period(rng, 400, sharp=second, rate=0.2)))
    # 300 looks at LEVEL raise 0.3 alarms; four or more would come about once in 3,000 such tests.
    assert alarms <= 3


def test_the_level_of_each_test_holds():
    p_mix, p_accuracy = [], []
    for seed in range(400):
        rng = np.random.default_rng([seed, 1])
        one, two = period(rng, 400), period(rng, 300)
        mix, accuracy = mix_shift(one.kind, two.kind), accuracy_shift(one, two, 0)
        assert mix is not None
        assert accuracy is not None
        p_mix.append(mix.p)
        p_accuracy.append(accuracy.p)
    for found in (p_mix, p_accuracy):
        # Binomial: 5% of 400 is 20, with a standard deviation of 4.4.
        assert np.mean(np.array(found) < 0.05) <= 0.085
    assert np.mean(np.array(p_mix) < 0.5) == pytest.approx(0.5, abs=0.08)


def test_a_model_that_got_worse_is_named():
    worse = RIGHT.copy()
    worse[1] -= 0.3
    found = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        shifts = find_shifts(period(rng, 900), period(rng, 600, right=worse))
        assert {shift.arm for shift in shifts} <= {1}
        found += any(shift.change < -0.15 for shift in shifts)
    assert found >= 38


def test_a_new_mix_is_named_with_the_kind_that_grew():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        new = period(rng, 300, mix=np.array([0.1, 0.15, 0.6, 0.15]))
        (shift,) = find_shifts(period(rng, 500), new)
        assert (shift.arm, shift.kind) == (None, "stories")
        assert shift.change == pytest.approx(0.35, abs=0.12)


def test_large_logs_do_not_alarm_over_trifles():
    rng = np.random.default_rng(0)
    old, new = period(rng, 20_000), period(rng, 20_000, mix=np.array([0.28, 0.24, 0.24, 0.24]))
    shift = mix_shift(old.kind, new.kind)
    assert shift is not None
    assert shift.p < LEVEL
    assert find_shifts(old, new) == []


def test_too_little_says_nothing():
    rng = np.random.default_rng(0)
    some, few = period(rng, 500), period(rng, 20)
    assert find_shifts(some, few) == []
    assert mix_shift(some.kind, few.kind) is None
    assert accuracy_shift(some, few, 0) is None
    pinned = Period(kind=some.kind, arm=some.arm, accuracy=some.accuracy, pmf=np.full((500, 3), np.nan))
    assert accuracy_shift(pinned, some, 0) is None


def test_kinds_that_are_new_or_gone_count():
    old, new = np.array(["a"] * 100), np.array(["b"] * 100)
    shift = mix_shift(old, new)
    assert shift is not None
    assert (shift.change, shift.p < 1e-9) == (1.0, True)
    assert mix_shift(old, old) is None
