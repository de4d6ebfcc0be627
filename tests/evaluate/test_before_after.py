"""The table of before and after adds up, stays in range, covers a known truth, and is silent on few rows."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from zetaroute.domain import Figure, Objective
from zetaroute.evaluate.before_after import (
    FEWEST_HITS,
    BeforeAfter,
    SideRows,
    before_after,
    chance_of_seeing,
)
from zetaroute.evaluate.calibration_weights import calibration_weights

OBJECTIVE = Objective(answer_value_usd=0.01, second_value_usd=0.0005)
KPIS = ("accuracy_rate", "cost_per_query_usd", "mean_response_s")
BEFORE = {"accuracy_rate": 0.6, "cost_per_query_usd": 0.002, "mean_response_s": 2.0}
AFTER = {"accuracy_rate": 0.75, "cost_per_query_usd": 0.0005, "mean_response_s": 1.0}
DIFFER = 0.7
"""Share of the queries on which the policies differ."""


def contest(rng, n: int, *, audits: float = 0.1, share: float = 0.5, after=AFTER, leaning: float = 0.25):
    """Draw units whose difficulty steers answers, forecasts and the chance of being seen alike."""
    hard = rng.random(n) < 0.5
    differ = rng.random(n) < DIFFER
    # Queries that are hard go to the challenger more often: means of what was served are confounded.
    p_after = np.where(differ, share + np.where(hard, leaning, -leaning), 0.9)
    heads, coin = rng.random(n) < audits, rng.random(n)
    seen_after = heads | (coin < p_after)
    seen_before = np.where(differ, heads | (coin >= p_after), seen_after)
    p_before = np.where(differ, 1.0 - p_after, p_after)
    luck = rng.random(n)

    def side(means, seen, p):
        means = {name: np.where(differ, means[name], BEFORE[name]) for name in KPIS}
        right = (luck < means["accuracy_rate"] + np.where(hard, -0.2, 0.2)).astype(float)
        times = np.exp(0.5 * rng.normal(size=n) - 0.125)
        return SideRows(
            seen=seen,
            probability=audits + (1.0 - audits) * p,
            forecast=np.clip(means["accuracy_rate"] + np.where(hard, -0.1, 0.1), 0.0, 1.0),
            shares={"accuracy_rate": np.where(seen, right, np.nan)},
            amounts={
                name: np.where(seen, means[name] * times * np.where(hard, 1.2, 0.8), np.nan)
                for name in KPIS[1:]
            },
        )

    before = side(BEFORE, seen_before, p_before)
    other = side(after, seen_after, p_after)
    # Where both choose the same model there is one answer.
    one = {
        name: np.where(differ, values, (before.shares | before.amounts)[name])
        for name, values in (other.shares | other.amounts).items()
    }
    shares = {"accuracy_rate": one.pop("accuracy_rate")}
    return before, replace(other, shares=shares, amounts=one), differ


def with_utility(means):
    return means | {
        "utility_usd": OBJECTIVE.answer_value_usd * means["accuracy_rate"]
        - means["cost_per_query_usd"]
        - OBJECTIVE.second_value_usd * means["mean_response_s"]
    }


def truths(after=AFTER):
    old = with_utility(BEFORE)
    new = with_utility({name: DIFFER * after[name] + (1.0 - DIFFER) * BEFORE[name] for name in KPIS})
    return {
        "before": old,
        "after": new,
        "difference": {name: new[name] - old[name] for name in new},
    }


def tables(replications: int, n: int, seed: int, **options) -> list[BeforeAfter]:
    rng = np.random.default_rng(seed)
    return [before_after(*contest(rng, n, **options), OBJECTIVE) for _ in range(replications)]


@pytest.mark.parametrize(("n", "audits", "share"), [(150, 0.3, 0.5), (600, 0.1, 0.4), (600, 0.1, 0.7)])
def test_every_interval_covers_and_no_estimate_leans(n, audits, share):
    drawn = tables(300, n, seed=n, audits=audits, share=share)
    for column, truth in truths().items():
        for name, right in truth.items():
            figures = [getattr(table, column)[name] for table in drawn]
            held = np.mean([figure.low <= right <= figure.high for figure in figures])
            values = np.array([figure.value for figure in figures])
            assert held >= 0.92, (column, name)
            assert abs(values.mean() - right) < 4 * values.std() / math.sqrt(len(values)), (column, name)
            # Intervals that are far too wide would cover as well.
            width = np.mean([figure.high - figure.low for figure in figures])
            assert width < 7.0 * values.std(), (column, name)


def test_what_is_not_known_on_heads_is_weighed_by_what_is_known_of_all():
    rng = np.random.default_rng(2)
    n, audits = 200_000, 0.2
    differ = rng.random(n) < 0.5
    p = np.where(differ, rng.uniform(0.1, 0.5, n), rng.uniform(0.8, 1.0, n))
    heads = rng.random(n) < audits
    seen = heads | (rng.random(n) < p)
    chance = chance_of_seeing(heads=heads, audits=np.full(n, audits), p=np.where(heads, 0.6, p), alike=differ)
    weights = np.where(seen, 1.0 / chance, 0.0)
    for low in (0.1, 0.2, 0.4, 0.8, 0.9):
        here = (p > low) & (p < low + 0.1)
        assert weights[here].mean() == pytest.approx(1.0, abs=0.04)
    # Nearly as good as if p were known on heads too.
    known = np.where(seen, 1.0 / (audits + (1.0 - audits) * p), 0.0)
    assert (weights**2).mean() < 1.1 * (known**2).mean()


def test_weights_take_out_what_forecasts_tell():
    """With forecasts that know the answers, the error is that of the queries drawn, not of the coins."""

    def errors(knowing: bool):
        rng = np.random.default_rng(3)
        found = []
        for _ in range(200):
            before, after, differ = contest(rng, 300, leaning=0.0)
            right = (rng.random(300) < 0.5).astype(float)
            other = replace(
                after,
                forecast=right if knowing else np.full(300, 0.5),
                shares={"accuracy_rate": np.where(after.seen, right, np.nan)},
            )
            table = before_after(before, other, differ, OBJECTIVE)
            found.append(table.after["accuracy_rate"].value - right.mean())
        return float(np.std(found))

    assert errors(knowing=True) < 0.1 * errors(knowing=False)


def test_calibration_weights_bring_the_mean_of_the_forecasts_to_that_of_all():
    rng = np.random.default_rng(4)
    forecasts = rng.normal(size=(500, 3))
    forecasts -= forecasts.mean(axis=0)
    forecasts /= forecasts.std(axis=0)
    seen = rng.random(500) < 1.0 / (1.0 + np.exp(-forecasts[:, 0]))
    weights = calibration_weights(np.full(seen.sum(), 0.5), forecasts[seen])
    assert weights.sum() == pytest.approx(1.0)
    assert (weights > 0.0).all()
    assert forecasts[seen, 0].mean() > 0.3
    assert np.abs(weights @ forecasts[seen]).max() < 0.02


def test_the_two_sides_have_their_sign():
    before, after, differ = contest(np.random.default_rng(5), 3000)
    there = before_after(before, after, differ, OBJECTIVE)
    back = before_after(after, before, differ, OBJECTIVE)
    assert there.difference["accuracy_rate"].low > 0.0
    assert there.difference["cost_per_query_usd"].high < 0.0
    for name, figure in there.difference.items():
        other = back.difference[name]
        assert (other.value, other.low, other.high) == pytest.approx(
            (-figure.value, -figure.high, -figure.low), rel=1e-6, abs=1e-12
        )


def test_queries_on_which_the_policies_agree_do_not_blur_the_difference():
    """A tenth differs: the difference is far better known than two columns of their own would say."""
    rng = np.random.default_rng(6)
    before, after, differ = contest(rng, 2000, audits=0.3)
    differ = differ & (rng.random(2000) < 0.15)
    merged = replace(
        after,
        seen=np.where(differ, after.seen, before.seen),
        probability=np.where(differ, after.probability, before.probability),
        forecast=np.where(differ, after.forecast, before.forecast),
        shares={
            "accuracy_rate": np.where(differ, after.shares["accuracy_rate"], before.shares["accuracy_rate"])
        },
    )
    table = before_after(before, merged, differ, OBJECTIVE)
    old, new = table.before["accuracy_rate"], table.after["accuracy_rate"]
    apart = math.hypot(old.high - old.low, new.high - new.low)
    change = table.difference["accuracy_rate"]
    assert change.high - change.low < 0.6 * apart


def test_few_hits_are_refused_and_the_missing_rows_suffice():
    rng = np.random.default_rng(7)
    table = before_after(*contest(rng, 40), OBJECTIVE)
    assert min(table.hits_before, table.hits_after) < FEWEST_HITS
    assert table.difference["accuracy_rate"] == Figure(value=None, low=None, high=None, n=0)
    assert table.units_missing is not None
    enough = 0
    for _ in range(50):
        more = before_after(*contest(rng, 40 + table.units_missing), OBJECTIVE)
        enough += more.units_missing == 0
    assert enough >= 35


def test_a_column_is_refused_alone():
    before, after, differ = contest(np.random.default_rng(8), 300)
    hidden = replace(after, seen=after.seen & ~differ, probability=np.where(differ, 1e-3, after.probability))
    table = before_after(before, hidden, differ, OBJECTIVE)
    assert table.before["accuracy_rate"].value is not None
    assert table.after["accuracy_rate"].value is None
    assert table.difference["accuracy_rate"].value is None
    assert table.hits_after == 0
    assert table.units_missing is not None
    assert table.units_missing > 10_000


def test_policies_that_never_differ_have_no_table_and_no_number_that_would_do():
    before, _, differ = contest(np.random.default_rng(9), 300)
    table = before_after(before, before, np.zeros_like(differ), OBJECTIVE)
    assert {figure.value for figure in table.difference.values()} == {None}
    assert table.units_missing is None
    nothing = before_after(
        before.take(differ & ~differ), before.take(differ & ~differ), differ[:0], OBJECTIVE
    )
    assert nothing.units_missing is None


def test_a_share_of_all_right_has_a_width_and_no_cost_seen_is_not_none():
    before, after, differ = contest(np.random.default_rng(10), 200)
    perfect = replace(
        after,
        shares={"accuracy_rate": np.ones(200)},
        amounts=after.amounts | {"cost_per_query_usd": np.zeros(200)},
    )
    table = before_after(before, perfect, differ, OBJECTIVE)
    accuracy, cost = table.after["accuracy_rate"], table.after["cost_per_query_usd"]
    assert accuracy.value == pytest.approx(1.0)
    assert 0.9 < accuracy.low < 0.99
    assert cost.value == 0.0
    assert 0.0 < cost.high < np.nanmax(before.amounts["cost_per_query_usd"])


def test_computed_costs_are_known_of_every_unit():
    before, after, differ = contest(np.random.default_rng(11), 400)
    cost = np.random.default_rng(12).exponential(size=400)
    known = replace(
        after,
        amounts=after.amounts | {"cost_per_query_usd": cost},
        computed=frozenset({"cost_per_query_usd"}),
    )
    table = before_after(before, known, differ, OBJECTIVE)
    assert table.after["cost_per_query_usd"].value == pytest.approx(cost.mean())
    assert table.after["cost_per_query_usd"].n == 400
    free = before_after(
        *(
            replace(
                side,
                amounts=side.amounts | {"cost_per_query_usd": np.zeros(400)},
                computed=frozenset({"cost_per_query_usd"}),
            )
            for side in (before, after)
        ),
        differ,
        OBJECTIVE,
    )
    assert free.difference["cost_per_query_usd"] == Figure(value=0.0, low=0.0, high=0.0, n=400)


def test_what_no_row_tells_is_left_out_of_the_utility_by_name():
    before, after, differ = contest(np.random.default_rng(13), 400)
    timeless = replace(after, amounts=after.amounts | {"mean_response_s": np.full(400, np.nan)})
    table = before_after(before, timeless, differ, OBJECTIVE)
    assert table.left_out == ("mean_response_s",)
    assert table.after["mean_response_s"].value is None
    assert table.before["utility_usd"].value == pytest.approx(
        OBJECTIVE.answer_value_usd * table.before["accuracy_rate"].value
        - table.before["cost_per_query_usd"].value
    )


def test_a_part_of_the_units_has_a_table_of_its_own():
    before, after, differ = contest(np.random.default_rng(14), 900)
    half = np.arange(900) % 2 == 0
    part = before_after(before.take(half), after.take(half), differ[half], OBJECTIVE)
    whole = before_after(before, after, differ, OBJECTIVE)
    assert part.hits_before < whole.hits_before
    assert part.difference["utility_usd"].value is not None


def odd_side(rng, n: int, seen, probability) -> SideRows:
    """Return what a small log may hold: extreme rates, ties, costs of nothing, missing times, mad forecasts."""
    rate = rng.choice([0.0, 1.0, 0.5, 0.03, 0.97, rng.random()])
    right = (rng.random(n) < rate).astype(float)
    costs = (
        np.zeros(n),
        np.full(n, 0.003),
        1e-4 * np.exp(3.0 * rng.normal(size=n)),
        np.where(rng.random(n) < 0.05, 0.1, 0.0),
        rng.choice([1e-9, 5.0], n),
    )
    seconds = np.where(rng.random(n) < rng.choice([0.0, 0.5, 1.0]), np.nan, np.exp(rng.normal(size=n)))
    graded = rng.choice([0.0, 0.25, 0.5, 0.75, 1.0], n)
    forecasts = (np.zeros(n), rng.random(n), np.round(rng.random(n)), 1e6 * rng.normal(size=n))
    return SideRows(
        seen=seen,
        probability=probability,
        forecast=forecasts[rng.integers(len(forecasts))],
        shares={
            "accuracy_rate": graded if rng.random() < 0.2 else right,
            "satisfaction_score": np.where(rng.random(n) < rng.choice([0.0, 0.1, 0.6, 1.0]), graded, np.nan),
        },
        amounts={"cost_per_query_usd": costs[rng.integers(len(costs))], "mean_response_s": seconds},
        computed=frozenset({"cost_per_query_usd"} if rng.random() < 0.3 else ()),
    )


def odd_table(rng) -> BeforeAfter:
    n = int(rng.integers(1, 61))
    audits = rng.choice([0.0, 0.05, 0.3, 1.0])
    differ = rng.random(n) < rng.choice([0.0, 0.5, 1.0])
    p_before = audits + (1.0 - audits) * rng.choice([0.02, 0.5, 0.95], n)
    p_after = np.where(differ, audits + (1.0 - audits) * rng.choice([0.05, 0.5, 0.9], n), p_before)
    seen = rng.random(n) < p_before
    other = np.where(differ, rng.random(n) < p_after, seen)
    return before_after(odd_side(rng, n, seen, p_before), odd_side(rng, n, other, p_after), differ, OBJECTIVE)


RANGES = {
    "accuracy_rate": (0.0, 1.0),
    "satisfaction_score": (0.0, 1.0),
    "cost_per_query_usd": (0.0, math.inf),
    "mean_response_s": (0.0, math.inf),
    "utility_usd": (-math.inf, OBJECTIVE.answer_value_usd),
}


def check(table: BeforeAfter) -> int:
    """Check that every figure can be and that all add up; return how many there are."""
    shown = 0
    for name, (least, most) in RANGES.items():
        before, after, change = (getattr(table, side)[name] for side in ("before", "after", "difference"))
        reach = most - least
        for figure, low, high in ((before, least, most), (after, least, most), (change, -reach, reach)):
            if figure.value is None:
                assert (figure.low, figure.high) == (None, None)
                continue
            shown += 1
            assert all(math.isfinite(value) for value in (figure.value, figure.low, figure.high))
            assert low <= figure.low <= figure.value <= figure.high <= high
        assert (change.value is None) == (before.value is None or after.value is None)
        if change.value is not None:
            assert change.value == after.value - before.value
    for column in (table.before, table.after):
        if column["utility_usd"].value is not None:
            parts = OBJECTIVE.answer_value_usd * column["accuracy_rate"].value
            for name, price in (("cost_per_query_usd", 1.0), ("mean_response_s", OBJECTIVE.second_value_usd)):
                parts -= 0.0 if name in table.left_out else price * column[name].value
            assert column["utility_usd"].value == pytest.approx(parts, rel=1e-12)
    return shown


def test_every_figure_of_a_thousand_small_logs_can_be_and_adds_up():
    rng = np.random.default_rng(15)
    assert sum(check(odd_table(rng)) for _ in range(1000)) > 1000
