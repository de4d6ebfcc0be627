"""Measure what the statistics promise, on worlds made from the practice generator whose truth is known.

    python -m benchmarks.statistics.__main__ [--quick] [--jobs 2]

Writes docs/simulations.md: coverage of the table of before and after. The full size takes about half an hour on two
cores; `--quick` only prints, to see that it runs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.statistics.loops import loops
from benchmarks.statistics.promotions import promotions
from benchmarks.statistics.sizes import FULL, QUICK, Size
from benchmarks.statistics.tables import tables

PAGE = Path(__file__).parents[2] / "docs" / "simulations.md"
HEAD = [
    "# Simulations",
    "",
    "What the intervals and the contests promise, measured where the truth is known. Written by",
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
        *tables(size, jobs),
        *promotions(size, jobs),
        *loops(size, jobs),
    ]


if __name__ == "__main__":
    main()
