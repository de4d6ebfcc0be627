"""Known-bad logs are caught and named, good ones are left in peace."""

from __future__ import annotations

import numpy as np

from tests.evaluate.test_period_shift import drawn
from zetaroute.evaluate.log_checks import (
    check_clock,
    check_feedback,
    check_labels,
    check_propensities,
)


def names(findings) -> list[str]:
    return [finding.name for finding in findings]


def logged(rng, n: int):
    """Return drawn arms (n,) and their probabilities (n, 3)."""
    pmf = np.tile([0.8, 0.1, 0.1], (n, 1))
    return drawn(rng, pmf), pmf


def test_good_log_has_no_findings():
    assert not check_propensities(*logged(np.random.default_rng(61), 1000))
    assert not check_feedback(1000, 0)


def test_wrong_propensities_are_named():
    arm, pmf = logged(np.random.default_rng(62), 5000)
    found = check_propensities(arm, pmf * [1.0, 1 / 3, 1.0])
    assert names(found) == ["wrong-propensities"]
    assert found[0].refuses


def test_a_log_whose_propensities_are_right_is_hardly_ever_refused():
    rng = np.random.default_rng(63)
    pmf = rng.permuted(np.tile([0.97, 0.015, 0.015], (900, 1)), axis=1)
    assert not any(check_propensities(drawn(rng, pmf), pmf) for _ in range(1000))


def test_what_was_always_drawn_is_no_even_draw_and_what_was_impossible_is_none():
    third = np.full((200, 3), 1.0 / 3.0)
    always = np.zeros(200, dtype=np.int64)
    assert not check_propensities(always, third * [3.0, 0.0, 0.0])
    rare = np.tile([0.1, 0.45, 0.45], (200, 1))
    assert names(check_propensities(always, rare)) == ["wrong-propensities"]
    one = np.r_[always, 1]
    assert names(check_propensities(one, np.tile([1.0, 0.0, 0.0], (201, 1)))) == ["wrong-propensities"]


def test_feedback_sent_twice_is_named():
    (found,) = check_feedback(4, 1)
    assert found.name == "duplicate-feedback"
    assert found.words.startswith("1 of 4 feedback entries")


def test_clock_that_was_set_back_is_named():
    found = check_clock(0, -5.0, 100, 3600.0)
    assert names(found) == ["clock-backwards"]
    assert found[0].words.startswith("100 rows are up to 3600 s older")


def test_rows_from_the_future_are_named():
    found = check_clock(2, 172_800.0, 0, 0.0)
    assert names(found) == ["future-rows"]
    assert found[0].words.startswith("2 rows are from the future, by up to 2.0 days")


def test_labels_that_come_late_are_named():
    found = check_labels(100, 0.2, 1.0)
    assert names(found) == ["delayed-labels"]
    assert "of the newest 100 rows 20% have a known accuracy, of the older ones 100%" in found[0].words
    assert not check_labels(100, 0.28, 0.3)
    assert not check_labels(49, 0.0, 1.0)
