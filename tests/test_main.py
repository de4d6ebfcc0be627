"""The process of a command: it leaves at once, but never before everything is written and everybody has tidied up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import environment, rows

# Begins like the console script; what tidies up at the end was registered by somebody else meanwhile.
SCRIPT = """
import atexit, sys, threading, time
import zetaroute.__main__ as program
from zetaroute.cli import app

def run(arguments):
    atexit.register(lambda: print("tidied up"))
    threading.Thread(target=lambda: (time.sleep(0.2), print("thread done"))).start()
    sys.stdout.write("written " * 10_000)
    if arguments[0] == "raise":
        raise ValueError("unforeseen")
    return int(arguments[0])

app.run = run
program.main()
"""


def left(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [sys.executable, *words], text=True, env=environment(), timeout=120, check=False, **options
    )


@pytest.mark.parametrize(("argument", "code"), [("0", 0), ("4", 4), ("130", 130), ("raise", 1)])
def test_it_leaves_with_its_code_after_threads_tidying_up_and_output(argument: str, code: int) -> None:
    done = left("-c", SCRIPT, argument, capture_output=True)
    assert done.returncode == code
    assert done.stdout == "written " * 10_000 + "thread done\ntidied up\n"
    assert ("unforeseen" in done.stderr) == (argument == "raise")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_output_that_nobody_takes_is_no_success() -> None:
    with open("/dev/full", "w") as full:
        done = left("-c", SCRIPT, "0", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode != 0


@pytest.mark.skipif(os.name != "posix", reason="a shell closes the stream")
@pytest.mark.parametrize(("closed", "shown"), [(">&-", ""), ("2>&-", "5"), (">&- 2>&-", "")])
def test_a_closed_stream_is_written_nowhere(
    tmp_path: Path, instant_config: str, closed: str, shown: str
) -> None:
    (tmp_path / "config.toml").write_text(instant_config, encoding="utf-8")
    words = ["-m", "zetaroute", "--home", str(tmp_path), "ask", "-m", "practice/large", "What is 2 + 3?"]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, *words],
        text=True,
        env=environment(),
        timeout=120,
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert shown in done.stdout
    assert rows(tmp_path, "SELECT count(*) FROM outcomes WHERE status = 'ok'") == [(1,)]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--version"], 0), (["ask", "--nonsense"], 2), (["ask", "-m", "nobody", "hello"], 2)],
)
def test_a_command_leaves_with_the_code_of_the_contract(
    tmp_path: Path, arguments: list[str], code: int
) -> None:
    done = left("-m", "zetaroute", "--home", str(tmp_path), *arguments, capture_output=True)
    assert done.returncode == code


def test_what_was_answered_is_in_the_log_when_the_process_is_gone(
    tmp_path: Path, instant_config: str
) -> None:
    (tmp_path / "config.toml").write_text(instant_config, encoding="utf-8")
    done = left(
        "-m", "zetaroute", "--home", str(tmp_path), "ask", "--json", "What is 2 + 3?", capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path, "SELECT id FROM outcomes") == [(json.loads(done.stdout)["id"],)]
    assert os.listdir(tmp_path / "journal") == []
    assert not (tmp_path / "zetaroute.duckdb.wal").exists()
