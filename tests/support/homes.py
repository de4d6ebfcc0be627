"""Homes whose practice models answer at once, and such with graded rows to learn from."""

from __future__ import annotations

import re
from pathlib import Path

from tests.cli.command import ok
from zetaroute.config import default_config_text


def instant(config: str) -> str:
    """Return a config with practice models that do not wait, and without audits."""
    config = config.replace("# [audit]", "[audit]\nshare = 0")
    return re.sub(r'(?m)^provider = "practice".*$', 'provider = "practice"\ndelay = 0', config)


def practice_home(home: Path, *, rows: int, seed: int, audited: bool = False) -> Path:
    """Make a home at an empty or missing folder and route so many practice rows in it."""
    home.mkdir(exist_ok=True)
    config = instant(default_config_text())
    if audited:
        config = config.replace("[audit]\nshare = 0", "[audit]")
    (home / "config.toml").write_text(config, encoding="utf-8")
    route(home, rows=rows, seed=seed)
    return home


def route(home: Path, *words: str, rows: int, seed: int) -> None:
    """Route and grade so many practice rows by `batch` with these words."""
    queries = home / f"q{seed}.jsonl"
    ok(home, "practice", "generate", "--rows", str(rows), "--seed", str(seed), "-o", str(queries))
    ok(home, "batch", str(queries), *words)
