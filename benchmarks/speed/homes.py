"""The homes that are measured: twelve models, learned from practice answers, then served from loopback."""

from __future__ import annotations

from pathlib import Path

from benchmarks.speed.large_log import run

ARMS = 12
ROWS = 4000
_HEAD = "schema_version = 1\n[ratings]\nask_share = 0\n[audit]\nshare = 0\n"


def learned_home(home: Path) -> None:
    """Make a home with a policy for ARMS models, learned from ROWS practice queries."""
    home.mkdir()
    sizes = ("small", "medium", "large")
    places = [f'provider = "practice"\nmodel = "{sizes[number % 3]}"\ndelay = 0' for number in range(ARMS)]
    _configure(home, places)
    queries = home / "queries.jsonl"
    run(home, "practice", "generate", "--rows", str(ROWS), "--seed", "7", "-o", str(queries))
    run(home, "batch", str(queries))
    run(home, "retrain", "--promote", "force")


def serve_from(home: Path, url: str) -> None:
    """Let the models of a home answer from an OpenAI-compatible server."""
    home.mkdir(exist_ok=True)
    _configure(home, [f'provider = "openai"\nbase_url = "{url}"'] * ARMS)


def _configure(home: Path, places: list[str]) -> None:
    models = [
        f'[[models]]\nid = "m/{number}"\n{place}\nprice = {{ input = {number + 1}, output = {number + 1} }}\n'
        for number, place in enumerate(places)
    ]
    (home / "config.toml").write_text(_HEAD + "".join(models), encoding="utf-8")
