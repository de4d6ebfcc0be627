"""The verdict follows from the figures, and many looks together stay within the promised error."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.evaluate.test_ope import world
from zetaroute.evaluate.gate import ALPHA, Margin, collapsed_model, judge, reach, spent_level
from zetaroute.evaluate.log_checks import LogFault
from zetaroute.evaluate.nonresponse import after_columns, rated_difference
from zetaroute.evaluate.ope import Difference, PairedDR, Support, support
from zetaroute.evaluate.subgroups import Segment

GOOD = Support(
    hits=200, effective_sample_size=150.0, disagreement=0.4, largest_weight=9.0, propensities_consistent=True
)


def change(mean: float, se: float) -> Difference:
    return Difference(mean=mean, se=se, degrees=199.0, n=1000, hits=200, ips=mean, snips=mean, model=mean)


def verdict(utility, *, margins=(), seen=GOOD, tests=0, tested=0, holdout=1000, **more):
    return judge(
        utility=utility,
        margins=margins,
        support=seen,
        tests_before=tests,
        tested_rows=tested,
        holdout_rows=holdout,
        **more,
    )


def accuracy(mean: float, se: float) -> Margin:
    return Margin(name="accuracy_rate", difference=change(mean, se), most=0.02, higher_is_better=True)


def test_clear_gain_is_promoted():
    found = verdict(change(0.01, 0.001), margins=[accuracy(0.05, 0.01)])
    assert found.word == "PROMOTE"
    assert found.tested


def test_gain_in_utility_does_not_buy_a_loss_in_accuracy():
    assert verdict(change(0.01, 0.001), margins=[accuracy(-0.10, 0.01)]).word == "REJECT"
    assert verdict(change(0.01, 0.001), margins=[accuracy(-0.01, 0.02)]).word == "INSUFFICIENT"


@pytest.mark.parametrize("liked", [0.0, 0.01, 1.0])
@pytest.mark.parametrize("utility", [0.0, 0.0005, -0.0005])
def test_satisfaction_carries_nothing(utility, liked):
    """However much better the ratings are, what is not proven without them stays unproven."""
    found = verdict(change(utility, 0.001), satisfaction_usd=change(liked, 0.0001))
    assert found == verdict(change(utility, 0.001))
    assert found.word == "INSUFFICIENT"


@pytest.mark.parametrize(
    ("loss", "se", "word"),
    [
        (-0.02, 0.002, "REJECT"),
        (-0.02, 0.008, "PROMOTE"),
        (-0.005, 0.001, "PROMOTE"),
        (0.02, 0.002, "PROMOTE"),
    ],
    ids=["sure and larger", "unsure", "smaller than the gain", "gain"],
)
def test_satisfaction_stops_what_surely_loses_more_by_it_than_it_gains(loss, se, word):
    found = verdict(change(0.01, 0.001), satisfaction_usd=change(loss, se))
    assert found.word == word
    assert ("satisfaction falls" in found.reasons[0]) == (word == "REJECT")


def test_satisfaction_of_which_nothing_is_known_stops_nothing():
    unknown = change(0.0, math.inf)
    for worth in (0.0, 0.002):
        assert verdict(change(0.01, 0.001), satisfaction_usd=unknown.times(worth)).word == "PROMOTE"


def test_candidate_that_is_only_better_rated_is_hardly_ever_promoted():
    """Equal in everything that is measured, and every rating of its answers is a perfect one."""
    rng = np.random.default_rng(23)
    promoted, liking = 0, []
    for _ in range(100):
        rows, _, _, _ = world(rng, 1000)
        reward = (rng.random(1000) < 0.6).astype(float)
        gains = rows.arm == rows.after
        liked = np.where(rng.random(1000) < 0.3, gains.astype(float), np.nan)
        satisfaction = rated_difference(rows, liked, after=after_columns({"accuracy": reward}))
        liking.append(satisfaction.difference.mean)
        found = verdict(
            PairedDR(rows, reward, bounded=True).difference(),
            seen=support(rows),
            satisfaction_usd=satisfaction.difference,
        )
        promoted += found.word == "PROMOTE"
    assert np.mean(liking) == pytest.approx(0.5, abs=0.05)
    assert promoted <= 6  # 1.25% are allowed; 7 of 100 would be seen in one run of a thousand


def test_clear_loss_is_rejected():
    assert verdict(change(-0.01, 0.001)).word == "REJECT"


def test_unclear_gain_says_how_many_rows_it_would_take():
    found = verdict(change(0.001, 0.001))
    assert found.word == "INSUFFICIENT"
    assert found.rows_needed is not None
    assert found.rows_needed > 1000
    assert found.detectable_usd == pytest.approx((2.2414 + 0.84) * 0.001, rel=0.001)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (replace(GOOD, propensities_consistent=False), "propensities"),
        (replace(GOOD, hits=19), "19 held-out rows"),
        (replace(GOOD, disagreement=0.0, hits=0), "same model"),
    ],
)
def test_log_that_cannot_carry_a_judgement_spends_no_test(seen, words):
    found = verdict(change(0.01, 0.001), seen=seen)
    assert (found.word, found.tested) == ("INSUFFICIENT", False)
    assert words in found.reasons[0]


def test_holdout_must_grow_before_it_is_tested_again():
    found = verdict(change(0.01, 0.001), tests=1, tested=900, holdout=1000)
    assert (found.word, found.tested) == ("INSUFFICIENT", False)
    assert verdict(change(0.01, 0.001), tests=1, tested=600, holdout=1000).word == "PROMOTE"


def test_levels_of_all_tests_sum_to_alpha():
    assert math.fsum(spent_level(k) for k in range(1, 100_000)) == pytest.approx(ALPHA, rel=1e-4)


def test_policies_that_are_equally_good_are_seldom_promoted_over_many_looks():
    """A/A: arms differ only by name, the holdout grows, every look is judged."""
    rng = np.random.default_rng(21)
    promoted = 0
    for _ in range(120):
        rows, _, _, _ = world(rng, 3000)
        reward = (rng.random(3000) < 0.6).astype(float)
        tests, tested = 0, 0
        for n in (300, 450, 700, 1050, 1600, 2400, 3000):
            part = rows.take(np.arange(n))
            found = judge(
                utility=PairedDR(part, reward[:n], bounded=True).difference(),
                margins=(),
                support=support(part),
                tests_before=tests,
                tested_rows=tested,
                holdout_rows=n,
            )
            if found.tested:
                tests, tested = tests + 1, n
            if found.word == "PROMOTE":
                promoted += 1
                break
    # 5% are allowed; 12 of 120 would be seen in less than one run of a hundred at 5%.
    assert promoted <= 12


def test_real_gain_is_found():
    rng = np.random.default_rng(22)
    found = 0
    for _ in range(40):
        rows, reward, _, _ = world(rng, 2000)
        found += (
            verdict(PairedDR(rows, reward, bounded=True).difference(), seen=support(rows), holdout=2000).word
            == "PROMOTE"
        )
    assert found >= 30


@pytest.mark.parametrize(
    ("utility", "hits", "tests", "words"),
    [
        (change(0.001, 0.001), 200, 0, "power at the second test's level"),
        (change(0.01, 0.01), 5, 0, "hits to expect"),
        (change(0.002, 0.001), 200, 3, "power at the fifth test's level"),
    ],
)
def test_rows_that_are_announced_will_do(utility, hits, tests, words):
    found = verdict(utility, seen=replace(GOOD, hits=hits), tests=tests)
    next_level = spent_level(tests + 1 + found.tested)
    rows = found.rows_needed / 2
    assert reach(next_level) * utility.se * math.sqrt(1000 / rows) <= utility.mean, words
    assert hits * rows / 1000 >= 25


def test_what_is_announced_is_at_least_what_the_growth_rule_asks():
    found = verdict(change(0.004, 0.001), margins=[accuracy(-0.01, 0.02)])
    assert (found.word, found.rows_needed) == ("INSUFFICIENT", 3000)


def segment(name: str, *, harmed: bool) -> Segment:
    return Segment(name=name, difference=change(-0.01, 0.002), tested=True, harmed=harmed)


def test_harmed_segment_is_rejected_by_name_however_good_the_average():
    found = verdict(
        change(0.01, 0.001), segments=[segment("dates", harmed=True), segment("maths", harmed=False)]
    )
    assert found.word == "REJECT"
    assert "harms dates" in found.reasons[0]
    assert not any("maths" in reason for reason in found.reasons)


def test_promotion_says_how_much_the_check_for_harm_is_worth():
    found = verdict(change(0.01, 0.001), segments=[segment("dates", harmed=False)])
    assert found.word == "PROMOTE"
    assert "no harm was detected in 1 segment (this check is weak below 10,000 rows)" in found.reasons


def test_harm_is_seen_while_the_holdout_waits_to_grow():
    found = verdict(change(-0.01, 0.001), tests=1, tested=900, holdout=1000)
    assert (found.word, found.tested) == ("REJECT", False)


@pytest.mark.parametrize(
    ("before", "after", "model"),
    [
        ({"a": 0.6, "b": 0.4}, {"a": 0.03, "b": 0.97}, "b"),
        ({"a": 0.6, "b": 0.4}, {"a": 0.06, "b": 0.94}, None),
        ({"a": 0.99, "b": 0.01}, {"a": 0.0, "b": 1.0}, None),
        ({}, {}, None),
    ],
)
def test_collapse_is_a_spread_policy_that_becomes_one_model(before, after, model):
    assert collapsed_model(before, after) == model


def test_only_a_proven_gain_carries_a_collapse():
    carried = verdict(change(0.01, 0.001), collapse="b")
    hoped_for = verdict(change(0.001, 0.001), collapse="b")
    assert (carried.word, carried.collapse) == ("PROMOTE", None)
    assert (hoped_for.word, hoped_for.collapse) == ("INSUFFICIENT", "b")
    assert any("no proven gain carries that" in reason for reason in hoped_for.reasons)


def test_log_with_a_fault_is_not_judged():
    leak = LogFault(name="leak", words="trained on it", refuses=True)
    late = LogFault(name="delayed-labels", words="late", refuses=False)
    assert verdict(change(0.01, 0.001), findings=[late]).word == "PROMOTE"
    found = verdict(change(0.01, 0.001), findings=[late, leak])
    assert (found.word, found.tested, found.reasons) == ("INSUFFICIENT", False, ("trained on it",))
