"""Many processes ask on one home at once: every row is there, and nobody is told of an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.cli.command import environment, ok, rows
from tests.cli.conftest import says
from tests.providers.loopback import ModelServer

from .conftest import make_home, model, size

PROCESSES = size(3, 16)
ASKS = size(4, 50)
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


def test_every_ask_of_every_process_is_one_row(tmp_path: Path, server: ModelServer) -> None:
    server.reply(says(lambda seen: "re " + seen.body["messages"][-1]["content"]))
    home = make_home(tmp_path / "home", model("one/m1", server.url), model("two/m2", server.url))
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(home), f"p{number}", str(ASKS)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        for number in range(PROCESSES)
    ]
    said = [process.communicate(timeout=600) for process in running]
    assert [err.decode() for _, err in said] == [""] * PROCESSES
    assert [process.returncode for process in running] == [0] * PROCESSES
    wanted = sorted(f"p{process}-{number}" for process in range(PROCESSES) for number in range(ASKS))
    assert [out.decode().split("\n") for out, _ in said] == [
        [f"re p{process}-{number}" for number in range(ASKS)] + [""] for process in range(PROCESSES)
    ]
    assert [row[0] for row in rows(home, "SELECT query FROM outcomes ORDER BY query")] == wanted
    assert rows(home, "SELECT count(*), count(rating) FROM rounds") == [(len(wanted), len(wanted))]
    assert len(server.seen) == len(wanted)
    assert list((home / "journal").iterdir()) == []
    assert ok(home, "kpi", "--json").json["rows"] == len(wanted)
