"""Run the program as a process of its own and measure what it took.

Apart from the other runners because only `wait4` tells the memory of one child. A child's peak counts the memory
of the process that started it, so a small launcher stands between the tests, which are large, and the program.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.cli.command import Said, command, environment

_LAUNCHER = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[2:])
_, status, used = os.wait4(process.pid, 0)
with open(sys.argv[1], "w") as file:
    file.write(str(used.ru_maxrss))
os._exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a run said and took."""

    said: Said
    peak_mib: float


def measured(home: Path, *arguments: str, file_blocks: int | None = None, **env: str) -> Measured:
    """Run one command; with `file_blocks` no file that it writes gets larger than so many blocks of 512 bytes.

    Writing more fails then, much as on a full disk.
    """
    words = command(home, *arguments)
    if file_blocks is not None:
        words = ["sh", "-c", f'ulimit -f {file_blocks}; exec "$@"', "sh", *words]
    with tempfile.TemporaryDirectory() as folder:
        peak = Path(folder) / "peak"
        done = subprocess.run(
            [sys.executable, "-c", _LAUNCHER, str(peak), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment(**env),
            check=False,
        )
        peak_kib = int(peak.read_text())
    said = Said(code=done.returncode, out=done.stdout, err=done.stderr)
    return Measured(said=said, peak_mib=peak_kib / 1024)
