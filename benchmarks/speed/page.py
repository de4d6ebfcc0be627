"""docs/measurements/performance.md, rendered from the runs that runs.jsonl keeps: the last ten of either command."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.speed.measuring import Figure

PAGE = Path(__file__).parents[2] / "docs" / "measurements" / "performance.md"
HEAD, RUNS = (Path(__file__).with_name(name) for name in ("page_head.md", "runs.jsonl"))
LAST = 10
TITLES = {"bench": "Up to 100,000 rows, `make bench`", "bench-large": "Larger ones, `make bench-large`"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one command has measured, and when and where."""

    command: str
    """A key of TITLES."""
    time: str
    commit: str
    load: float
    """Of the machine over the minute before it began."""
    machine: str
    figures: Sequence[Figure]
    notes: Sequence[str] = field(default=())

    @classmethod
    def begun(cls, command: str) -> Run:
        """Return a run that begins now, with nothing measured yet."""
        return cls(
            command=command,
            time=f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
            commit=_commit(),
            load=round(os.getloadavg()[0], 1),
            machine=f"{platform.system()}, {os.cpu_count()} processors, Python {platform.python_version()}",
            figures=(),
        )


def add_run(run: Run, *, runs: Path = RUNS, page: Path = PAGE) -> None:
    """Keep a run, let those before the last ten of its command go, and write the page."""
    kept = [*read_runs(runs), run]
    kept = [one for name in TITLES for one in [each for each in kept if each.command == name][-LAST:]]
    runs.write_text("".join(json.dumps(asdict(one)) + "\n" for one in kept), encoding="utf-8")
    page.write_text(rendered(kept), encoding="utf-8")


def read_runs(runs: Path = RUNS) -> list[Run]:
    """Return the runs that are kept, the oldest of a command first."""
    if not runs.exists():
        return []
    stored = map(json.loads, runs.read_text(encoding="utf-8").splitlines())
    return [Run(**{**one, "figures": [Figure(**figure) for figure in one["figures"]]}) for one in stored]


def rendered(runs: Sequence[Run]) -> str:
    """Return the page: for each command its latest run, and the ratios of all that are kept."""
    lines = [HEAD.read_text(encoding="utf-8").rstrip()]
    for command, title in TITLES.items():
        mine = [run for run in runs if run.command == command]
        if mine:
            lines += ["", f"## {title}", "", *latest(mine[-1]), "", *history(mine)]
    return "\n".join(lines) + "\n"


def latest(run: Run) -> list[str]:
    """Return the table of all that one run has measured, in Markdown."""
    return [
        f"{run.time}, {run.commit}: {run.machine}; load over the minute before {run.load}.",
        "",
        "| what | zetaroute | reference | its | ratio | |",
        "| --- | ---: | --- | ---: | ---: | --- |",
        *(
            f"| {one.what} | {_amount(one.value, one)} | {one.reference} | {_amount(one.beside, one)} "
            f"| {_ratio(one)} | {one.note} |"
            for one in run.figures
        ),
        *(f"\n{note}" for note in run.notes),
    ]


def history(runs: Sequence[Run]) -> list[str]:
    """Return the ratios to the references by run, the latest run first, in Markdown: a row per figure."""
    newest = runs[::-1]
    found = [{(one.what, one.reference): one for one in run.figures} for run in newest]
    names = dict.fromkeys(name for figures in found for name in figures)
    heads = (f"{run.time}<br>{run.commit}<br>load {run.load}" for run in newest)
    rows = (
        (what, reference, *(_ratio(figures.get((what, reference))) for figures in found))
        for what, reference in names
    )
    return [
        "The ratios of the last runs:" if len(runs) > 1 else "The ratios:",
        "",
        f"| what | beside | {' | '.join(heads)} |",
        f"| --- | --- |{' ---: |' * len(runs)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607  - whichever git the developer has
        capture_output=True,
        text=True,
        check=False,
        cwd=PAGE.parent,
    )
    return done.stdout.strip() or "no commit"


def _amount(amount: float | None, figure: Figure) -> str:
    if amount is None:
        return "-"
    if figure.unit != "s":
        return f"{amount:.0f} {figure.unit}"
    return f"{amount * 1e3:.2f} ms" if amount < 0.05 else f"{amount:.3g} s"


def _ratio(figure: Figure | None) -> str:
    return "-" if figure is None or figure.ratio is None else f"{figure.ratio:.2f}"
