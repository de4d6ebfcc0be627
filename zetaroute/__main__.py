"""`python -m zetaroute` and the console script: a process that runs one command."""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import os
import sys
from dataclasses import dataclass

FEWEST_NEW = 150_000
"""Objects made and not yet freed before unreachable ones are looked for. An `ask` makes
90,000 of them, of which nearly all live to its end: to look through those even once takes a twentieth of it."""


def main() -> None:
    """Run the command line and leave with the exit code of the contract."""
    _open_closed_streams()
    _write_what_can_be_written()
    gc.set_threshold(FEWEST_NEW)
    end = _End()
    # Who registers first is called last: by then threads have ended, and everybody else has tidied up.
    atexit.register(end.leave)
    from zetaroute.cli.app import run

    end.code = run(sys.argv[1:])
    sys.exit(end.code)


def _open_closed_streams() -> None:
    """Send nowhere what goes to a stream that the parent process has closed.

    Left alone, no file either that is opened later, as the log, can come to lie under the stream's number.
    """
    # The lower number first: an opened file takes the lowest that is free.
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _write_what_can_be_written() -> None:
    """Write a question mark for a character that standard output cannot encode, as answers and queries may hold."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


@dataclass(slots=True)
class _End:
    """The end of the process."""

    code: int | None = None
    """None: the command has not come to its end."""

    def leave(self) -> None:
        """Leave without taking all modules apart, which takes a tenth of an `ask`.

        Nothing is lost: rows are on disk before an answer counts as kept, and files and connections are closed where
        they were opened. Output that is not read any more is left to the interpreter, which has a code for it.
        """
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
            if self.code is not None:
                os._exit(self.code)


if __name__ == "__main__":
    main()
