"""Logs that grow, and processes of our own that are measured from outside: seconds, processor, largest memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import duckdb

SMALL = 2000


def seed_log(home: Path) -> None:
    """Make a small log under two versions: cold, and what was learned from it."""
    run(home, "init")
    text = (home / "config.toml").read_text(encoding="utf-8")
    (home / "config.toml").write_text(
        text.replace('provider = "practice"', 'provider = "practice"\ndelay = 0'), encoding="utf-8"
    )
    for seed, promote in ((1, "force"), (2, "never")):
        queries = str(home / f"q{seed}.jsonl")
        run(home, "practice", "generate", "--rows", str(SMALL), "--seed", str(seed), "-o", queries)
        run(home, "batch", queries)
        run(home, "retrain", "--promote", promote)


def repeat_rows(home: Path, rows: int) -> None:
    """Repeat the rows of the log until there are `rows`."""
    with duckdb.connect(str(home / "zetaroute.duckdb")) as log:
        log.execute("SET enable_progress_bar = false")
        (have,) = log.execute("SELECT count(*) FROM outcomes").fetchone() or (0,)
        while have < rows:
            wanted = min(have, rows - have)
            log.execute(
                f"""CREATE OR REPLACE TEMP TABLE more AS
                    SELECT * REPLACE (uuidv7()::VARCHAR AS id, response_s * (0.9 + 0.2 * random()) AS response_s),
                           id AS old_id FROM outcomes LIMIT {wanted}"""
            )
            log.execute("INSERT INTO outcomes BY NAME SELECT * EXCLUDE old_id FROM more")
            log.execute(
                """INSERT INTO feedback BY NAME
                   SELECT feedback.* REPLACE (uuidv7()::VARCHAR AS id, more.id AS outcome_id)
                   FROM feedback JOIN more ON feedback.outcome_id = more.old_id"""
            )
            log.execute("DROP TABLE more")
            have += wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What a process took."""

    elapsed_s: float
    cpu_s: float
    mebibytes: float
    """Its largest memory."""


def measured(words: list[str], *, may_leave_with: int = 0) -> Used:
    """Run a process that must succeed, or may leave with another code, and return what it took."""
    start = time.perf_counter()
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    child = subprocess.Popen(words, **silent)  # noqa: S603  - our own command
    _, status, usage = os.wait4(child.pid, 0)
    if os.waitstatus_to_exitcode(status) not in {0, may_leave_with}:
        raise SystemExit(f"{' '.join(words)} failed with {os.waitstatus_to_exitcode(status)}")
    return Used(
        elapsed_s=time.perf_counter() - start,
        cpu_s=usage.ru_utime + usage.ru_stime,
        mebibytes=usage.ru_maxrss / 1024,
    )


def in_another_process(work: Callable[..., None], *given: object, **named: object) -> None:
    """Do some work elsewhere: a process that is started counts the memory of its parent as its own."""
    worker = get_context("spawn").Process(target=work, args=given, kwargs=named)
    worker.start()
    worker.join()
    if worker.exitcode:
        raise SystemExit(f"{work.__name__} failed with {worker.exitcode}")


def run(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run one command of zetaroute that must succeed."""
    call = command_line(home, *command)
    return subprocess.run(call, check=True, capture_output=True, text=True)  # noqa: S603  - our own command


def command_line(home: Path, *command: str) -> list[str]:
    """Return the words that start zetaroute as a process of its own."""
    return [sys.executable, "-m", "zetaroute", "--home", str(home), *command]
