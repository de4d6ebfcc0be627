"""Running the user's program: what it is told, what it cannot see, and that nothing of it is left running."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

import pytest

from tests.support.waiting import PATIENCE_S, in_ever_more_time, until
from zetaroute.config import CommandGrader
from zetaroute.grading.command import Marked, mark


def run(
    program: str,
    *,
    folder: Path | None = None,
    answer: str = "the answer",
    query: str = "the query",
    reference: str | None = "the reference",
    timeout_s: float = PATIENCE_S,
    secret: tuple[str, ...] = (),
) -> Marked:
    grader = CommandGrader(name="mine", command=(sys.executable, "-c", program), timeout_s=timeout_s)
    return asyncio.run(
        mark(
            grader,
            answer=answer,
            query=query,
            reference=reference,
            task="t",
            secret=secret,
            folder=folder,
        )
    )


SAYS = """
import json, os, sys
case = json.loads(os.environ["ZETAROUTE_CASE"])
answer = sys.stdin.buffer.read().decode()
"""


def test_it_is_told_the_answer_and_the_case() -> None:
    program = SAYS + 'print(0.5 if (answer, case) == ("naïve\\n日本", CASE) else 0)'
    case = {"query": "the query", "reference": "the reference", "task": "t"}
    assert run(program.replace("CASE)", f"{case!r})"), answer="naïve\n日本").score == 0.5


def test_it_runs_in_the_folder_of_the_config(tmp_path: Path) -> None:
    (tmp_path / "right.txt").write_text("Paris")
    program = "import sys; sys.exit(open('right.txt').read() != sys.stdin.read())"
    assert run(program, folder=tmp_path, answer="Paris").score == 1.0
    assert run(program, folder=tmp_path, answer="Rome").score == 0.0


def test_keys_are_kept_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ODD_NAME", "OPENAI_API_KEY", "DATABASE_URL", "GH_PAT", "LC_ALL", "TZ"):
        monkeypatch.setenv(name, "s3cret")
    program = (
        "import os, sys\nseen = sorted(name for name, value in os.environ.items() if value == 's3cret')\n"
        "sys.exit(seen != ['LC_ALL'])"
    )
    assert run(program, secret=("ODD_NAME", "TZ")).score == 1.0


@pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX's")
def test_all_that_it_started_ends_at_the_time_limit(tmp_path: Path) -> None:
    life = tmp_path / "life"
    child = (
        f"import fcntl, time; life = open({str(life)!r}, 'w'); fcntl.flock(life, fcntl.LOCK_EX)\n"
        "life.write('begun'); life.flush(); time.sleep(600)"
    )
    program = (
        f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(600)"
    )

    def cut(limit_s: float) -> None:
        found = run(program, timeout_s=limit_s)
        assert (found.score, found.note) == (None, f"was killed after {limit_s:g} s")
        assert life.read_text() == "begun"

    in_ever_more_time(cut)
    with life.open() as file:
        until(lambda: is_free(file))


def is_free(file: IO[str]) -> bool:
    """Return whether nobody who lives holds a file."""
    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("while True: print('x' * 10000)", "more than 1 MiB"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "exit code -15"),
        ("print(7)", "score 7"),
        ("1 / 0", "broke: ZeroDivisionError"),
    ],
)
def test_what_goes_wrong_is_no_grade(program: str, words: str) -> None:
    found = run(program)
    assert found.score is None
    assert words in (found.note or "")


def test_a_program_that_reads_nothing_or_writes_much_to_standard_error() -> None:
    assert run("", answer="x" * 5_000_000).score == 1.0
    assert run("import sys; sys.stderr.write('e' * 5_000_000)").score == 1.0


def test_a_program_that_is_not_there() -> None:
    grader = CommandGrader(name="mine", command=("no-such-program-anywhere",))
    found = asyncio.run(
        mark(grader, answer="a", query="q", reference=None, task=None, secret=(), folder=None)
    )
    assert found.score is None
    assert "cannot be started" in (found.note or "")


@pytest.mark.parametrize("letter", ["x", "語", "😀"])
def test_a_long_query_is_cut_and_a_long_reference_is_no_grade(letter: str) -> None:
    program = SAYS + "print(1 if 1000 < len(case['query']) < 300000 and case['reference'] == 'r' else 0)"
    assert run(program, query=letter * 300_000, reference="r").score == 1.0
    assert "too long" in (run(program, reference=letter * 300_000).note or "")


def test_no_shell_reads_the_arguments(tmp_path: Path) -> None:
    grader = CommandGrader(
        name="mine", command=(sys.executable, "-c", "print(1)", "; touch made", "$(touch made)")
    )
    asyncio.run(mark(grader, answer="a", query="q", reference=None, task=None, secret=(), folder=tmp_path))
    assert list(tmp_path.iterdir()) == []
