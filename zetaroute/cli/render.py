"""Where output goes: the answer or the JSON to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def say(text: str) -> None:
    """Write one line to standard error."""
    sys.stderr.write(text + "\n")


def out(text: str) -> None:
    """Write one line to standard output."""
    sys.stdout.write(text.encode("utf-8", "replace").decode("utf-8") + "\n")
    sys.stdout.flush()


def out_json(value: Any) -> None:
    """Write a JSON answer to standard output."""
    out(json.dumps(value, ensure_ascii=False, allow_nan=False))


def console(*, stderr: bool = False) -> Console:
    """Return a rich console that takes no markup from the text it shows."""
    from rich.console import Console

    wide = None if (sys.stderr if stderr else sys.stdout).isatty() else 140
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, width=wide)
