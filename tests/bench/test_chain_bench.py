"""`bench` on recordings with answers: ways that look at them, on a world where agreement tells what is right."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.cli.command import ok
from tests.support.chains import COST_USD, RIGHT, SECONDS
from zetaroute.bench.baselines import mixed
from zetaroute.bench.chain_bench import ChainBench, chain_bench
from zetaroute.bench.datasets import Recordings, read_recordings
from zetaroute.bench.full_information import arms_of, fit_full, sides
from zetaroute.bench.replay import ReplayPlan, replay
from zetaroute.config import Objective

MODELS = ("small", "medium", "large")
WORTH = Objective(answer_value_usd=0.02, satisfaction_value_usd=0.0, second_value_usd=0.0)


def made(path: Path, *, models: int = 3, answers: bool = True, queries: int = 240) -> Path:
    """Write queries; wrong answers differ from one another."""
    rng = np.random.default_rng(0)
    rows = []
    for query in range(queries):
        truth = int(rng.integers(1_000, 10_000))
        for model, right, cost, seconds in zip(MODELS, RIGHT, COST_USD, SECONDS, strict=True):
            score = float(rng.random() < right)
            said = truth if score else int(rng.integers(1_000, 10_000))
            row = {
                "query_id": f"{query:03}",
                "query": f"How many of {query}?",
                "model": model,
                "score": score,
            }
            row |= {"cost_usd": cost, "latency_s": seconds, "split": "test" if query % 4 == 0 else "train"}
            rows.append(row | ({"response": f"The answer is {said}."} if answers else {}))
    frame = pl.DataFrame(rows)
    frame.filter(pl.col("model").is_in(MODELS[-models:])).write_parquet(path)
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("answers") / "made.parquet")


@pytest.fixture(scope="module")
def bench(file: Path) -> ChainBench:
    recordings = read_recordings(file)
    found = looking(recordings)
    assert found is not None
    return found


def looking(recordings: Recordings) -> ChainBench | None:
    train, test = sides(recordings)
    arms = arms_of(recordings)
    fitted = fit_full(train, arms, objective=WORTH, seed=0, jobs=1)
    return chain_bench(train, test, arms, fitted, WORTH, use_task=False)


def test_the_command_shows_what_looking_is_worth(file, tmp_path) -> None:
    arguments = ("bench", str(file), "--jobs", "1", "--answer-value-usd", "0.02", "--second-value-usd", "0")
    found = ok(tmp_path, *arguments, "-o", str(tmp_path / "out"), "--json").json
    results = found["results"]
    assert results["chain"]["gain_over_best_single_usd"]["low"] > 0
    assert {name: round(results[name]["asks"], 1) for name in ("chain", "agreement")} == {
        "chain": pytest.approx(2.6, abs=0.15),
        "agreement": pytest.approx(2.6, abs=0.15),
    }
    assert results["mix"]["cost_usd"] == pytest.approx(results["chain"]["cost_usd"], rel=0.1)
    assert found["equal_accuracy"]["chain"]["saving"] > 0.2
    report = (tmp_path / "out" / "bench.md").read_text()
    assert "chain at the accuracy of large" in report
    assert "| strategy | asks |" in report.replace("  ", " ")
    assert "chain, by value of an answer" in (tmp_path / "out" / "bench.svg").read_text()
    plain = ok(tmp_path, *arguments, "--no-chain", "--json").json
    assert not {"chain", "agreement", "verifier"} & set(plain["results"])
    assert "equal_accuracy" not in plain


def test_a_closed_guard_leaves_the_router(bench) -> None:
    poor = Objective(answer_value_usd=0.00001, satisfaction_value_usd=0.0, second_value_usd=0.0)
    router = bench.routed(poor, train=False)
    assert not bench.serves(poor)
    assert (bench.chain(poor, router).asks == router.weights).all()


def test_agreement_pays_for_all_that_it_asks(bench) -> None:
    way = bench.simple(WORTH)["agreement"]
    third = way.asks[:, bench.train.models.index("large")]
    assert way.cost_usd(bench.test) == pytest.approx(COST_USD[0] + COST_USD[1] + third.mean() * COST_USD[2])
    assert way.seconds == pytest.approx(SECONDS[0] + SECONDS[1] + third * SECONDS[2])


def test_without_answers_nothing_is_looked_at(tmp_path) -> None:
    assert looking(read_recordings(made(tmp_path / "none.parquet", answers=False))) is None


def test_of_two_models_the_second_is_called_by_the_first_ones_answer(tmp_path) -> None:
    found = looking(read_recordings(made(tmp_path / "two.parquet", models=2)))
    assert found is not None
    measures = found.answer_seen()
    assert measures is not None
    assert json.dumps(measures)
    assert set(measures) == {"apgr", "cpt50", "cpt80"}


def test_the_mix_costs_what_it_may(bench) -> None:
    train = bench.train
    costs = dict(zip(train.models, train.mean_costs(), strict=True))
    shares = dict(zip(train.models, mixed(train, 0.0021), strict=True))
    assert sum(share * costs[model] for model, share in shares.items()) == pytest.approx(0.0021)
    assert shares["large"] == pytest.approx(0.5, abs=0.02)
    assert mixed(train, None)[train.models.index("large")] == 1.0
    assert mixed(train, 0.0)[train.models.index("small")] == 1.0


def test_the_loop_learns_to_look_at_answers_and_knows_what_that_is_worth(tmp_path: Path) -> None:
    recordings = read_recordings(made(tmp_path / "made.parquet", queries=800))
    plan = ReplayPlan(rounds=2, rows=900, explore=None, seed=1, audit=0.5)
    found = replay(recordings, objective=WORTH, plan=plan, jobs=1)
    assert found["final"]["mix"] > found["final"]["best_single"] + 0.04 * WORTH.answer_value_usd
    # A contest that has just begun anew has no estimate yet.
    last = next(one for one in reversed(found["rounds"]) if one["estimate"]["n"])
    assert last["estimate"]["low"] < last["truth_usd"] < last["estimate"]["high"]


def test_a_query_without_a_chain_is_the_routers(bench) -> None:
    unseen = replace(bench.fit.plan, cells=np.zeros(8))
    without = replace(bench, fit=replace(bench.fit, plan=unseen))
    played, routed = (way(WORTH, train=False) for way in (without.played, without.routed))
    assert (played.weights == routed.weights).all()
    assert played.utility(bench.test, WORTH) == pytest.approx(routed.utility(bench.test, WORTH))
