"""Measure what the statistics promise, on worlds made from the practice generator whose truth is known.

    python -m benchmarks.statistics.__main__ [--quick] [--jobs 2]

Writes docs/simulations.md: coverage of the 95% intervals, false promotions over 100 looks, power at the announced
size, canaries, and satisfaction when few rate. The full size takes about half an hour on two cores; `--quick` only
prints, to see that it runs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.statistics.canaries import canaries
from benchmarks.statistics.coverage import coverage
from benchmarks.statistics.looks import false_promotions
from benchmarks.statistics.power import power
from benchmarks.statistics.promotions import promotions
from benchmarks.statistics.ratings import ratings
from benchmarks.statistics.sizes import FULL, QUICK, Size
from benchmarks.statistics.tables import tables

PAGE = Path(__file__).parents[2] / "docs" / "simulations.md"
HEAD = [
    "# Simulations",
    "",
    "What the intervals, the gate and the canary promise, measured where the truth is known. Written by",
    "`make simulations`, seeds fixed. Worlds are made from the practice generator and practice models: small",
    "programs, not language models. What the whole loop does on recorded outcomes of real models stands in",
    "[evidence.md](evidence.md).",
    "",
]


def main() -> None:
    """Simulate and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    text = "\n".join([*HEAD, *simulations(QUICK if asked.quick else FULL, jobs=asked.jobs)]) + "\n"
    if asked.quick:
        sys.stdout.write(text)
    else:
        PAGE.write_text(text, encoding="utf-8")


def simulations(size: Size = FULL, *, jobs: int = 2) -> list[str]:
    """Return the lines of Markdown that say what was measured."""
    return [
        *coverage(size, jobs),
        *tables(size, jobs),
        *promotions(size, jobs),
        *false_promotions(size, jobs),
        *power(size, jobs),
        *canaries(size, jobs),
        *ratings(size, jobs),
    ]


if __name__ == "__main__":
    main()
