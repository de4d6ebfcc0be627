"""Run the program as a process of its own and measure what it took.

Apart from the other runners because only `wait4` tells the memory of one child.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.cli.command import Said, command, environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a run said and took."""

    said: Said
    elapsed_s: float
    peak_mib: float


def measured(home: Path, *arguments: str, file_blocks: int | None = None, **env: str) -> Measured:
    """Run one command; with `file_blocks` no file that it writes gets larger than so many blocks of 512 bytes.

    Writing more fails then, much as on a full disk.
    """
    words = command(home, *arguments)
    if file_blocks is not None:
        words = ["sh", "-c", f'ulimit -f {file_blocks}; exec "$@"', "sh", *words]
    started_at = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environment(**env),
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        for stream in (out, err):
            stream.seek(0)
        said = Said(code=process.returncode, out=out.read().decode(), err=err.read().decode())
    return Measured(said=said, elapsed_s=time.monotonic() - started_at, peak_mib=used.ru_maxrss / 1024)
