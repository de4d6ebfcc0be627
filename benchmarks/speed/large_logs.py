"""`kpi` and `kpi --compare` by size of the log, beside the same sums as plain SQL: seconds and largest memory.

    python -m benchmarks.speed.large_logs [--rows 100000,1000000,10000000] [--compare-up-to 1000000] [--repeats 1]

Every command and every reference is a process of its own; they take turns. The reference asks the log's own views for
the sums behind what `kpi` prints: means, deviations and quantiles of what was served, what exploring cost, each judge
beside the truth. It has no intervals, no ratings completed for who rates and no look for drift.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.speed.large_log import Used, command_line, in_another_process, measured, seed_log
from benchmarks.speed.made_rows import make_rows

_MEASURES = (
    *("response_s", "ttft_s", "cost_usd", "router_s", "router_cost_usd"),
    *("accuracy", "satisfaction", "judge_cost_usd"),
)
_SUMS = ", ".join(
    [
        "count(*)",
        "min(time)",
        "max(time)",
        "avg((status <> 'ok')::INT)",
        "avg(fell_back::INT)",
        "avg(escalated::INT)",
        "quantile_cont(response_s, [0.5, 0.95]) FILTER (status = 'ok')",
        "covar_samp(cost_usd, accuracy)",
        "sum(recorded::INT)",
        *(f"count(*) FILTER (accuracy_source = '{source}')" for source in ("truth", "judge", "user")),
        *(f"avg({one}), stddev_samp({one})" for one in _MEASURES),
    ]
)
_EXPLORING = """
    SELECT avg(usd), stddev_samp(usd) FROM (
        SELECT list_max([c.utility_usd.mean FOR c IN candidates IF c.eligible])
               - list_sum([c.probability * c.utility_usd.mean FOR c IN candidates]) AS usd
        FROM outcomes WHERE propensity IS NOT NULL AND fallback_of IS NULL
    )
"""
_JUDGES = """
    SELECT author, count(*), avg(value), avg(accuracy), corr(value, accuracy),
           count(*) FILTER ((value >= 0.5) = (accuracy >= 0.5))
    FROM latest_feedback JOIN rounds ON rounds.id = outcome_id
    WHERE source = 'judge' AND metric = 'accuracy' AND status = 'ok' AND accuracy_source = 'truth'
    GROUP BY author
"""
_REFERENCES = {
    "kpi": (
        f"SELECT {_SUMS} FROM served",
        _EXPLORING,
        _JUDGES,
        "SELECT model, count(*) FROM served GROUP BY model",
    ),
    "kpi --compare": (
        f"SELECT policy_version, {_SUMS} FROM served WHERE NOT forced GROUP BY ALL",
        f"SELECT policy_version, task, {_SUMS} FROM served WHERE NOT forced GROUP BY ALL",
    ),
}
_SCRIPT = """
import sys, duckdb
with duckdb.connect(sys.argv[1], read_only=True) as log:
    for query in sys.argv[2:]:
        print(log.execute(query).fetchall())
"""
_HEAD = (
    "| command | rows | seconds | reference | seconds more | processor | its | peak MiB | its |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
)


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", default="100000,1000000", help="sizes of the logs; ten millions take 4 GB")
    parser.add_argument("--compare-up-to", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="keep the logs here, and use those that are there")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as gone:
        folder = asked.folder or Path(gone)
        sys.stdout.write("\n".join(_HEAD) + "\n")
        for rows in map(int, asked.rows.split(",")):
            home = log_of(folder, rows)
            for command in _REFERENCES:
                if command == "kpi" or rows <= asked.compare_up_to:
                    sys.stdout.write(_line(home, command, rows, asked.repeats) + "\n")
                    sys.stdout.flush()


def log_of(folder: Path, rows: int) -> Path:
    """Return a home whose log holds so many made queries under two versions."""
    small, home = folder / "small", folder / str(rows)
    if not small.exists():
        small.mkdir(parents=True)
        seed_log(small)
    if not home.exists():
        shutil.copytree(small, home)
        in_another_process(make_rows, home, rows)
    return home


def _line(home: Path, command: str, rows: int, repeats: int) -> str:
    ours = command_line(home, *command.split(), "--json")
    reference = [sys.executable, "-c", _SCRIPT, str(home / "zetaroute.duckdb"), *_REFERENCES[command]]
    turns = [(measured(ours), measured(reference)) for _ in range(repeats)]
    mine, its = ([turn[side] for turn in turns] for side in (0, 1))
    elapsed, beside = (statistics.median(one.elapsed_s for one in used) for used in (mine, its))
    return (
        f"| `{command}` | {rows:,} | {elapsed:.1f} s | {beside:.1f} s | {elapsed - beside:+.1f} s "
        f"| {_processor(mine):.1f} s | {_processor(its):.1f} s | {_memory(mine):,.0f} | {_memory(its):,.0f} |"
    )


def _processor(used: Sequence[Used]) -> float:
    return statistics.median(one.cpu_s for one in used)


def _memory(used: Sequence[Used]) -> float:
    return max(one.mebibytes for one in used)


if __name__ == "__main__":
    main()
