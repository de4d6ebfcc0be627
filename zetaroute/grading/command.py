"""A program of the user's own marks one answer: no shell, a time limit for all that it starts, no keys."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from zetaroute.config import CommandGrader

CASE = "ZETAROUTE_CASE"
"""The variable that tells a program what was asked."""
_OUTPUT_LIMIT = 1024 * 1024
_COMPLAINT_KEPT = 64 * 1024
_CASE_LIMIT = 100_000
"""Bytes; Linux takes 128 KiB in one variable."""
_PASSED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|PWD|LANG|LANGUAGE|LC_[A-Z]+|TZ|TERM|TMPDIR|TEMP|TMP|PYTHON[A-Z]+|VIRTUAL_ENV|NODE_PATH"
    r"|LD_LIBRARY_PATH|DYLD_[A-Z_]+|SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|PATHEXT|APPDATA|LOCALAPPDATA|USERPROFILE"
    r"|PROGRAMDATA|PROGRAMFILES|XDG_[A-Z_]+",
    re.IGNORECASE,
)
"""What a program needs to run; everything else may hold a secret under any name."""
_END_S = 5.0
_STACK = re.compile(r"^Traceback \(most recent call last\):|^ {4}at .*:\d+:\d+\)?$", re.MULTILINE)
"""What Python and Node.js write when a program breaks; both leave with 1, as one that says "wrong" does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """What a program made of an answer."""

    score: float | None
    note: str | None
    """Why there is no score."""
    response_s: float


async def mark(
    grader: CommandGrader,
    *,
    answer: str,
    query: str,
    reference: str | None,
    task: str | None,
    secret: Collection[str],
    folder: Path | None,
) -> Marked:
    """Run the grader's program in `folder` with the answer on standard input and return its score.

    The variable ZETAROUTE_CASE holds query (cut where all would be longer than 100,000 bytes), reference and task
    as JSON; variables named in `secret`, or like a secret, are kept from it. At the time limit, or above 1 MiB of
    output, the program is killed with its whole process group.
    """
    started_at = time.perf_counter()
    try:
        variables = _environment(os.environ, secret) | {CASE: _case(query, reference, task)}
        process = await _started(grader, variables, folder)
    except (OSError, ValueError) as error:
        return _unmarked(f"cannot be started ({getattr(error, 'strerror', None) or error})", started_at)
    try:
        async with asyncio.timeout(grader.timeout_s):
            _, output, complaint = await asyncio.gather(
                _feed(process, answer.encode("utf-8", "replace")),
                _output(process),
                _complaint(process),
            )
            code = await process.wait()
    except TimeoutError:
        return _unmarked(f"was killed after {grader.timeout_s:g} s", started_at)
    finally:
        await _end(process)
    if output is None:
        return _unmarked("was killed: it printed more than 1 MiB", started_at)
    score, reason = program_score(
        code, output.decode("utf-8", "replace"), complaint.decode("utf-8", "replace")
    )
    return Marked(score=score, note=reason, response_s=time.perf_counter() - started_at)


def program_score(code: int, output: str, complaint: str) -> tuple[float | None, str | None]:
    """Return the score 0..1 of a program's exit code and standard output, or None with the reason.

    A number on the last line of the output that is not blank is the score; else 0 is right and 1 is wrong. Any
    other code, a number outside 0..1, and a 1 from a program that broke (its `complaint` holds a stack trace, but
    not of a failed assertion) are no grade: a mistake of the program is no wrong answer.
    """
    if code not in {0, 1}:
        return None, f"left with exit code {code}"
    if code == 1 and _STACK.search(complaint) and "AssertionError" not in complaint:
        return None, f"broke: {complaint.strip().splitlines()[-1][:200]}"
    lines = output.strip().splitlines()
    try:
        score = float(lines[-1]) if lines else None
    except ValueError:
        score = None
    if score is None:
        return float(code == 0), None
    if not 0 <= score <= 1:
        return None, f"printed the score {lines[-1].strip()[:40]}, which is not between 0 and 1"
    return score, None


async def _started(
    grader: CommandGrader, variables: Mapping[str, str], folder: Path | None
) -> asyncio.subprocess.Process:
    """Start the program in a process group of its own; raises OSError or ValueError."""
    return await asyncio.create_subprocess_exec(
        *grader.command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env=variables,
        start_new_session=True,
    )


def _unmarked(reason: str, started_at: float) -> Marked:
    return Marked(score=None, note=reason, response_s=time.perf_counter() - started_at)


def _case(query: str, reference: str | None, task: str | None) -> str:
    """Return the case as ASCII; raise ValueError when it is too long even without the query."""
    room = _CASE_LIMIT - len(json.dumps({"query": "", "reference": reference, "task": task}))
    if room < 0:
        raise ValueError("the reference is too long to be passed to a program")
    kept = query[:room]
    while len(json.dumps(kept)) > room + 2:
        kept = kept[: len(kept) * 3 // 4]
    return json.dumps({"query": kept, "reference": reference, "task": task})


def _environment(variables: Mapping[str, str], secret: Collection[str]) -> dict[str, str]:
    return {
        name: value for name, value in variables.items() if name not in secret and _PASSED_ON.fullmatch(name)
    }


async def _feed(process: asyncio.subprocess.Process, answer: bytes) -> None:
    # A program may decide without having read everything, or anything.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        if process.stdin is not None:
            process.stdin.write(answer)
            await process.stdin.drain()
            process.stdin.close()
            await process.stdin.wait_closed()


async def _output(process: asyncio.subprocess.Process) -> bytes | None:
    """Return what the program prints; kill it and return None when that is too much."""
    found = b""
    while process.stdout is not None and (piece := await process.stdout.read(65536)):
        found += piece
        if len(found) > _OUTPUT_LIMIT:
            _kill(process)
            return None
    return found


async def _complaint(process: asyncio.subprocess.Process) -> bytes:
    """Return the end of what the program writes to standard error."""
    found = b""
    while process.stderr is not None and (piece := await process.stderr.read(65536)):
        found = (found + piece)[-_COMPLAINT_KEPT:]
    return found


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        # Windows has no groups of processes.
        kill_group = getattr(os, "killpg", None)
        if kill_group is None:
            process.kill()
        else:
            kill_group(process.pid, signal.SIGKILL)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Leave nothing of the program running that is still there."""
    if process.returncode is None:
        _kill(process)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_S):
                await process.wait()
