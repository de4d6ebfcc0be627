"""Lines of evidence hold by what was known before each; a missing grade is the worst for gain and loss alike."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest

from tests.support.contests import HIGH, LOW, columns_of, drawn, lines_of, nothing_yet
from zetaroute.domain import LARGEST_SHARE, LEAST_SHARE, PROVEN_SHARE, PROVING_SHARE, PROVING_UNITS
from zetaroute.evaluate.e_process import PROMOTES_AT, ROLLS_BACK_AT
from zetaroute.evaluate.scoring import Decided, design, found_in


def queries(rows=400, *, gain=0.0, share=0.5, audits=0.25, seed=0) -> Decided:
    return drawn(np.random.default_rng(seed), rows, gain=gain, share=share, audits=audits)[0]


def part(decided: Decided, rows: slice) -> Decided:
    return Decided(**{field.name: getattr(decided, field.name)[rows] for field in fields(Decided)})


def found(decided: Decided, made, mine=None):
    columns = columns_of(decided, made)
    chosen = np.ones(len(decided.share), dtype=bool) if mine is None else mine
    return found_in(columns, mine=chosen, answer_value_usd=1.0, margin=0.02, earlier=1.0)


def test_nothing_is_scored_below_its_bounds_even_where_grades_are_missing():
    decided = queries(3000, seed=3)
    lost = np.random.default_rng(1).random(3000) < 0.3
    holes = {
        f"{side}_{what}": np.where(lost, math.nan, getattr(decided, f"{side}_{what}"))
        for side in ("champion", "challenger")
        for what in ("utility", "right")
    }
    wild = replace(
        decided, **holes, champion_usd=decided.champion_usd * 9, challenger_accuracy=-decided.share
    )
    made = lines_of(wild)
    assert (made.gain_usd >= -made.worst_gain_usd - 1e-9).all()
    assert (made.loss_usd >= -made.worst_loss_usd - 1e-9).all()
    assert (made.gain_accuracy >= -made.worst_accuracy - 1e-9).all()
    asked = decided.champion_asked | decided.challenger_asked
    assert made.missing.tolist() == (lost & asked).tolist()
    assert (made.gain_usd <= -made.loss_usd + 1e-12).all()
    assert (made.gain_usd[~made.missing] == -made.loss_usd[~made.missing]).all()


def test_a_missing_grade_of_a_pair_is_the_best_of_one_side_and_the_worst_of_the_other():
    decided = replace(
        part(queries(50, audits=1.0), slice(0, 1)),
        champion=np.array([0]),
        challenger=np.array([1]),
        champion_asked=np.array([True]),
        challenger_asked=np.array([True]),
        champion_utility=np.array([0.5]),
        champion_right=np.array([1.0]),
        challenger_utility=np.array([math.nan]),
        challenger_right=np.array([math.nan]),
    )
    made = lines_of(decided)
    assert made.gain_usd == pytest.approx([LOW[1] - 0.5])
    assert made.loss_usd == pytest.approx([-(HIGH[1] - 0.5)])
    assert made.gain_accuracy == pytest.approx([-1.0])


def test_utilities_outside_their_range_are_clipped_and_told():
    decided = replace(queries(40, audits=1.0), challenger_utility=np.full(40, -5.0))
    made = lines_of(decided)
    apart = decided.champion != decided.challenger
    assert made.clipped.all()
    assert made.gain_usd[apart] == pytest.approx(LOW[1] - decided.champion_utility[apart])


def test_two_merges_score_as_one():
    decided = queries(400, gain=0.05)
    whole = lines_of(decided)
    first = lines_of(part(decided, slice(0, 150)))
    rest = part(decided, slice(150, 400))
    second = lines_of(rest, past=columns_of(part(decided, slice(0, 150)), first))
    for name in ("gain_usd", "loss_usd", "gain_accuracy", "variance_usd", "variance_accuracy"):
        together = np.concatenate([getattr(first, name), getattr(second, name)])
        assert together == pytest.approx(getattr(whole, name)), name


def test_a_line_knows_nothing_of_later_ones():
    decided = queries(60)
    later = decided.champion_utility.copy()
    later[30:] = 0.0
    other = lines_of(replace(decided, champion_utility=np.where(decided.champion_asked, later, math.nan)))
    made = lines_of(decided)
    assert (other.variance_usd[:31] == made.variance_usd[:31]).all()
    assert (other.variance_usd[31:] != made.variance_usd[31:]).any()


def test_harm_is_bet_on_by_the_share_of_each_line_and_not_by_the_last():
    decided, mine = queries(30, gain=-0.2), np.arange(31) < 30
    columns = columns_of(decided, lines_of(decided, bets=False))
    values = []
    for last in (0.25, 0.9):
        longer = {name: np.append(column, column[-1]) for name, column in columns.items()}
        longer["share"][-1] = last
        values.append(found_in(longer, mine=mine, answer_value_usd=1.0, margin=0.02, earlier=1.0)["harm"])
    assert values[0] == values[1] > 1.0


def test_before_bets_nothing_is_said_of_a_gain_while_harm_is_watched():
    decided = queries(1500, gain=-0.15, share=0.69)
    says = found(decided, lines_of(decided, bets=False))
    assert (says["e_value"], says["accuracy"]) == (pytest.approx(1.0), pytest.approx(1.0))
    assert says["harm"] >= ROLLS_BACK_AT


def test_gain_accuracy_and_harm_say_what_is_so():
    decided = queries(4000, gain=0.08)
    says = found(decided, lines_of(decided))
    assert says["e_value"] >= PROMOTES_AT
    assert says["accuracy"] >= PROMOTES_AT
    assert says["harm"] < 1.0
    assert (says["units"], says["paired"]) == (4000, int(decided.paired.sum()))
    assert says["own_mean_usd"] == pytest.approx(0.08, abs=0.04)


def test_harm_and_own_mean_are_those_of_the_challenger_of_now_and_the_gain_is_everybodys():
    bad, good = queries(1500, gain=-0.2), queries(1500, gain=0.1, seed=1)
    columns = {
        name: np.concatenate([before, columns_of(good, lines_of(good))[name]])
        for name, before in columns_of(bad, lines_of(bad)).items()
    }
    now = found_in(columns, mine=np.arange(3000) >= 1500, answer_value_usd=1.0, margin=0.02, earlier=1.0)
    old = found_in(columns, mine=np.arange(3000) < 1500, answer_value_usd=1.0, margin=0.02, earlier=1.0)
    assert now["harm"] < 1.0
    assert old["harm"] >= ROLLS_BACK_AT
    assert now["e_value"] == old["e_value"]
    assert now["own_mean_usd"] > 0.0 > old["own_mean_usd"]
    none = found_in(columns, mine=np.zeros(3000, dtype=bool), answer_value_usd=1.0, margin=0.02, earlier=1.0)
    assert (none["harm"], none["own_mean_usd"]) == (1.0, None)


def test_a_gain_that_was_proven_stays_proven_for_the_challenger_that_proved_it():
    good, bad = queries(1500, gain=0.1, seed=1), queries(1500, gain=-0.3)
    columns = {
        name: np.concatenate([before, columns_of(bad, lines_of(bad))[name]])
        for name, before in columns_of(good, lines_of(good)).items()
    }
    lines = np.arange(3000)
    best = found_in(columns, mine=lines < 1500, answer_value_usd=1.0, margin=0.02, earlier=1.0)
    assert best["e_value"] >= PROMOTES_AT > 1.0 > best["left"]
    alone = {name: column[:1500] for name, column in columns.items()}
    won = found_in(alone, mine=lines[:1500] >= 0, answer_value_usd=1.0, margin=0.02, earlier=1.0)
    assert (won["e_value"] >= PROMOTES_AT, won["left"]) == (True, 1.0)
    # A later challenger is judged by what is left when it comes, and a contest of another champion begins with that.
    later = found_in(columns, mine=lines == 2999, answer_value_usd=1.0, margin=0.02, earlier=1.0)
    assert later["e_value"] == pytest.approx(best["left"])
    little = found_in(columns, mine=lines < 1500, answer_value_usd=1.0, margin=0.02, earlier=1e-300)
    assert little["e_value"] == pytest.approx(1e-300 * best["left"])


def test_an_epoch_without_lines_says_nothing():
    says = found_in(
        nothing_yet(), mine=np.zeros(0, dtype=bool), answer_value_usd=1.0, margin=0.02, earlier=1.0
    )
    assert (says["units"], says["e_value"], says["harm"], says["accuracy"]) == (0, 1.0, 1.0, 1.0)


def test_an_answer_that_is_worth_nothing_breaks_nothing():
    decided = queries(50)
    made = lines_of(decided, answer_value_usd=0.0, low=np.zeros(2), high=np.zeros(2))
    says = found_in(
        columns_of(decided, made),
        mine=np.ones(50, dtype=bool),
        answer_value_usd=0.0,
        margin=0.02,
        earlier=1.0,
    )
    assert (says["e_value"], says["harm"]) == (pytest.approx(1.0), pytest.approx(1.0))


@pytest.mark.parametrize(("gain", "share"), [(0.3, LARGEST_SHARE), (-0.3, LEAST_SHARE)])
def test_share_follows_the_lines(gain, share):
    decided = queries(2000, gain=gain)
    assert (lines_of(decided).next_share == share).all()


def test_a_challenger_that_lost_what_it_may_is_given_nothing():
    decided, told = queries(20), []
    made = lines_of(decided, stopped=lambda gains, shares: told.append((gains, shares)) or True)
    assert (made.next_share == 0.0).all()
    assert told[0][0].tolist() == made.gain_usd.tolist()
    assert told[0][1].tolist() == decided.share.tolist()


def test_a_promoted_version_is_given_half_until_it_is_tested_and_nearly_all_then():
    decided = queries(PROVING_UNITS)
    before = part(decided, slice(0, PROVING_UNITS - 1))
    first = lines_of(before, promoted=True)
    assert (first.next_share == PROVING_SHARE).all()
    last = part(decided, slice(PROVING_UNITS - 1, PROVING_UNITS))
    assert lines_of(last, promoted=True, past=columns_of(before, first)).next_share == [PROVEN_SHARE]


def test_a_line_is_written_with_null_where_nothing_is_bet():
    line = lines_of(queries(5), bets=False).line(2)
    assert (line["variance_usd"], line["variance_accuracy"]) == (None, None)
    assert isinstance(line["missing"], bool)
    assert line["worst_gain_usd"] > 0.0


def test_design_is_wider_for_single_answers():
    single, paired = design(1.0, 0.5)
    assert single > paired > 0.0
