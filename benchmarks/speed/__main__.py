"""Measure the speed of everything a person waits for, each beside a reference.

    python -m benchmarks.speed [--repeats 11] [--rows 1000000] [--retrain 10000,100000] [--only commands,decisions]

The figures are printed and put on top of measurements/performance.md. Retrains are measured only for the sizes that
`--retrain` names; a million rows take several minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.speed.measuring import Figure
from benchmarks.speed.page import add_to_page, section

PARTS = ("commands", "decisions", "chains", "batches", "key_figures")
LARGEST_REFERENCE = 100_000
"""Rows up to which a plain fit is measured beside a retrain."""


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the log that kpi reads")
    parser.add_argument("--retrain", default="", help="sizes of the logs that are learned from")
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}; empty for none")
    parser.add_argument("--print", action="store_true", help="leave the page as it is")
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.retrain.split(",") if size]
    with tempfile.TemporaryDirectory() as folder:
        figures, notes = _measured(Path(folder), asked.only.split(","), sizes, asked)
    sys.stdout.write("\n".join(section(figures, notes)) + "\n")
    if not asked.print:
        add_to_page(figures, notes)


def _measured(
    folder: Path, parts: list[str], sizes: list[int], asked: argparse.Namespace
) -> tuple[list[Figure], list[str]]:
    figures, notes = [], []
    if "commands" in parts:
        from benchmarks.speed.commands import commands

        figures += commands(folder, asked.repeats)
    if "decisions" in parts:
        from benchmarks.speed.decisions import decisions

        figures += decisions(folder, asked.repeats)
    if "chains" in parts:
        from benchmarks.speed.chains import chains

        figures += chains(folder, asked.repeats)
    if "batches" in parts:
        from benchmarks.speed.batches import batches

        figures += batches(folder, max(asked.repeats // 4, 1))
    if "key_figures" in parts:
        from benchmarks.speed.key_figures import key_figures

        figures += key_figures(folder, asked.rows, max(asked.repeats // 4, 1))
    if sizes:
        from benchmarks.speed.retrains import retrains

        growth = retrains(folder, sizes, reference_up_to=LARGEST_REFERENCE)
        figures += growth.figures
        if growth.exponent is not None:
            notes.append(
                f"Growth exponent of a full `retrain` from {sizes[0]:,} rows on: {growth.exponent:.2f}."
            )
    return figures, notes


if __name__ == "__main__":
    main()
