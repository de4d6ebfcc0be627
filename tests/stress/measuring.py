"""Run the program as a process of its own and measure what it took.

Apart from the other runners because only `wait4` tells the memory of one child.
"""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.cli.command import Said, command, environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a run said and took."""

    said: Said
    elapsed_s: float
    peak_mib: float


def measured(home: Path, *arguments: str, limit: Callable[[], None] | None = None, **env: str) -> Measured:
    """Run one command; `limit` is called in the child before the program starts."""
    started_at = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            command(home, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environment(**env),
            preexec_fn=limit,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        for stream in (out, err):
            stream.seek(0)
        said = Said(code=process.returncode, out=out.read().decode(), err=err.read().decode())
    return Measured(said=said, elapsed_s=time.monotonic() - started_at, peak_mib=used.ru_maxrss / 1024)


def file_size_limit(size: int) -> Callable[[], None]:
    """Return a limit on the size of any file that the child writes; writing more fails as on a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
