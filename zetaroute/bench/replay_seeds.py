"""A replay over several seeds at once: what one run says by luck, the mean of many says with an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from zetaroute.bench.datasets import Recordings
from zetaroute.bench.replay import ReplayPlan, replay
from zetaroute.config import Objective
from zetaroute.evaluate.intervals import standard_error

Run = Mapping[str, Any]
SO_FAR = ("learned_usd", "served_usd", "mix_usd", "online_gain_usd")
"""What a round tells of the policies on the test rows, and of the stream until then."""


def replay_seeds(
    recordings: Recordings,
    *,
    objective: Objective,
    plan: ReplayPlan,
    seeds: Sequence[int],
    jobs: int = 2,
) -> dict[str, Any]:
    """Replay once per seed, `jobs` at a time in processes of their own.

    Returns mean and standard error over the seeds, how often the rounds' intervals held the truth, and `runs`,
    the JSON of every replay. Raises UsageError when there are fewer rows than rounds.
    """
    from joblib import Parallel, delayed

    runs = Parallel(n_jobs=min(jobs, len(seeds)))(
        delayed(replay)(
            recordings,
            objective=objective,
            plan=replace(plan, seed=seed),
            jobs=1,
        )
        for seed in seeds
    )
    return summary(runs)


def summary(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the means over replays of the same recordings with their standard errors."""
    rounds = [_round([run["rounds"][number] for run in runs]) for number in range(len(runs[0]["rounds"]))]
    estimated = sum(one["estimates"] for one in rounds)
    covered = sum(one["covered"] for one in rounds)
    return {
        "dataset": runs[0]["dataset"],
        "seeds": [run["seed"] for run in runs],
        "share_learned": _mean([run["share_learned"] for run in runs]),
        "share_served": _mean([run["share_served"] for run in runs]),
        "share_mix": _mean([run["share_mix"] for run in runs]),
        "online_gain_usd": _mean([run["online_gain_usd"] for run in runs]),
        "audits": _audits(runs),
        "final": {name: _mean([run["final"][name] for run in runs]) for name in runs[0]["final"]},
        "promotions": _mean([len(run["promotions"]) for run in runs]),
        "coverage": {
            "covered": covered,
            "estimates": estimated,
            "share": covered / estimated if estimated else None,
        },
        "rounds": rounds,
        "runs": list(runs),
    }


def _round(parts: Sequence[Run]) -> dict[str, Any]:
    """Return one round over the seeds; `covered` of its `estimates` intervals held the truth."""
    told = [part for part in parts if part["estimate"]["low"] is not None]
    covered = [
        part for part in told if part["estimate"]["low"] <= part["truth_usd"] <= part["estimate"]["high"]
    ]
    return {
        "rows": parts[0]["rows"],
        "estimates": len(told),
        "covered": len(covered),
        **{
            name: _mean([part[name] for part in parts])
            for name in ("score", "utility_usd", "regret_usd", "truth_usd", *SO_FAR, "promotions")
        },
        "audits": _audits(parts),
    }


def _audits(parts: Sequence[Run]) -> dict[str, Any]:
    return {name: _mean([part["audits"][name] for part in parts]) for name in ("rows", "cost_usd")}


def _mean(values: Sequence[float | None]) -> dict[str, Any]:
    """Return mean, standard error and number of the values that are known."""
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    return {
        "mean": float(known.mean()) if len(known) else None,
        "se": standard_error(known),
        "n": len(known),
    }
