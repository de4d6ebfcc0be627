"""Run the program as a person does: in this process where that is enough, as a process of its own elsewhere.

It lives beside the tests of the command line; those of the flows and of the imports use it too.
"""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
import traceback
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from tests.support.waiting import PATIENCE_S

with warnings.catch_warnings():
    # typer asks click for names that click 9 will not have; that is between the two of them.
    warnings.simplefilter("ignore", DeprecationWarning)
    from zetaroute.cli.app import main
from zetaroute.config import Home
from zetaroute.projections import log_of

TYPES = {"number": (int, float), "text": str, "truth": bool, "list": list, "object": dict}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a run left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value on standard output."""
        return json.loads(self.out)

    @property
    def errors(self) -> list[str]:
        """The error lines on standard error."""
        return [line for line in self.err.splitlines() if line.lower().startswith("error:")]


class _Stream(io.TextIOWrapper):
    """A standard stream that keeps what is written to it."""

    buffer: io.BytesIO


def run(home: Path, *arguments: str, stdin: bytes = b"") -> Said:
    """Run one command in this process and return what it said, a traceback included."""
    streams = [_Stream(io.BytesIO(), encoding="utf-8", newline="\n") for _ in range(2)]
    typed = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    kept, sys.argv = sys.argv, ["zetaroute", "--home", str(home), *arguments]
    before, sys.stdin = sys.stdin, typed
    try:
        with redirect_stdout(streams[0]), redirect_stderr(streams[1]):
            try:
                main()
            except SystemExit as left:
                code = left.code
            except Exception:
                traceback.print_exc()
                code = 1
    finally:
        sys.argv, sys.stdin = kept, before
    for stream in streams:
        stream.flush()
    texts = [stream.buffer.getvalue().decode("utf-8") for stream in streams]
    assert isinstance(code, int), code
    return Said(code=code, out=texts[0], err=texts[1])


def ok(home: Path, *arguments: str, stdin: bytes = b"") -> Said:
    """Run one command that must succeed."""
    said = run(home, *arguments, stdin=stdin)
    assert said.code == 0, said.err
    return said


def refused(said: Said, code: int) -> str:
    """Return the one sentence with which a run was refused; anything else than one sentence fails."""
    assert said.code == code, said.err
    assert "Traceback" not in said.err
    assert len(said.errors) == 1, said.err
    assert said.out == ""
    assert said.errors[0].endswith((".", "?")), said.errors[0]
    return said.errors[0]


def command(home: Path, *arguments: str) -> list[str]:
    """Return the words that start the program as a process of its own."""
    return [sys.executable, "-m", "zetaroute", "--home", str(home), *arguments]


def environment(**changed: str) -> dict[str, str]:
    """Return this environment without what would change how the program looks or starts, and with the changes."""
    unwanted = {"NO_COLOR", "FORCE_COLOR", "ZETAROUTE_HOME", "COLUMNS"}
    unwanted |= {"PYTHONWARNINGS", "PYTHONDONTWRITEBYTECODE"}
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return kept | changed


def spawn(home: Path, *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Said:
    """Run one command as a process of its own."""
    done = subprocess.run(
        command(home, *arguments),
        input=stdin,
        capture_output=True,
        timeout=PATIENCE_S,
        env=env or environment(),
        check=False,
    )
    return Said(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())


def on_terminal(words: list[str], env: Mapping[str, str]) -> tuple[int, str]:
    """Run a program on a terminal of its own and return its exit code and what the terminal was sent."""
    master, terminal = pty.openpty()
    with subprocess.Popen(words, stdin=terminal, stdout=terminal, stderr=terminal, env=env) as process:
        os.close(terminal)
        seen = b""
        # Linux ends a terminal that nobody holds any more with an error, other systems with nothing.
        with suppress(OSError):
            while piece := os.read(master, 4096):
                seen += piece
        os.close(master)
        return process.wait(PATIENCE_S), seen.decode()


@cache
def _duckdb() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def rows(home: Path, sql: str) -> list[tuple[Any, ...]]:
    """Return what a SQL question finds in the log, with the journal merged."""
    if not any((home / "journal").glob("*.jsonl")) and (home / "zetaroute.duckdb").exists():
        # A new DuckDB takes four times as long to make as this file takes to open in one that is there.
        with _duckdb().cursor() as connection:
            connection.execute(f"ATTACH '{home / 'zetaroute.duckdb'}' AS log (READ_ONLY)")
            try:
                return connection.execute("USE log").execute(sql).fetchall()
            finally:
                connection.execute("USE memory").execute("DETACH log")
    with log_of(Home(home)).open() as connection:
        return connection.execute(sql).fetchall()


def write_lines(path: Path, values: Sequence[object]) -> Path:
    """Write values as JSON lines and return the path."""
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    return path


def read_lines(path: Path) -> list[Any]:
    """Read JSON lines; every line must be whole."""
    text = path.read_text(encoding="utf-8")
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def shape(value: Mapping[str, Any], kinds: Mapping[str, str]) -> list[str]:
    """Return what is missing or of another kind: `number`, `text`, `truth`, `list`, `object`, `?` for or null."""
    wrong = []
    for key, kind in kinds.items():
        if key not in value:
            wrong.append(f"{key} is missing")
            continue
        found = value[key]
        if found is None and kind.endswith("?"):
            continue
        wanted = TYPES[kind.removesuffix("?")]
        if not isinstance(found, wanted) or (isinstance(found, bool) and kind != "truth"):
            wrong.append(f"{key} is {found!r}, not {kind}")
    return wrong
