"""The section of docs/measurements/evidence.md on the loop with seven models."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from joblib import Parallel, delayed

from benchmarks.learner.recorded import objective
from zetaroute.bench.datasets import Recordings, read_recordings
from zetaroute.bench.replay import ReplayPlan, replay
from zetaroute.config import Objective

TITLE = "## Seven models, ten seeds"
MODELS = (
    "DeepSeek-Coder-V2",
    "Meta-Llama-3_1-70B-Instruct",
    "Meta-Llama-3_1-8B-Instruct",
    "Mixtral-8x7B-Instruct-v0.1",
    "Qwen1.5-72B-Chat",
    "c4ai-command-r-v01",
    "mathstral-7B",
)
VALUES = (("score", 0.0, None), (".1 per $/1k", 0.1, None), ("score, every query audited", 0.0, 1.0))
"""Label, points per USD per 1,000 queries, and the share that is audited: None for the product's."""
ROWS, FLOOR, SEEDS = 5_900, 0.05, 10


def section(folder: Path) -> list[str]:
    """Return the lines of the section."""
    recordings = read_recordings(folder / "mmlu_pro.parquet", models=list(MODELS))
    lines = [
        TITLE,
        "",
        f"mmlu_pro with {len(MODELS)} models, {SEEDS} seeds, at most {ROWS:,} answers with those of audits (the",
        f"{(~recordings.test).sum():,} training queries end before), {FLOOR:.0%} explored, audits by the product's",
        "schedule, single models alone. 'learned', 'served' and 'mix' are shares of what full information gains on",
        "the test queries; 'online' is in points per query over the best single model, money of audits",
        "subtracted: of all, and of those after the first 3,000.",
        "",
        "| value | full information | learned | served | mix | online | after 3,000 | promoted | covered |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for label, per_dollar, audit in VALUES:
        worth = objective(per_dollar, 0.0)
        runs = Parallel(n_jobs=2)(delayed(_run)(recordings, worth, audit, seed) for seed in range(SEEDS))
        point = worth.answer_value_usd / 100
        gap = fmean(one["final"]["full_information"] - one["final"]["best_single"] for one in runs)
        shares = [
            _spread([(one["final"][way] - one["final"]["best_single"]) / gap for one in runs])
            for way in ("learned", "served", "mix")
        ]
        online = [
            _spread([one[name] / point for one in runs if one[name] is not None])
            for name in ("online_gain_usd", "online_later_usd")
        ]
        promoted = sum(any(step["by"] == "evidence" for step in one["promotions"]) for one in runs)
        estimates = [part for one in runs for part in one["rounds"] if part["estimate"]["low"] is not None]
        covered = sum(
            part["estimate"]["low"] <= part["truth_usd"] <= part["estimate"]["high"] for part in estimates
        )
        cells = [label, f"{gap / point:+.2f}", *shares, *online, f"{promoted} of {SEEDS}"]
        lines.append(f"| {' | '.join(cells)} | {covered} of {len(estimates)} |")
    return [*lines, "", "± here is the standard deviation over the seeds.", ""]


def _run(recordings: Recordings, worth: Objective, audit: float | None, seed: int) -> dict[str, Any]:
    plan = ReplayPlan(rounds=10, rows=ROWS, explore=FLOOR, audit=audit, seed=seed, chain=False)
    return replay(recordings, objective=worth, plan=plan, jobs=1)


def _spread(values: list[float]) -> str:
    return f"{fmean(values):+.2f} ± {stdev(values):.2f}"
