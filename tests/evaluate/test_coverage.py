"""The simulations behind docs/measurements/evidence.md run, at a size that shows only whether they do."""

from __future__ import annotations

import re

from benchmarks.statistics.__main__ import simulations
from benchmarks.statistics.sizes import QUICK


def test_every_table_is_written():
    lines = simulations(QUICK, jobs=1)
    assert [line for line in lines if line.startswith("## ")] == [
        "## The table of before and after",
        "## What a promotion shows",
        "## Contests",
        "## Chains",
        "## A budget that tapers",
        "## One model at several efforts",
    ]
    assert [line.split(" | ")[3] for line in lines if line.startswith("| answers tell |")] == ["1.000"]
    assert any(line.startswith("audited and looked at after every line, 0.000") for line in lines)
    assert not any(re.search(r"\bnan\b", line) for line in lines)
