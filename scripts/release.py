"""The notes of a release, from the changelog: `python -m scripts.release`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from zetaroute.version import __version__

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"


def notes(changelog: str, version: str) -> str:
    """Return what a changelog says of a version; raise ValueError where it says nothing."""
    found = re.search(
        rf"^## {re.escape(version)} - (.+?)\n(.*?)(?=^## |\Z)", changelog, re.DOTALL | re.MULTILINE
    )
    if found is None or not found[2].strip():
        raise ValueError(f"CHANGELOG.md has nothing under `## {version} - DATE`: write it first.")
    return f"# zetaroute {version} ({found[1]})\n\n{found[2].strip()}\n"


if __name__ == "__main__":
    try:
        sys.stdout.write(notes(CHANGELOG.read_text("utf-8"), __version__))
    except ValueError as error:
        sys.exit(f"error: {error}")
