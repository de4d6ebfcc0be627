"""Write docs/measurements/evidence.md: what the learner and the loop are worth on recorded outcomes of real models.

    python -m benchmarks.learner.evidence BENCH_DIR [--seeds 3] [--only SECTION ...]

BENCH_DIR holds Parquet files in the format of `zetaroute bench`; nothing of them enters the page but numbers.
Every figure is in points of a right answer: 1 point is a hundredth of what an answer is worth. Sections that are not
asked for stay as they are.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np

from benchmarks.learner import (
    ablation,
    chain_alternatives,
    chains,
    guard,
    latency,
    load,
    newcomers,
    ratings,
    relatives,
    seven,
)
from benchmarks.learner.recorded import MORE, WEIGHTS, objective, sets
from zetaroute.arrays import Array, Index
from zetaroute.bench.baselines import baselines
from zetaroute.bench.datasets import Recordings
from zetaroute.bench.datasets.recordings import utility
from zetaroute.bench.full_information import arms_of, bench_full_information, fit_full, route
from zetaroute.bench.replay import ReplayPlan, replay
from zetaroute.config import Objective
from zetaroute.evaluate.intervals import mean_figure
from zetaroute.features import AnyMap
from zetaroute.learn.fit import map_of
from zetaroute.learn.incremental.sufficient_statistics import gather
from zetaroute.learn.ridge import heads
from zetaroute.learn.samples import TARGETS, target_weights, targets
from zetaroute.policy import Policy

PAGE = Path(__file__).parents[2] / "docs" / "measurements" / "evidence.md"
TITLES = (
    "## Full information",
    "## By the number of queries",
    ablation.TITLE,
    guard.TITLE,
    latency.TITLE,
    load.TITLE,
    newcomers.TITLE,
    relatives.TITLE,
    ratings.TITLE,
    "## The loop with partial feedback",
    seven.TITLE,
    chains.TITLE,
    chain_alternatives.TITLE,
)
RECIPE_RIDGE = 100.0
QUERIES = (300, 700, 1500, 3000)
_WAYS = ("router", "recipe", "kNN 40", "per task")
_REFERENCES = {"kNN 40": "knn", "per task": "task_best", "oracle": "oracle"}
_ONLINE = {
    "online": "online_gain_usd",
    "first 500": "online_first_usd",
    "after 3,000": "online_later_usd",
}


def main() -> None:
    """Measure and write the page."""
    sections = {
        "routing": lambda: _full_information(asked.bench_dir),
        "queries": lambda: _by_queries(asked.bench_dir, asked.seeds),
        "ablation": lambda: ablation.section(asked.bench_dir, asked.seeds),
        "guard": lambda: guard.section(asked.bench_dir, asked.seeds),
        "latency": lambda: latency.section(asked.bench_dir, asked.seeds),
        "load": lambda: load.section(asked.bench_dir, asked.seeds),
        "newcomers": lambda: newcomers.section(asked.bench_dir, asked.seeds),
        "relatives": lambda: relatives.section(asked.bench_dir, asked.seeds),
        "ratings": lambda: ratings.section(asked.bench_dir, asked.seeds),
        "loop": lambda: _loops(asked.bench_dir, asked.seeds),
        "seven": lambda: seven.section(asked.bench_dir),
        "chains": lambda: chains.section(asked.bench_dir),
        "alternatives": lambda: chain_alternatives.section(asked.bench_dir),
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench_dir", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=sections, default=list(sections))
    asked = parser.parse_args()
    for name in asked.only:
        lines = sections[name]()
        head, *before = PAGE.read_text(encoding="utf-8").split("\n## ")
        parts = {part.partition("\n")[0]: part.rstrip() for part in before}
        parts[lines[0].removeprefix("## ")] = "\n".join(lines).removeprefix("## ").rstrip()
        ordered = sorted(parts, key=lambda title: TITLES.index(f"## {title}"))
        PAGE.write_text(
            "\n\n## ".join([head.rstrip(), *(parts[one] for one in ordered)]) + "\n", encoding="utf-8"
        )


def _full_information(folder: Path) -> list[str]:
    lines = [
        TITLES[0],
        "",
        "Every model's outcome of every training query is known; the gain is over the best single model, which was",
        "chosen on the training queries. 'no' means that the guard did not route, because cross-validation on the",
        "training queries did not show that it pays. 'labels' knows the task of every query, as a log with labels",
        "does; 'recipe' has a ridge of 100 for every log and no guard. The test rows were read once for this table,",
        "after everything was chosen on training rows.",
        "",
        *_row("set", "value", "test queries", "router", "routes", "labels", "recipe", *_REFERENCES),
        *_row(*["---"] * 10),
    ]
    for name, recordings in sets(folder, more=True):
        for label, per_dollar, per_second in (WEIGHTS | MORE)[name]:
            worth = objective(per_dollar, per_second)
            found = bench_full_information(recordings, objective=worth, chain=False)
            labelled = bench_full_information(recordings, objective=worth, chain=False, use_task=True)
            lines += _row(
                name,
                label,
                str(found["test_queries"]),
                _gain_of(found, "router", worth),
                "yes" if found["routes"] else "no",
                _gain_of(labelled, "router", worth),
                _figure(mean_figure(_recipe(recordings, worth)).json(), 100),
                *(_gain_of(found, way, worth).split(" ")[0] for way in _REFERENCES.values()),
            )
    return [*lines, ""]


def _recipe(recordings: Recordings, worth: Objective) -> Array:
    """Return the gain of every test query, in right answers, by the heads with one ridge for every log."""
    train, test = recordings.side(test=False), recordings.side(test=True)
    feature_map, _ = map_of(dict.fromkeys(train.texts), None, seed=0, distinct=len(set(train.texts)))
    return _gains_of(_by_recipe(train, test, feature_map, worth), train, test, worth)


def _by_recipe(train: Recordings, test: Recordings, feature_map: AnyMap, worth: Objective) -> Index:
    arms, rows = arms_of(train), train.full_sample(use_task=False)
    x = np.repeat(feature_map.vectors(train.texts), len(arms), axis=0)
    sums = gather(x, targets(rows), rows.arm, len(arms), target_weights(rows))
    predictor = heads(sums, x, rows, arms, feature_map, [RECIPE_RIDGE] * TARGETS)
    return route(Policy(version="recipe", predictor=predictor), test, arms, worth)


def _gains_of(chosen: Index, train: Recordings, test: Recordings, worth: Objective) -> Array:
    """Return what the chosen arm of every test query gains over the single one, in right answers, (n,)."""
    truth, single = utility(test, worth), int(np.argmax(utility(train, worth).mean(axis=0)))
    gains = truth[np.arange(len(truth)), chosen] - truth[:, single]
    return np.asarray(gains / worth.answer_value_usd)


def _by_queries(folder: Path, seeds: int) -> list[str]:
    lines = [
        TITLES[1],
        "",
        f"The same after so many random training queries, {seeds} subsets; ± is the standard deviation over them,",
        "and the single model is the best one of those queries. The test rows were read once for this table.",
        "",
        *_row("set", "value", "way", *(f"{count:,}" for count in QUERIES)),
        *_row(*["---"] * (3 + len(QUERIES))),
    ]
    for name, recordings in sets(folder, more=True):
        label, per_dollar, per_second = (WEIGHTS | MORE)[name][-1]
        worth, training = objective(per_dollar, per_second), np.flatnonzero(~recordings.test)
        counts = [count for count in QUERIES if count < len(training)]
        found: dict[str, list[str]] = {way: [] for way in _WAYS}
        for count in counts:
            runs = []
            for seed in range(seeds):
                keep = recordings.test.copy()
                keep[np.random.default_rng(seed).permutation(training)[:count]] = True
                runs.append(_run(recordings.take(keep), worth, seed))
            for way in _WAYS:
                found[way].append(_spread([run[way] for run in runs]))
        more = [""] * (len(QUERIES) - len(counts))
        for way in _WAYS if counts else ():
            lines += _row(name, label, way, *found[way], *more)
    return [*lines, ""]


def _run(recordings: Recordings, worth: Objective, seed: int) -> dict[str, float]:
    """Return the points of every way over the best single model."""
    train, test = recordings.side(test=False), recordings.side(test=True)
    arms, known, truth = arms_of(train), utility(train, worth), utility(test, worth)
    fitted = fit_full(train, arms, objective=worth, seed=seed, jobs=1)
    simple = baselines(train, test, known=known, truth=truth, feature_map=fitted.map)
    chosen = {
        "router": route(fitted.policy("router"), test, arms, worth),
        "recipe": _by_recipe(train, test, fitted.map, worth),
        "kNN 40": simple["knn"].argmax(axis=1),
        "per task": simple["task_best"].argmax(axis=1),
    }
    return {way: float(100 * _gains_of(arm, train, test, worth).mean()) for way, arm in chosen.items()}


def _gain_of(found: dict[str, Any], way: str, worth: Objective) -> str:
    return _figure(found["results"][way]["gain_over_best_single_usd"], 100 / worth.answer_value_usd)


def _loops(folder: Path, seeds: int) -> list[str]:
    lines = [
        TITLES[5],
        "",
        f"At most 6,000 answers to the training queries, those of audits included, {seeds} seeds, the product's",
        "defaults; only the outcomes of the models that are asked are seen. Points over the best single model:",
        "'learned' is the last version, 'served' what serves in the end, 'mix' what users get in the end, champion",
        "and challenger by their shares, all on the test queries; 'online' is what came of the stream of queries,",
        "money and time of audits subtracted: of all, of the first 500 and of those after the first 3,000.",
        "'covered' is how many rounds' 95% intervals held the true gain, which the recordings know.",
        "",
        *_row(
            "set", "value", "learned", "served", "mix", "full information", *_ONLINE, "promoted", "covered"
        ),
        *_row(*["---"] * 11),
    ]
    for name, recordings in sets(folder):
        label, per_dollar, per_second = WEIGHTS[name][-1]
        worth = objective(per_dollar, per_second)
        runs = [_loop(recordings, worth, seed) for seed in range(seeds)]
        gains = {
            way: [
                100 * (run["final"][way] - run["final"]["best_single"]) / worth.answer_value_usd
                for run in runs
            ]
            for way in ("learned", "served", "mix", "full_information")
        }
        covered = [_covers(one) for run in runs for one in run["rounds"]]
        lines += _row(
            name,
            label,
            _spread(gains["learned"]),
            _spread(gains["served"]),
            _spread(gains["mix"]),
            _spread(gains["full_information"]),
            *(_spread(_points_of(runs, key, worth)) for key in _ONLINE.values()),
            f"{sum(any(one['by'] == 'evidence' for one in run['promotions']) for run in runs)} of {seeds}",
            f"{sum(covered)} of {len(covered)}",
        )
    return [*lines, "", "± here is the standard deviation over the seeds.", ""]


def _loop(recordings: Recordings, worth: Objective, seed: int) -> dict[str, Any]:
    plan = ReplayPlan(rounds=10, rows=6000, explore=None, seed=seed)
    return replay(recordings, objective=worth, plan=plan)


def _points_of(runs: Sequence[dict[str, Any]], key: str, worth: Objective) -> list[float]:
    return [100 * run[key] / worth.answer_value_usd for run in runs if run[key] is not None]


def _covers(one: dict[str, Any]) -> bool:
    low, high = one["estimate"]["low"], one["estimate"]["high"]
    return low is None or high is None or low <= one["truth_usd"] <= high


def _figure(figure: dict[str, Any], points: float) -> str:
    value, error = points * figure["value"], points * (figure["high"] - figure["low"]) / 3.92
    return f"{value:+.2f} ± {error:.2f}"


def _spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    return f"{fmean(values):+.2f} ± {stdev(values) if len(values) > 1 else 0.0:.2f}"


def _row(*cells: str) -> list[str]:
    return ["| " + " | ".join(cells) + " |"]


if __name__ == "__main__":
    main()
