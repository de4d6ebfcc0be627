"""Measure the speed of everything a person waits for, each beside a reference.

    python -m benchmarks.speed [--large] [--repeats 11] [--only commands,decisions] [--gateways FOLDER]

The figures are printed. A run of all parts is kept in runs.jsonl and shown by measurements/performance.md, where the
last ten stand beside one another; with `--only` nothing is kept.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.speed.measuring import Figure
from benchmarks.speed.page import Run, add_run, latest

Part = Callable[[Path, argparse.Namespace], list[Figure]]


def _commands(folder: Path, asked: argparse.Namespace) -> list[Figure]:
    from benchmarks.speed.commands import commands

    return commands(folder, asked.repeats)


def _decisions(folder: Path, asked: argparse.Namespace) -> list[Figure]:
    from benchmarks.speed.decisions import decisions

    return decisions(folder, asked.repeats)


def _chains(folder: Path, asked: argparse.Namespace) -> list[Figure]:
    from benchmarks.speed.chains import chains

    return chains(folder, asked.repeats)


def _batches(folder: Path, asked: argparse.Namespace) -> list[Figure]:
    from benchmarks.speed.batches import batches

    return batches(folder, max(asked.repeats // 4, 1))


def _serving(folder: Path, asked: argparse.Namespace) -> list[Figure]:
    from benchmarks.speed.serving import serving

    return serving(folder, asked.requests, asked.gateways if asked.large else None)


def _key_figures(folder: Path, asked: argparse.Namespace) -> list[Figure]:
    from benchmarks.speed.large_logs import key_figures

    sizes = {10_000_000: 1, 1_000_000: 2} if asked.large else {100_000: max(asked.repeats // 4, 1)}
    return [one for rows, repeats in sizes.items() for one in key_figures(folder, rows, repeats)]


def _retrains(folder: Path, asked: argparse.Namespace) -> list[Figure]:
    from benchmarks.speed.retrains import retrains

    return retrains(folder, [1_000_000] if asked.large else [10_000, 100_000])


def _peers(folder: Path, asked: argparse.Namespace) -> list[Figure]:
    from benchmarks.speed.peers import peers

    return peers(folder, asked.gateways)


def _clusters(folder: Path, _: argparse.Namespace) -> list[Figure]:
    from benchmarks.speed.clusters import clusters

    return clusters(folder)


SMALL: dict[str, Part] = {
    "commands": _commands,
    "decisions": _decisions,
    "chains": _chains,
    "batches": _batches,
    "serving": _serving,
    "key_figures": _key_figures,
    "retrains": _retrains,
}
LARGE: dict[str, Part] = {
    "serving": _serving,
    "peers": _peers,
    "key_figures": _key_figures,
    "retrains": _retrains,
    "clusters": _clusters,
}


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--large", action="store_true", help="what takes longer")
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--requests", type=int, default=400, help="of each server")
    parser.add_argument("--only", default="", help=f"some of {', '.join(SMALL | LARGE)}")
    parser.add_argument(
        "--gateways", type=Path, default=Path(".gateways"), help="where `make bench-large` put other programs"
    )
    asked = parser.parse_args()
    parts = LARGE if asked.large else SMALL
    run = Run.begun("bench-large" if asked.large else "bench")
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.only.split(",") if asked.only else parts:
            found = parts[name](Path(folder), asked)
            sys.stderr.write(f"{name}: {len(found)} figures\n")
            figures += found
    run = replace(run, figures=figures)
    sys.stdout.write("\n".join(latest(run)) + "\n")
    if not asked.only:
        add_run(run)


if __name__ == "__main__":
    main()
