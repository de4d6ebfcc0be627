"""`kpi`, `kpi --compare` and `doctor` by size of the log, beside the sums behind them as plain SQL.

Every command and every reference is a process of its own; they take turns. The reference of `kpi` asks the log's own
views for means, deviations and quantiles of what was served, what exploring cost, each judge beside the truth. It has
no intervals, no ratings completed for who rates and no look for drift. That of `doctor` reads the columns that it
looks at.
"""

from __future__ import annotations

import shutil
import statistics
import sys
from pathlib import Path

from benchmarks.speed.large_log import command_line, in_another_process, measured, seed_log
from benchmarks.speed.made_rows import make_rows
from benchmarks.speed.measuring import Figure

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
    "doctor": (
        "SELECT count(*), max(time), sum(list_sum(pmf)), max(list_max([c.model FOR c IN candidates])) FROM outcomes",
        "SELECT sum((accuracy IS NOT NULL)::INT), max(id) FROM graded",
        "SELECT sum(entries - 1) FROM (SELECT count(*) AS entries FROM feedback GROUP BY outcome_id, metric, author)",
        _JUDGES,
    ),
}
REFERENCE = "DuckDB's own sums"
_SCRIPT = """
import sys, duckdb
with duckdb.connect(sys.argv[1], read_only=True) as log:
    for query in sys.argv[2:]:
        print(log.execute(query).fetchall())
"""


def key_figures(folder: Path, rows: int, repeats: int) -> list[Figure]:
    """Return the times of the commands on a log of `rows` rows."""
    home = log_of(folder, rows)
    figures = [_figure(home, command, rows, repeats) for command in _REFERENCES]
    shutil.rmtree(home)
    return figures


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


def _figure(home: Path, command: str, rows: int, repeats: int) -> Figure:
    ours = command_line(home, *command.split(), "--json")
    reference = [sys.executable, "-c", _SCRIPT, str(home / "zetaroute.duckdb"), *_REFERENCES[command]]
    # What `doctor` finds in made rows is no fault of its own.
    turns = [(measured(ours, may_leave_with=1), measured(reference)) for _ in range(repeats)]
    mine, its = ([turn[side] for turn in turns] for side in (0, 1))
    elapsed, beside = (statistics.median(one.elapsed_s for one in used) for used in (mine, its))
    processor = [statistics.median(one.cpu_s for one in used) for used in (mine, its)]
    memory = [max(one.mebibytes for one in used) for used in (mine, its)]
    return Figure(
        what=f"`{command}`, {rows:,} rows",
        value=elapsed,
        reference=REFERENCE,
        beside=beside,
        note=f"processor {processor[0]:.1f} s beside {processor[1]:.1f} s, "
        f"{memory[0]:,.0f} MiB beside {memory[1]:,.0f}",
    )
