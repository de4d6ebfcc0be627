"""Judges: what kappa says of them, and accuracy from many judged and few true labels, where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from zetaroute.evaluate.intervals import mean_figure
from zetaroute.evaluate.judge_agreement import FEWEST_PAIRS, agreement, kappa, powered_mean
from zetaroute.evaluate.log_checks import check_judges

RIGHT = 0.7


def marked(rng, n: int, *, hit: float, false_alarm: float):
    """Return whether n answers are right, and what a judge says that sees it with these chances."""
    truth = (rng.random(n) < RIGHT).astype(float)
    says = (rng.random(n) < np.where(truth == 1.0, hit, false_alarm)).astype(float)
    return truth, says


def true_kappa(hit: float, false_alarm: float) -> float:
    says = RIGHT * hit + (1 - RIGHT) * false_alarm
    chance = RIGHT * says + (1 - RIGHT) * (1 - says)
    return (RIGHT * hit + (1 - RIGHT) * (1 - false_alarm) - chance) / (1 - chance)


@pytest.mark.parametrize(
    ("table", "value"),
    [
        ((20, 5, 10, 15), 0.4),  # Cohen's own kind of table: 35 of 50 agree, 25 by chance
        ((25, 0, 0, 25), 1.0),
        ((0, 25, 25, 0), -1.0),
        ((30, 0, 20, 0), 0.0),
        ((50, 0, 0, 0), None),
    ],
)
def test_kappa_of_known_tables(table, value):
    both, first, second, neither = table
    a = np.repeat([True, True, False, False], [both, first, second, neither])
    b = np.repeat([True, False, True, False], [both, first, second, neither])
    found = kappa(a, b)
    assert found.n == 50
    assert found.value == pytest.approx(value)


@pytest.mark.parametrize(("hit", "false_alarm"), [(0.9, 0.2), (0.7, 0.7), (0.8, 0.5)])
@pytest.mark.parametrize("n", [40, 300])
def test_interval_of_kappa_covers(hit, false_alarm, n):
    rng = np.random.default_rng([n, round(100 * hit)])
    truth = true_kappa(hit, false_alarm)
    inside = 0
    for _ in range(400):
        right, says = marked(rng, n, hit=hit, false_alarm=false_alarm)
        found = kappa(says == 1.0, right == 1.0)
        inside += found.low is not None and found.low <= truth <= found.high
    assert inside >= 0.92 * 400


def test_coin_is_named_and_a_good_judge_is_not():
    rng = np.random.default_rng(3)
    right, guess = marked(rng, 200, hit=0.7, false_alarm=0.7)
    _, good = right, np.where(rng.random(200) < 0.85, right, 1 - right)
    judges = {
        "coin": agreement(guess, right),
        "good": agreement(good, right),
        "young": agreement(guess[: FEWEST_PAIRS - 1], right[: FEWEST_PAIRS - 1]),
        "yes-sayer": agreement(np.ones(200), right),
        "of one kind": agreement(np.ones(200), np.ones(200)),
    }
    found = check_judges(judges)
    assert [finding.words.split()[2] for finding in found] == ["coin", "yes-sayer"]
    assert not any(finding.refuses for finding in found)


def test_graded_scores_have_a_correlation_and_bins():
    rng = np.random.default_rng(4)
    says = rng.random(3000)
    truth = (rng.random(3000) < says).astype(float)
    found = agreement(says, truth)
    assert found.correlation.low < np.corrcoef(says, truth)[0, 1] < found.correlation.high
    assert len(found.bins) == 5
    for one in found.bins:
        assert one.right.low <= one.judged <= one.right.high
    binary = agreement(np.round(says), truth)
    assert binary.correlation.value is None
    assert [one.judged for one in binary.bins] == [0.0, 1.0]


def powered(rng, n: int, more: int, **judge: float):
    """Return the powered and the classical figure, of n true labels and `more` answers that are judged alone."""
    truth, says = marked(rng, n + more, **judge)
    known = np.where(np.arange(n + more) < n, truth, np.nan)
    return powered_mean(known, says), mean_figure(truth[:n])


@pytest.mark.parametrize(
    ("judge", "narrower"),
    [
        ({"hit": 0.95, "false_alarm": 0.1}, 0.75),
        ({"hit": 0.6, "false_alarm": 0.05}, 0.95),
        ({"hit": 0.5, "false_alarm": 0.5}, 1.06),
        ({"hit": 1.0, "false_alarm": 1.0}, 1.06),
        ({"hit": 0.1, "false_alarm": 0.9}, 1.06),
    ],
    ids=["good", "biased", "coin", "yes-sayer", "contrary"],
)
@pytest.mark.parametrize(("n", "more"), [(50, 1000), (200, 400)])
def test_powered_mean_covers_and_is_no_worse_than_the_labels_alone(judge, narrower, n, more):
    rng = np.random.default_rng([n, round(100 * judge["hit"])])
    inside, widths, errors = 0, [], []
    for _ in range(400):
        found, classical = powered(rng, n, more, **judge)
        inside += found.low <= RIGHT <= found.high
        widths.append((found.high - found.low) / (classical.high - classical.low))
        errors.append(found.value - RIGHT)
    assert inside >= 0.915 * 400
    assert np.mean(widths) <= (narrower if n == 50 else 1.03)
    assert abs(np.mean(errors)) < 3.5 * np.std(errors) / np.sqrt(400)


def test_powered_mean_without_judgements_or_labels():
    known = np.array([1.0, 0.0, 1.0, 1.0] * 10)
    alone = powered_mean(known, np.ones(40))
    assert (alone.value, alone.n) == (pytest.approx(0.75), 40)
    assert powered_mean(np.full(40, np.nan), np.ones(40)).value is None
    assert powered_mean(known, np.full(40, np.nan)).value is None
    assert powered_mean(known[:19], np.ones(19)).value is None
