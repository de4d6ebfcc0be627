"""`kpi` and `kpi --compare` on a large log, beside the aggregates alone, made by DuckDB in a process of its own."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from benchmarks.speed.large_log import Used, command_line, in_another_process, measured, repeat_rows, seed_log
from benchmarks.speed.measuring import Figure, medians

_MEASURES = ("response_s", "ttft_s", "cost_usd", "router_s", "accuracy", "satisfaction", "judge_cost_usd")
_AGGREGATES = ", ".join(
    [
        "count(*)",
        "avg((status <> 'ok')::INT)",
        "avg(fell_back::INT)",
        "avg(escalated::INT)",
        "quantile_cont(response_s, [0.5, 0.95])",
        *(f"avg({one}), stddev_samp({one})" for one in _MEASURES),
    ]
)
REFERENCE = "DuckDB's aggregates"
_SCRIPT = """
import sys, duckdb
with duckdb.connect(sys.argv[1], read_only=True) as log:
    print(log.execute(sys.argv[2]).fetchall())
"""


def key_figures(folder: Path, rows: int, repeats: int) -> list[Figure]:
    """Return the times of the two commands on a log of `rows` rows."""
    home = folder / "large"
    home.mkdir()
    seed_log(home)
    in_another_process(repeat_rows, home, rows)
    alone = f"SELECT {_AGGREGATES} FROM served"
    compared = f"SELECT policy_version, task, {_AGGREGATES} FROM served WHERE NOT forced GROUP BY ALL"
    figures = []
    for command, query in ((("kpi",), alone), (("kpi", "--compare"), compared)):
        ours = command_line(home, *command, "--json")
        reference = [sys.executable, "-c", _SCRIPT, str(home / "zetaroute.duckdb"), query]
        used: dict[str, list[Used]] = {"ours": [], REFERENCE: []}

        def run(name: str, words: list[str], used: dict[str, list[Used]] = used) -> float:
            used[name].append(measured(words))
            return used[name][-1].elapsed_s

        found = medians(
            {"ours": partial(run, "ours", ours), REFERENCE: partial(run, REFERENCE, reference)}, repeats
        )
        processor = [min(one.cpu_s for one in turns) for turns in used.values()]
        figures.append(
            Figure(
                what=f"`{' '.join(command)}`, {rows:,} rows",
                seconds=found["ours"],
                reference=REFERENCE,
                reference_s=found[REFERENCE],
                note=f"processor {processor[0]:.1f} s beside {processor[1]:.1f} s",
            )
        )
    return figures
