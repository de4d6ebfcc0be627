"""Write docs/evidence.md: what the learner and the loop are worth on recorded outcomes of real models.

    python benchmarks/evidence.py BENCH_DIR [--seeds 3]

BENCH_DIR holds Parquet files in the format of `zetaroute bench`; nothing of them enters the page but numbers.
Every figure is in points of a right answer: 1 point is a hundredth of what an answer is worth.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from benchmarks.learner import chains
from zetaroute.bench.datasets import Recordings, read_recordings
from zetaroute.bench.full_information import bench_full_information
from zetaroute.bench.replay import ReplayPlan, replay
from zetaroute.config import Objective

PAGE = Path(__file__).parents[2] / "docs" / "evidence.md"
SCORE_ONLY = 1e6
"""USD per answer at which costs and times do not count any more."""
POOL = (
    "claude-3-5-sonnet-20240620",
    "gpt-4-0125-preview",
    "gpt-4o-mini-2024-07-18",
    "gpt-4o-2024-08-06-FC",
    "gemini-1.5-flash-preview-0514",
    "claude-3-haiku-20240307",
    "open-mistral-nemo-2407-FC-Any",
    "open-mixtral-8x22b",
    "command-r-plus",
    "gpt-3.5-turbo-0125-FC",
    "mistral-medium-2312",
    "claude-instant-1.2",
)
"""The twelve of bfcl that have scores, costs and times."""
WEIGHTS: dict[str, list[tuple[str, float, float]]] = {
    "ulab9": [("score", 0, 0)],
    "paretobandit": [
        ("score", 0, 0),
        (".005 per $/1k", 0.005, 0),
        (".03 per $/1k", 0.03, 0),
        (".1 per $/1k", 0.1, 0),
    ],
    "mmlu_pro": [(".1 per $/1k", 0.1, 0)],
    "bfcl": [
        ("score", 0, 0),
        (".01 per $/1k", 0.01, 0),
        (".05 per $/1k", 0.05, 0),
        (".02 per s", 0, 0.02),
        (".1 per s", 0, 0.1),
    ],
}

_ONLINE = {
    "online": "online_gain_usd",
    "first 500": "online_first_usd",
    "after 3,000": "online_later_usd",
}


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench_dir", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    lines = [*_head(), *_full_information(asked.bench_dir), *_loops(asked.bench_dir, asked.seeds)]
    lines += chains.section(asked.bench_dir)
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def objective(per_dollar: float, per_second: float) -> Objective:
    """Return the objective for a price of money (points per USD per 1,000 queries) or of a second."""
    if per_dollar:
        return Objective(
            answer_value_usd=1 / (1000 * per_dollar), satisfaction_value_usd=0.0, second_value_usd=0.0
        )
    return Objective(
        answer_value_usd=SCORE_ONLY, satisfaction_value_usd=0.0, second_value_usd=SCORE_ONLY * per_second
    )


def _head() -> list[str]:
    return [
        "# Evidence",
        "",
        "What the learner and the loop are worth on recorded outcomes of real models. Written by",
        "`make evidence BENCH_DIR=...`; the recordings are not part of this repository. Points are hundredths of",
        "what a right answer is worth; ± is one paired standard error over the test queries. What the intervals and",
        "the evidence promise is measured in [simulations.md](simulations.md), other routers in",
        "[rivals.md](measurements/rivals.md).",
        "",
    ]


def _sets(folder: Path) -> Iterator[tuple[str, Recordings]]:
    for name in WEIGHTS:
        path = folder / f"{name}.parquet"
        if path.is_file():
            yield name, read_recordings(path, models=POOL if name == "bfcl" else None)


def _full_information(folder: Path) -> list[str]:
    lines = [
        "## Full information",
        "",
        "Every model's outcome of every training query is known; the gain is over the best single model, which was",
        "chosen on the training queries. 'no' means that the guard did not route, because cross-validation on the",
        "training queries did not show that it pays.",
        "",
        *_row("set", "value", "test queries", "router", "routes", "kNN 40", "per task", "oracle"),
        *_row(*["---"] * 8),
    ]
    for name, recordings in _sets(folder):
        for label, per_dollar, per_second in WEIGHTS[name]:
            worth = objective(per_dollar, per_second)
            found = bench_full_information(recordings, objective=worth)
            gains = {
                way: _points(found["results"][way]["gain_over_best_single_usd"], worth)
                for way in ("router", "knn", "task_best", "oracle")
            }
            lines += _row(
                name,
                label,
                str(found["test_queries"]),
                gains["router"],
                "yes" if found["routes"] else "no",
                *(gains[way].split(" ")[0] for way in ("knn", "task_best", "oracle")),
            )
    return [*lines, ""]


def _loops(folder: Path, seeds: int) -> list[str]:
    lines = [
        "## The loop with partial feedback",
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
    for name, recordings in _sets(folder):
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


def _points(figure: dict[str, Any], worth: Objective) -> str:
    value = 100 * figure["value"] / worth.answer_value_usd
    error = 100 * (figure["high"] - figure["low"]) / 3.92 / worth.answer_value_usd
    return f"{value:+.2f} ± {error:.2f}"


def _spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    return f"{fmean(values):+.2f} ± {stdev(values) if len(values) > 1 else 0.0:.2f}"


def _row(*cells: str) -> list[str]:
    return ["| " + " | ".join(cells) + " |"]


if __name__ == "__main__":
    main()
