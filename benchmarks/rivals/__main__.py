"""Write docs/measurements/rivals.md: other routers on the recorded outcomes in a folder.

    python -m benchmarks.rivals BENCH_DIR [--seeds 10] [--loops 3] [--sets ulab9,bfcl]

From the root of the checkout; the rivals that are not installed (`pip install -e .[rivals]`) are left out by name.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from benchmarks.learner.recorded import POOL, WEIGHTS, objective
from benchmarks.rivals.marking import full_information, streamed
from benchmarks.rivals.page import written
from benchmarks.rivals.streamed import STREAMED
from benchmarks.rivals.taught import TAUGHT
from zetaroute.bench.datasets import read_recordings

PAGE = Path(__file__).parents[2] / "docs" / "measurements" / "rivals.md"


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench_dir", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--loops", type=int, default=3, help="seeds of zetaroute's own loop")
    parser.add_argument("--sets", default=",".join(WEIGHTS))
    parser.add_argument("--page", type=Path, default=PAGE)
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    installed = [entry for entry in STREAMED if entry.version() is not None]
    taught, streams = {}, {}
    for name in asked.sets.split(","):
        path = asked.bench_dir / f"{name}.parquet"
        if not path.is_file():
            continue
        recordings = read_recordings(path, models=POOL if name == "bfcl" else None)
        values = {label: objective(dollar, second) for label, dollar, second in WEIGHTS[name]}
        taught[name] = {
            label: full_information(recordings, worth, TAUGHT, seed=0) for label, worth in values.items()
        }
        ends = dict.fromkeys((next(iter(values)), next(reversed(values))))
        streams[name] = {
            label: streamed(recordings, values[label], installed, seeds=range(asked.seeds), loops=asked.loops)
            for label in ends
        }
    page = written(taught, streams, STREAMED, seeds=asked.seeds, loops=asked.loops)
    asked.page.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
