"""Whole commands from outside: how long until the first byte stands on the screen, and until the prompt is back."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.homes import learned_home, serve_from
from benchmarks.speed.large_log import command_line
from benchmarks.speed.measuring import Figure
from benchmarks.speed.server import model_server

QUESTION = "How many days are there from 3 March 2024 to 17 May 2024?"
BARE = """
import sys, httpx
body = {"model": "m", "messages": [{"role": "user", "content": sys.argv[2]}], "stream": False}
answer = httpx.post(sys.argv[1] + "/chat/completions", json=body)
print(answer.json()["choices"][0]["message"]["content"])
"""
SCRIPT, TYPER = "httpx script", "`import typer`"
COMPLETION = {
    "_ZETAROUTE_COMPLETE": "complete_bash",
    "COMP_WORDS": "zetaroute ask --pre",
    "COMP_CWORD": "2",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """A process to start."""

    words: Sequence[str]
    environment: Mapping[str, str]


def commands(folder: Path, repeats: int) -> list[Figure]:
    """Return the times of `ask`, `--help` and completion as processes of their own."""
    cold, learned = folder / "cold", folder / "learned"
    learned_home(learned)
    with model_server() as url:
        for home in (cold, learned):
            serve_from(home, url)
        calls = {
            SCRIPT: _Call(words=[sys.executable, "-c", BARE, url, QUESTION], environment={}),
            "cold": _Call(words=command_line(cold, "ask", QUESTION), environment={}),
            "learned": _Call(words=command_line(learned, "ask", QUESTION), environment={}),
            TYPER: _Call(words=[sys.executable, "-c", "import typer"], environment={}),
            "help": _Call(words=[sys.executable, "-m", "zetaroute", "--help"], environment={}),
            "completion": _Call(words=[sys.executable, "-m", "zetaroute"], environment=COMPLETION),
        }
        first, last = _turns(calls, repeats)
    figures = [
        Figure(what=f"`ask`, {policy}: {until}", value=seconds, reference=SCRIPT, beside=last[SCRIPT])
        for policy, name in (("cold start", "cold"), ("learned policy of 12 models", "learned"))
        for until, seconds in (("first word", first[name]), ("back at the prompt", last[name]))
    ]
    return figures + [
        Figure(what=what, value=last[name], reference=TYPER, beside=last[TYPER])
        for what, name in (("`--help`", "help"), ("shell completion", "completion"))
    ]


def _turns(calls: Mapping[str, _Call], repeats: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return the median seconds until the first byte and until the end of every call."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            seconds = _watched(call)
            if turn:
                found[name].append(seconds)
    first, last = (
        {name: statistics.median(one[place] for one in times) for name, times in found.items()}
        for place in (0, 1)
    )
    return first, last


def _watched(call: _Call) -> tuple[float, float]:
    """Return the seconds until the first byte on standard output and until the process has ended."""
    start = time.perf_counter()
    with subprocess.Popen(  # noqa: S603  - our own commands
        call.words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **call.environment},
    ) as process:
        assert process.stdout is not None  # noqa: S101  - it is a pipe
        os.read(process.stdout.fileno(), 1)
        first_s = time.perf_counter() - start
        process.stdout.read()
        code = process.wait()
        last_s = time.perf_counter() - start
    if code:
        raise SystemExit(f"{' '.join(call.words[:4])} ... left with {code}")
    return first_s, last_s
