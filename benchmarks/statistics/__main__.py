"""Measure what the statistics promise, on worlds made from the practice generator whose truth is known.

    python -m benchmarks.statistics [--quick] [--only loops] [--jobs 2]

Writes docs/measurements/simulations.md. The full size takes about three quarters of an hour on two cores; `--quick`,
to see that it runs, and `--only`, one section, print alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.statistics.chains import chains
from benchmarks.statistics.efforts import efforts
from benchmarks.statistics.loops import loops
from benchmarks.statistics.pacer import pacer
from benchmarks.statistics.promotions import promotions
from benchmarks.statistics.sizes import FULL, QUICK, Size
from benchmarks.statistics.tables import tables

PAGE = Path(__file__).parents[2] / "docs" / "measurements" / "simulations.md"
HEAD = [
    "# Simulations",
    "",
    "What the intervals and the contests promise, measured where the truth is known. Written by",
    "`make simulations`, seeds fixed. Worlds are made from the practice generator and practice models: small",
    "programs, not language models. What the whole loop does on recorded outcomes of real models stands in",
    "[evidence.md](evidence.md).",
    "",
]


SECTIONS: Mapping[str, Callable[[Size, int], list[str]]] = {
    "tables": tables,
    "promotions": promotions,
    "loops": loops,
    "chains": chains,
    "pacer": pacer,
    "efforts": efforts,
}


def main() -> None:
    """Simulate and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=SECTIONS)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    size = QUICK if asked.quick else FULL
    if asked.only:
        sys.stdout.write("\n".join(SECTIONS[asked.only](size, asked.jobs)) + "\n")
        return
    text = "\n".join([*HEAD, *simulations(size, jobs=asked.jobs)]) + "\n"
    if asked.quick:
        sys.stdout.write(text)
    else:
        PAGE.write_text(text, encoding="utf-8")


def simulations(size: Size = FULL, *, jobs: int = 2) -> list[str]:
    """Return the lines of Markdown that say what was measured."""
    return [line for section in SECTIONS.values() for line in section(size, jobs)]


if __name__ == "__main__":
    main()
