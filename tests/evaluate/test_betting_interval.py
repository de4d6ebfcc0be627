"""The interval that is shown with a promotion holds at the very moment of it, where one of fixed n does not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from zetaroute.evaluate.betting_interval import betting_interval
from zetaroute.evaluate.e_process import GAINS, PROMOTES_AT, log_evidence, variances
from zetaroute.evaluate.scoring import design

UNIT, POINT = 0.01, 0.0001
DIFFER, AUDITS, SHARE = 0.4, 0.25, 0.5


def lines(rng, n: int, gain: float):
    """Draw lines of evidence whose mean is `gain` in USD: paired ones, and single ones by an even draw."""
    paired, differ = rng.random(n) < AUDITS, rng.random(n) < DIFFER
    base = rng.uniform(0.3, 0.6, n)
    chance = base + gain / UNIT / DIFFER
    before, after = (rng.random(n) < base) * UNIT, (rng.random(n) < chance) * UNIT
    took = rng.random(n) < SHARE
    expected = 0.45 * UNIT
    single = np.where(took, (after - expected) / SHARE, -(before - expected) / (1.0 - SHARE))
    psi = np.where(differ, np.where(paired, after - before, single), 0.0)
    worst = np.where(paired, UNIT, UNIT / SHARE)
    variance = variances(psi, paired, design=design(UNIT, SHARE), past=np.zeros((2, 2)))
    return {
        "gain": psi,
        "loss": -psi,
        "paired": paired,
        "variance": variance,
        "worst_gain": worst,
        "worst_loss": worst,
    }


def until(drawn, end: int):
    return {name: values[:end] for name, values in drawn.items()}


def test_it_holds_when_it_is_looked_at_because_of_a_promotion():
    rng = np.random.default_rng(1)
    truth, held, naive, promoted = 1.0 * POINT, 0, 0, 0
    for _ in range(150):
        drawn = lines(rng, 4000, truth)
        log = log_evidence(
            drawn["gain"], drawn["paired"], drawn["variance"], drawn["worst_gain"], POINT * np.array(GAINS)
        )
        passed = np.flatnonzero(log >= math.log(PROMOTES_AT))
        if not len(passed):
            continue
        promoted += 1
        figure = betting_interval(**until(drawn, int(passed[0]) + 1), point=POINT)
        held += figure.low <= truth <= figure.high
        psi = drawn["gain"][: figure.n]
        naive += abs(psi.mean() - truth) <= 1.96 * psi.std(ddof=1) / math.sqrt(figure.n)
    assert promoted >= 20
    assert held >= 0.95 * promoted
    assert naive < 0.85 * promoted


@pytest.mark.parametrize("gain", [-3.0, 0.0, 3.0])
def test_it_holds_the_gain_and_narrows(gain):
    rng = np.random.default_rng(2)
    widths = []
    for n in (300, 3000):
        figures = [betting_interval(**lines(rng, n, gain * POINT), point=POINT) for _ in range(30)]
        assert sum(figure.low <= gain * POINT <= figure.high for figure in figures) >= 28
        assert all(figure.low < figure.value < figure.high for figure in figures)
        widths.append(np.mean([figure.high - figure.low for figure in figures]))
    assert widths[1] < 0.6 * widths[0]


def test_sides_exchanged_is_the_other_sign():
    drawn = lines(np.random.default_rng(3), 1000, 2.0 * POINT)
    there = betting_interval(**drawn, point=POINT)
    back = betting_interval(**{**drawn, "gain": drawn["loss"], "loss": drawn["gain"]}, point=POINT)
    assert (back.value, back.low, back.high) == pytest.approx((-there.value, -there.high, -there.low))


def test_grades_that_never_came_widen_it_to_both_sides():
    drawn = lines(np.random.default_rng(4), 1000, 0.0)
    lost = np.arange(1000) % 20 == 0
    gain = np.where(lost, -drawn["worst_gain"], drawn["gain"])
    loss = np.where(lost, -drawn["worst_loss"], drawn["loss"])
    whole = betting_interval(**drawn, point=POINT)
    some = betting_interval(**{**drawn, "gain": gain, "loss": loss}, point=POINT)
    assert some.low < whole.low
    assert some.high > whole.high


def test_few_lines_end_where_no_gain_can_be():
    drawn = lines(np.random.default_rng(5), 3, 0.0)
    figure = betting_interval(**drawn, point=POINT)
    assert (figure.low, figure.high) == (-drawn["worst_gain"].min(), drawn["worst_loss"].min())
    nothing = betting_interval(**until(drawn, 0), point=POINT)
    assert (nothing.value, nothing.low, nothing.high, nothing.n) == (None, None, None, 0)


def test_lines_on_which_nothing_is_bet_prove_nothing():
    drawn = lines(np.random.default_rng(6), 500, 5.0 * POINT)
    figure = betting_interval(**{**drawn, "variance": np.full(500, np.inf)}, point=POINT)
    assert (figure.low, figure.high) == (-drawn["worst_gain"].min(), drawn["worst_loss"].min())
