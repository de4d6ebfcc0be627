"""Write docs/measurements/escalation.md: how much of what a checker could save routing with escalation recovers.

    python -m benchmarks.learner.escalation BENCH_DIR

BENCH_DIR holds Parquet files in the format of `zetaroute bench`; nothing of them enters the page but numbers. The
checkers are simulated: they know whether a recorded answer is right and say the opposite with a given probability.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.learner.recorded import POOL
from zetaroute.bench.datasets import Recordings, read_recordings
from zetaroute.bench.datasets.recordings import utility
from zetaroute.bench.full_information import arms_of, fit_full, forecast_of
from zetaroute.config import Objective
from zetaroute.policy import Forecast
from zetaroute.policy.escalation import CheckReliability, second_chances
from zetaroute.policy.exploration import CAUTION

Array = NDArray[np.float64]

PAGE = Path(__file__).parents[2] / "docs" / "measurements" / "escalation.md"
CHECKERS = (1.0, 0.9, 0.7)
ANSWERS_USD = (0.001, 0.01, 0.1)
SEEDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a way of answering is worth on the test queries, per query."""

    right: float
    cost_usd: float
    response_s: float
    calls: float

    def utility(self, worth: Objective) -> float:
        """Return its utility in USD."""
        return worth.answer_value_usd * self.right - self.cost_usd - worth.second_value_usd * self.response_s


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench_dir", type=Path)
    recordings = read_recordings(parser.parse_args().bench_dir / "bfcl.parquet", models=POOL)
    lines = _head(recordings.side(test=True))
    for answer in ANSWERS_USD:
        worth = Objective(answer_value_usd=answer, satisfaction_value_usd=0.0, second_value_usd=0.0005)
        lines += _rows(recordings, worth)
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _head(test: Recordings) -> list[str]:
    return [
        "# Check and escalate on recorded outcomes",
        "",
        "How much of what a checker could save routing with escalation recovers, on the function-calling",
        f"recordings (bfcl, {len(test.models)} models, {len(test.texts)} test queries). Written by",
        "`python -m benchmarks.learner.escalation BENCH_DIR`; the recordings are not part of this repository.",
        "",
        "**The checkers are simulated**: they know whether a recorded answer is right and are mistaken, whichever it",
        "is, with the rest of the stated probability; the policy is told how reliable they are. A second is worth",
        f"$.0005, an unknown cost counts as the highest known one of its query. Means of {SEEDS} draws.",
        "Times, costs (in USD per 1,000 queries) and calls are those of the whole chain.",
        "",
        "| answer worth | way | right | cost | response | calls | utility per 1,000 |",
        "|---|---|---|---|---|---|---|",
    ]


def _rows(recordings: Recordings, worth: Objective) -> list[str]:
    train, test = (recordings.side(test=side) for side in (False, True))
    arms = arms_of(test)
    fitted = fit_full(train, arms, objective=worth, seed=0, jobs=1)
    forecast = forecast_of(fitted.predictor, test, arms, use_task=False)
    best = int(np.argmax(utility(train, worth).mean(axis=0)))
    n = len(test.texts)
    ways = {
        f"best single model ({test.models[best]})": _alone(test, np.full(n, best)),
        "routing alone": _alone(test, np.argmax(_bounds(forecast, worth), axis=1)),
    }
    for quality in CHECKERS:
        runs = [_escalated(test, forecast, worth, quality, seed) for seed in range(SEEDS)]
        found = Outcome(
            **{name: float(np.mean([getattr(run, name) for run in runs])) for name in runs[0].__slots__}
        )
        ways[f"check that is right {100 * quality:.0f}% of the time"] = found
    ways["cheapest right model (it cannot be known)"] = _alone(test, _cheapest_right(test))
    return [
        f"| ${worth.answer_value_usd:g} | {name} | {100 * one.right:.1f}% | ${1000 * one.cost_usd:.3f} | "
        f"{one.response_s:.2f} s | {one.calls:.2f} | ${1000 * one.utility(worth):.2f} |"
        for name, one in ways.items()
    ]


def _bounds(forecast: Forecast, worth: Objective) -> Array:
    mean = worth.answer_value_usd * forecast.accuracy - forecast.cost_usd
    mean = mean - worth.second_value_usd * forecast.response_s
    return np.asarray(mean - CAUTION * worth.answer_value_usd * forecast.accuracy_se)


def _alone(test: Recordings, chosen: NDArray[np.int64]) -> Outcome:
    at = np.arange(len(chosen)), chosen
    return Outcome(
        right=float(test.score[at].mean()),
        cost_usd=float(_charged(test)[at].mean()),
        response_s=float(test.latency_s[at].mean()),
        calls=1.0,
    )


def _charged(test: Recordings) -> Array:
    """Return the costs (n, K), an unknown one as the highest known of its query, as decisions count it."""
    known = np.nan_to_num(test.cost_usd)
    return np.where(np.isnan(test.cost_usd), known.max(axis=1, keepdims=True), known)


def _cheapest_right(test: Recordings) -> NDArray[np.int64]:
    """Return the cheapest model that is right, and the cheapest of all where none is."""
    charged = _charged(test)
    cost = np.where(test.score >= 0.5, charged, np.inf)
    none = ~np.isfinite(cost.min(axis=1))
    return np.where(none, charged.argmin(axis=1), cost.argmin(axis=1))


def _escalated(test: Recordings, forecast: Forecast, worth: Objective, quality: float, seed: int) -> Outcome:
    rng = np.random.default_rng(seed)
    mistaken = rng.random(test.score.shape) >= quality
    passed = (test.score >= 0.5) != mistaken
    reliability = CheckReliability(passes=quality, catches=quality)
    bounds, everyone = _bounds(forecast, worth), np.ones(test.score.shape[1], dtype=bool)
    charged = _charged(test)
    right, cost, time, calls = [], [], [], []
    for row in range(len(test.texts)):
        chances = second_chances(
            bounds[row],
            forecast.accuracy[row],
            everyone,
            answer_value_usd=worth.answer_value_usd,
            reliability=reliability,
        )
        first = int(np.argmax(bounds[row] + chances.gain_usd))
        asked = []
        for arm in (first, *chances.after[first]):
            asked.append(arm)
            if passed[row, arm]:
                break
        right.append(test.score[row, asked[-1]])
        cost.append(charged[row, asked].sum())
        time.append(test.latency_s[row, asked].sum())
        calls.append(len(asked))
    return Outcome(
        right=float(np.mean(right)),
        cost_usd=float(np.mean(cost)),
        response_s=float(np.mean(time)),
        calls=float(np.mean(calls)),
    )


if __name__ == "__main__":
    main()
