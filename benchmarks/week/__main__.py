"""Write docs/measurements/week.md: two offices that use zetaroute for a week.

    python -m benchmarks.week BENCH_DIR [--page FILE]

Every day brings new queries, `zetaroute batch` answers them, and in the evening `zetaroute retrain` looks at the log.
Recorded answers stand in for the models, with their scores, money and seconds; only those that were asked are seen.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

PAGE = Path(__file__).parents[2] / "docs" / "measurements" / "week.md"
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SEED = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """What an office asks, of which models, and what a right answer is worth to it."""

    name: str
    file: str
    says: str
    models: Sequence[str]
    queries: int
    answer_value_usd: float
    second_value_usd: float


OFFICES = (
    Office(
        name="Exam questions",
        file="mmlu_pro.parquet",
        says="of 14 subjects (MMLU-Pro), asked of four models; what time is worth was not recorded",
        models=(
            "Meta-Llama-3_1-8B-Instruct",
            "Meta-Llama-3_1-70B-Instruct",
            "gemini-1.5-flash-002",
            "gemini-1.5-pro-002",
        ),
        queries=3000,
        answer_value_usd=0.02,
        second_value_usd=0.0,
    ),
    Office(
        name="Function calls",
        file="bfcl.parquet",
        says="to be written for a request (BFCL), asked of three models, with their seconds",
        models=("gemini-1.5-flash-preview-0514", "gpt-4o-mini-2024-07-18", "claude-3-5-sonnet-20240620"),
        queries=1700,
        answer_value_usd=0.1,
        second_value_usd=0.0005,
    ),
)
_HEAD = """# A week with zetaroute

What two made offices would have seen from Monday to Sunday. Written by `make week BENCH_DIR=...`: every day its new
queries go through `zetaroute batch`, every evening `zetaroute retrain` looks at the log, defaults everywhere. The
answers, scores, money and seconds are recordings of real models, which are not part of this repository; only what was
asked for is seen. One seed, so one week of many that could have been: the averages stand on the page of the evidence.

Costs are those of 1,000 queries; what audits cost, which ask other models to learn from, stands beside. The single
model is the one that was worth most over all of the week, which nobody can know on Monday.
"""
_TABLE = """
| day | queries | right | cost | audits | single model | evening | serves, challenger's share |
|---|---|---|---|---|---|---|---|"""
_AUDITS = "SELECT coalesce(sum(cost_usd), 0) FROM outcomes WHERE role = 'audit'"


def week(office: Office, folder: Path, recordings: Path) -> Iterator[str]:
    """Play a week in an empty folder; yield the section of the page, line by line."""
    wanted = pl.read_parquet(recordings / office.file).filter(pl.col("model").is_in(list(office.models)))
    ids = sorted(wanted["query_id"].unique().to_list())
    random.Random(SEED).shuffle(ids)
    ids = ids[: office.queries]
    wanted.write_parquet(folder / "outcomes.parquet")
    (folder / "config.toml").write_text(_config(office), encoding="utf-8")
    truth = _singles(wanted.filter(pl.col("query_id").is_in(ids)), office)
    yield f"## {office.name}\n"
    yield f"{len(ids):,} queries {office.says}."
    yield f"A right answer is worth ${office.answer_value_usd:g}, a second of waiting ${office.second_value_usd:g}."
    yield "Alone, over all of the week, the models would have been:\n"
    yield "| model | right | $ per 1,000 | worth per 1,000 |\n|---|---|---|---|"
    for model, right, usd, worth in truth:
        yield f"| {model} | {right:.1%} | {1000 * usd:.3f} | ${1000 * worth:.2f} |"
    yield _TABLE
    best, _, _, worth_usd = truth[0]
    audits_usd = 0.0
    for number, day in enumerate(DAYS):
        today = ids[number * len(ids) // 7 : (number + 1) * len(ids) // 7]
        rows = wanted.filter(pl.col("query_id").is_in(today))
        rows.write_parquet(folder / f"{day}.parquet")
        done = _run(folder, "batch", str(folder / f"{day}.parquet"), "--seed", str(number), "--json")
        said = _run(folder, "retrain", "--json")
        single = rows.filter(pl.col("model") == best)
        before_usd, audits_usd = audits_usd, _audits_usd(folder)
        cells = (
            f"{day} | {done['answered']} | {done['accuracy']:.1%}",
            f"${1000 * done['cost_usd'] / done['answered']:.3f}",
            f"{done['audits']}, ${audits_usd - before_usd:.3f}",
            f"{_mean(single, 'score'):.1%}, ${1000 * _mean(single, 'cost_usd'):.3f}",
            f"{said['verdict']}, {said['evidence']['e_value']:.3g} of {said['evidence']['promotes_at']:.0f}",
            f"{said['artifact'][:5] if said['promoted'] else 'as before'}, {said['share'] or 0:.0%}",
        )
        yield f"| {' | '.join(cells)} |"
    kpi = _run(folder, "kpi", "--json")
    served = {name: 1000 * value for name, value in kpi["kpis"]["utility_usd"].items() if name != "n"}
    yield f"\nWhat was served was worth {_usd(served)} per 1,000 queries, audits apart, which cost"
    yield f"${1000 * audits_usd / len(ids):.2f}; {best} alone would have been worth ${1000 * worth_usd:.2f}."
    yield f"`zetaroute kpi` says that challengers earned {_usd(kpi['earned'])} over the week, and on Sunday night"
    yield "`zetaroute` alone says:\n"
    yield "```text\n" + "\n".join(_standing(folder)) + "\n```\n"


def _standing(folder: Path) -> list[str]:
    words = [sys.executable, "-m", "zetaroute", "--home", str(folder)]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout  # noqa: S603  - our own program
    return [line.rstrip() for line in said.splitlines() if not line.startswith(("home", "config", "help"))]


def _audits_usd(folder: Path) -> float:
    """Return what the audits would have cost: a recording takes nothing from a budget."""
    with duckdb.connect(str(folder / "zetaroute.duckdb"), read_only=True) as connection:
        ((usd,),) = connection.execute(_AUDITS).fetchall()
    return float(usd)


def _mean(rows: pl.DataFrame, column: str) -> float:
    return float(rows.select(pl.col(column).mean()).item())


def _usd(figure: dict[str, float]) -> str:
    if figure["value"] is None:
        return "nothing that can be told"
    value, low, high = (
        f"{'-' if figure[one] < 0 else ''}${abs(figure[one]):.2f}" for one in ("value", "low", "high")
    )
    return f"{value} [{low}, {high}]"


def _singles(rows: pl.DataFrame, office: Office) -> list[tuple[str, float, float, float]]:
    """Return what each model alone would have been worth, the best first."""
    worth = (
        office.answer_value_usd * pl.col("score")
        - pl.col("cost_usd")
        - office.second_value_usd * pl.col("latency_s").fill_null(0.0)
    )
    means = rows.group_by("model").agg(
        pl.col("score").mean(), pl.col("cost_usd").mean(), worth.mean().alias("worth")
    )
    return means.sort("worth", descending=True).rows()


def _config(office: Office) -> str:
    models = "".join(
        f'[[models]]\nid = "recorded/{model}"\nprovider = "recorded"\nfile = "outcomes.parquet"\n'
        "prior_accuracy = 0.6\n"
        for model in office.models
    )
    return (
        f"schema_version = 1\n[objective]\nanswer_value_usd = {office.answer_value_usd}\n"
        f"second_value_usd = {office.second_value_usd}\nsatisfaction_value_usd = 0.0\n{models}"
    )


def _run(folder: Path, *arguments: str) -> Any:
    words = [sys.executable, "-m", "zetaroute", "--home", str(folder), "--quiet", *arguments]
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603  - our own program
    if done.returncode:
        raise SystemExit(f"zetaroute {' '.join(arguments)}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def main() -> None:
    """Play both weeks and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", type=Path, help="a folder with mmlu_pro.parquet and bfcl.parquet")
    parser.add_argument("--page", type=Path, default=PAGE)
    given = parser.parse_args()
    lines = [_HEAD]
    for office in OFFICES:
        with tempfile.TemporaryDirectory() as folder:
            for line in week(office, Path(folder), given.recordings):
                sys.stderr.write(line + "\n")
                lines.append(line)
    given.page.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
