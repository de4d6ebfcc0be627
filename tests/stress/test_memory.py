"""A large input needs no more memory than a small one."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from .conftest import size
from .measuring import measured

MEGABYTES = size(12, 300)
ASKED = size(50, 500)
GROWTH_MIB = 30
"""What may come on top, for noise: a list of the rows would take twice the file."""


def write_input(file: Path, megabytes: int) -> int:
    """Write some rows to ask, and then rows that repeat their ids with other words; return how many rows."""
    padding, count = "x" * 900, 0
    with open(file, "wb") if file.suffix != ".gz" else gzip.open(file, "wb", 1) as out:
        written = 0
        while written < megabytes * 1_000_000:
            row = {
                "query": f"What is {count} + 1?" + (padding if count >= ASKED else ""),
                "custom_id": f"q{count % ASKED}" if count % 2 else f"q{count % ASKED}" * 3,
                "metadata": {"number": count},
            }
            written += out.write(json.dumps(row).encode() + b"\n")
            count += 1
    return count


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_memory_does_not_grow_with_the_input(tmp_path: Path, instant_config: str, suffix: str) -> None:
    peaks = []
    for megabytes in (1, MEGABYTES):
        home = tmp_path / str(megabytes)  # of its own: the log of a first run would be read by the second
        home.mkdir()
        (home / "config.toml").write_text(instant_config, encoding="utf-8")
        file = tmp_path / f"{megabytes}.jsonl{suffix}"
        count = write_input(file, megabytes)
        took = measured(home, "batch", str(file), "--json")
        assert took.said.code == 0, took.said.err
        result = took.said.json
        assert (result["rows"], result["answered"]) == (count, ASKED)
        assert result["bad_lines"] == count - ASKED
        peaks.append(took.peak_mib)
        file.unlink()
    assert peaks[1] - peaks[0] < GROWTH_MIB, peaks
