"""The comparison with other routers, without any of them installed, on a recording with a known truth."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.learner.recorded import objective
from benchmarks.rivals.marking import Gain, StreamGain, full_information, in_answers, rewards, stream
from benchmarks.rivals.page import written as page
from benchmarks.rivals.protocols import StreamedEntry
from benchmarks.rivals.streamed import EpsilonGreedy
from benchmarks.rivals.taught import TAUGHT, Clusters, best_models
from tests.support.recordings import written
from zetaroute.bench.datasets import read_recordings

SCORE = objective(0, 0)


@pytest.fixture(scope="module")
def gains(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Gain]:
    file = written(tmp_path_factory.mktemp("rivals") / "made.parquet", queries=450)
    return full_information(read_recordings(file), SCORE, TAUGHT, seed=0)


@pytest.mark.parametrize("name", ["zetaroute", "kNN 100, mean", "k-means 64, three nearest (Avengers)"])
def test_what_tells_the_two_kinds_of_query_apart_gains_on_one_of_them(gains, name):
    """The small model is right on 95% of the sums, the best single model on 55%: 20 points over all."""
    assert gains[name].points == pytest.approx(20.0, abs=8.0)
    assert 1.0 < gains[name].error < 6.0


def test_nobody_beats_the_oracle_and_every_rival_is_there(gains):
    assert {entry.name for entry in TAUGHT} < set(gains)
    assert max(gain.points for gain in gains.values()) == gains["oracle"].points


@pytest.mark.parametrize(
    ("ties_to_single", "labels"), [(False, [0, 2, 0, 2]), (True, [2, 2, 0, 2])], ids=["first", "single"]
)
def test_ties_go_to_the_first_or_to_the_best_single_model(ties_to_single, labels):
    utility = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.5], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert best_models(utility, ties_to_single=ties_to_single).tolist() == labels


def test_cents_break_no_tie_where_the_score_alone_counts():
    worth, priced = objective(0, 0), objective(0.01, 0)
    for value, labels in ((worth, [0, 0]), (priced, [1, 0])):
        known = value.answer_value_usd * np.array([[1.0, 1.0], [1.0, 0.0]]) - [[0.002, 0.001]]
        assert best_models(in_answers(known, value), ties_to_single=False).tolist() == labels


def test_clusters_rank_the_models_where_they_are():
    x = np.repeat([[1.0, 0.0], [0.0, 1.0]], 10, axis=0)
    utility = np.repeat([[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]], 10, axis=0)
    rival = Clusters(nearest=1, seed=0)
    rival.fit(x, utility)
    assert rival.choose(["", ""], np.array([[5.0, 0.1], [0.1, 2.0]])).tolist() == [0, 2]


def test_rewards_keep_the_order_between_0_and_1():
    worth = objective(0, 0.1)
    points = np.array([[1.0, 0.5], [0.2, -0.4], [0.9, -0.2]])
    scaled = rewards(points * worth.answer_value_usd, worth)
    assert scaled.min() == 0.0
    assert scaled[0, 0] == 1.0
    assert np.argsort(scaled, axis=None).tolist() == np.argsort(points, axis=None).tolist()


def test_epsilon_greedy_tries_every_model_and_settles_on_the_best():
    reward = np.tile([0.2, 0.9, 0.4], (400, 1))
    rival = EpsilonGreedy(3, seed=1)
    drawn = stream(rival, [""] * 400, np.zeros((400, 1)), reward, np.arange(400))
    assert set(drawn[:3].tolist()) == {0, 1, 2}
    assert np.mean(drawn == 1) == pytest.approx(0.93, abs=0.04)
    assert rival.choose([""], np.zeros((1, 1))).tolist() == [1]


def test_page_names_what_is_not_installed(gains):
    absent = StreamedEntry(
        name="absent", make=lambda arms, _, seed: EpsilonGreedy(arms, seed), package="no-such-rival"
    )
    gain = Gain(points=1.25, error=float("nan"))
    told = page(
        {"made": {"score": gains}},
        {"made": {"score": {"zetaroute, learned": StreamGain(test=gain, online=gain)}}},
        [absent],
        seeds=1,
        loops=1,
    )
    assert absent.version() is None
    assert "left out: no-such-rival." in told
    assert "| zetaroute, learned | +1.25 ± - | +1.25 ± - |" in told
