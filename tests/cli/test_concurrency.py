"""Many processes on one home at once: every row is there and nobody is told of an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.cli.command import environment, ok, rows
from tests.support.waiting import PATIENCE_S

PROCESSES = 6
ASKS = 4
# One process asks several times, as a shell loop would, without paying for a new interpreter each time.
SCRIPT = """
import sys
from zetaroute.cli.app import main
home, name, asks = sys.argv[1:]
for number in range(int(asks)):
    sys.argv = ["zetaroute", "--quiet", "--home", home, "ask", "--rate", "4", f"{name}-{number}"]
    try:
        main()
    except SystemExit as left:
        if left.code:
            raise
"""


def test_many_processes_share_a_home(folder: Path) -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(folder), f"p{number}", str(ASKS)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        for number in range(PROCESSES)
    ]
    said = [process.communicate(timeout=PATIENCE_S) for process in running]
    assert [err.decode() for _, err in said] == [""] * PROCESSES
    assert [process.returncode for process in running] == [0] * PROCESSES
    wanted = sorted(f"p{process}-{number}" for process in range(PROCESSES) for number in range(ASKS))
    assert [row[0] for row in rows(folder, "SELECT query FROM outcomes ORDER BY query")] == wanted
    assert rows(folder, "SELECT count(*), count(rating) FROM rounds") == [(len(wanted), len(wanted))]
    assert list((folder / "journal").iterdir()) == []
    assert ok(folder, "kpi", "--json").json["rows"] == len(wanted)
