"""What the learner believes a source: measured where the truth is known, shrunk where little is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tests.support.worlds import OBJECTIVE, World
from zetaroute.learn.fit import fit
from zetaroute.learn.frame import trust_of
from zetaroute.learn.label_trust import SourceReliability, pairs_in, reliabilities, trust_in

SCHEMA = {"truth": pl.Float64, "judge": pl.Float64, "user_says": pl.Float64}


def frame(**columns) -> pl.DataFrame:
    n = max(len(values) for values in columns.values())
    blank = dict.fromkeys(SCHEMA, [None] * n)
    return pl.DataFrame(blank | columns, schema=SCHEMA)


def measured(rows: pl.DataFrame) -> dict[str, SourceReliability]:
    return reliabilities(pairs_in(rows))


def flipped(rng, truth, share: float):
    return np.where(rng.random(len(truth)) < share, 1 - truth, truth)


def test_nothing_known_is_half_a_truth():
    found = measured(frame(judge=[1.0, 0.0]))
    assert {source: (one.pairs, one.explained, one.trust) for source, one in found.items()} == {
        "judge": (0, None, 0.5),
        "user": (0, None, 0.5),
    }


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, 1.0), (0.1, 0.625), (0.5, 0.0), (0.9, 0.0)],
    ids=["perfect", "good", "coin", "contrary"],
)
def test_trust_is_the_share_of_the_variance_that_is_explained(share, expected):
    rng = np.random.default_rng(1)
    truth = (rng.random(4000) < 0.5).astype(float)
    found = measured(frame(truth=truth, judge=flipped(rng, truth, share)))["judge"]
    assert found.trust == pytest.approx(expected)
    assert found.explained == pytest.approx(max(1 - 2 * share, 0) ** 2, abs=0.04)


def test_few_pairs_move_it_little_and_steadily():
    truth = np.array([0.0, 1.0] * 50)
    trusts = [measured(frame(truth=truth[:n], user_says=truth[:n]))["user"].trust for n in (0, 4, 20, 100)]
    assert trusts == [0.5, 0.625, 0.75, 0.875]


def test_judge_that_always_says_the_same_explains_nothing():
    truth = np.array([0.0, 1.0] * 100)
    assert measured(frame(truth=truth, judge=np.ones(200)))["judge"].trust == 0.0
    assert measured(frame(truth=np.ones(200), judge=np.ones(200)))["judge"].trust == 0.5


def test_truth_counts_fully_and_rows_that_nobody_judged_do_too():
    rows = pl.DataFrame({"accuracy_source": ["truth", "judge", "user", None]})
    assert trust_of(rows, {"judge": 0.25, "user": 0.5}).tolist() == [1.0, 0.25, 0.5, 1.0]


def test_labels_of_an_unreliable_source_mislead_less_when_they_are_weighed():
    """Some true labels and more of a judge that tosses a coin."""
    world = World(right={"dates": (0.95, 0.3), "sorting": (0.3, 0.95)}, cost_usd=(0.001, 0.001))
    arms = world.arms()
    queries = world.queries(300, seed=99)
    truth = np.array([world.right[kind] for _, kind in queries])

    def error(log, trust: float) -> float:
        fitted = fit(replace(log, trust=np.where(judged, trust, 1.0)), arms, objective=OBJECTIVE, seed=0)
        predictor = replace(fitted.predictor, centre=None)
        forecast = predictor.forecast(predictor.vectors([text for text, _ in queries]), arms)
        return float(np.sqrt(((forecast.accuracy - truth) ** 2).mean()))

    plain, weighed = [], []
    for seed in range(3):
        # With the seed of the log its models and the judge would be drawn by the same numbers.
        rng = np.random.default_rng(100 + seed)
        log = world.log(1500, seed=seed)
        judged = rng.random(1500) < 0.6
        log = replace(log, accuracy=np.where(judged, flipped(rng, log.accuracy, 0.5), log.accuracy))
        pairs = flipped(rng, log.accuracy[~judged], 0.5)
        trust = trust_in(measured(frame(truth=log.accuracy[~judged], judge=pairs)))["judge"]
        plain.append(error(log, 1.0))
        weighed.append(error(log, trust))
    assert np.mean(weighed) < 0.9 * np.mean(plain)
