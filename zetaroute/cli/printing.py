"""Where output goes: the answer or the JSON to standard output, everything else to standard error.

A reader that leaves early (`| head`) is no error: what is still to be written goes nowhere, and the command does
the rest of its work.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from zetaroute.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console


PATIENCE_S = 1.0
"""How long a person waits without a sign of life."""
_AGO = re.compile(r"(\d+)([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def moment(text: str | None) -> str | None:
    """Return a moment in UTC as ISO 8601 for `2026-01-31`, `2026-01-31T12:00+01:00`, `7d`, `12h` or `30m`."""
    if text is None:
        return None
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            when = datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            when = datetime.fromisoformat(text)
        if when.tzinfo is not None:
            when = when.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise UsageError(f"{text!r} is no moment: write 2026-01-31, 7d, 12h or 30m.") from None
    return when.isoformat()


_LOST: list[str] = []
"""Why standard output took no more, where that was no reader who left."""


def say(text: str) -> None:
    """Write one line to standard error."""
    sys.stderr.write(text + "\n")


def write(text: str) -> None:
    """Write to standard output at once."""
    try:
        sys.stdout.write(text.encode("utf-8", "replace").decode("utf-8"))
        sys.stdout.flush()
    except BrokenPipeError:
        forget_reader()
    except OSError as error:
        # The answer was paid for: what is left of the work, its row in the log above all, is done first.
        forget_reader()
        _LOST.append(error.strerror or str(error))
        say(f"error: the answer cannot be written ({_LOST[-1]}): it is in the log, see `zetaroute log show`.")


def lost() -> bool:
    """Return whether standard output could not take what was written to it since this was last asked."""
    found = bool(_LOST)
    _LOST.clear()
    return found


def out(text: str) -> None:
    """Write one line to standard output."""
    write(text + "\n")


def out_json(value: Any) -> None:
    """Write a JSON answer to standard output; on a terminal, what could steer it is escaped."""
    import json

    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if sys.stdout.isatty():
        from zetaroute.report.terminal import steers

        text = "".join(json.dumps(one)[1:-1] if steers(one) else one for one in text)
    out(text)


def forget_reader() -> None:
    """Send what is still written to standard output nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def console(*, stderr: bool = False) -> Console:
    """Return a rich console that takes no markup from the text it shows."""
    from rich.console import Console

    class Quiet(Console):
        def on_broken_pipe(self) -> None:
            self.quiet = True
            forget_reader()

    wide = None if (sys.stderr if stderr else sys.stdout).isatty() else 140
    return Quiet(stderr=stderr, markup=False, highlight=False, emoji=False, width=wide)


@contextmanager
def telling(words: str, *, quiet: bool, after_s: float = 0.0) -> Iterator[Callable[[str], None] | None]:
    """Keep a line on a terminal at what it is told, with how long it takes; None unless a person sees it.

    It is shown from `after_s` on: what takes no longer needs no sign of life.
    """
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from threading import Timer

    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    shown = Progress(*columns, console=console(stderr=True), transient=True, redirect_stdout=not after_s)
    line = shown.add_task(words)
    waiting = Timer(after_s, shown.start)
    waiting.daemon = True
    waiting.start()
    try:
        yield lambda words: shown.update(line, description=words)
    finally:
        waiting.cancel()
        waiting.join()
        shown.stop()
