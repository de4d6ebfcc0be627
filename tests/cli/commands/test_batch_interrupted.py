"""A batch that is killed or interrupted in the middle: nothing answered is lost, nothing is asked twice."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.command import command, ok, read_lines, rows, write_lines
from tests.cli.conftest import says
from tests.providers.loopback import ModelServer, Reply, Seen
from tests.support.waiting import PATIENCE_S, until

ROWS = 60
AT_ONCE = 4


def begun(home: Path, file: Path, server: ModelServer, calls: int) -> subprocess.Popen[bytes]:
    """Start the batch and return it once the server has seen so many calls."""
    words = command(home, "batch", str(file), "-m", "one/m1", "--concurrency", str(AT_ONCE))
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    until(lambda: len(server.seen) >= calls or process.poll() is not None, every_s=0.005)
    if len(server.seen) < calls:
        process.kill()
        _, err = process.communicate()
        pytest.fail(f"the batch did not come that far: {err.decode()}")
    return process


def interrupt(process: subprocess.Popen[bytes]) -> bytes:
    """Press Ctrl-C and return what was said by the time it was heard."""
    assert process.stderr is not None
    process.send_signal(signal.SIGINT)
    said = b""
    while b"Ctrl-C once more" not in said and (piece := os.read(process.stderr.fileno(), 4096)):
        said += piece
    return said


def asked(server: ModelServer) -> Counter[str]:
    return Counter(seen.body["messages"][-1]["content"] for seen in server.seen)


def finish(home: Path, file: Path) -> None:
    """Run the batch to its end; afterwards log and output hold every row exactly once."""
    ok(home, "batch", str(file), "-m", "one/m1", "--concurrency", str(AT_ONCE))
    everything = [f"q{n:02}" for n in range(ROWS)]
    lines = read_lines(file.with_name(file.name + ".answers.jsonl"))
    assert sorted(line["custom_id"] for line in lines) == everything
    stored = rows(home, "SELECT custom_id, id FROM outcomes WHERE status = 'ok' ORDER BY custom_id")
    assert [row[0] for row in stored] == everything
    assert sorted((line["custom_id"], line["id"]) for line in lines) == stored
    assert list((home / "journal").glob("*.jsonl")) == []


def batch_file(tmp_path: Path) -> Path:
    return write_lines(
        tmp_path / "q.jsonl", [{"query": f"question {n:02}", "custom_id": f"q{n:02}"} for n in range(ROWS)]
    )


def test_killed_in_the_middle(http_folder: Path, server: ModelServer, tmp_path: Path) -> None:
    server.reply(says("yes", after_s=0.01))
    file = batch_file(tmp_path)
    for calls in (15, 40):
        with begun(http_folder, file, server, calls) as process:
            process.kill()
            process.communicate(timeout=PATIENCE_S)
    kept = rows(http_folder, "SELECT count(*) FROM outcomes")[0][0]
    assert kept > 0
    finish(http_folder, file)
    again = {query: count for query, count in asked(server).items() if count > 1}
    # Only what was under way, or waiting for its turn to be written, may be asked again.
    assert sum(again.values()) - len(again) <= 2 * 5 * AT_ONCE
    assert len(asked(server)) == ROWS
    assert kept <= ROWS


def test_interrupted_in_the_middle(http_folder: Path, server: ModelServer, tmp_path: Path) -> None:
    quick, go_on = says("yes", after_s=0.01), threading.Event()

    def reply(seen: Seen) -> Reply:
        return (go_on, *quick(seen)) if len(server.seen) > 15 else quick(seen)

    server.reply(reply)
    file = batch_file(tmp_path)
    with begun(http_folder, file, server, 16) as process:
        err = interrupt(process)
        go_on.set()
        err += process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    assert b"again" in err
    assert 15 < len(server.seen) <= 15 + AT_ONCE
    assert len(rows(http_folder, "SELECT * FROM outcomes WHERE status = 'ok'")) == len(server.seen)
    finish(http_folder, file)
    assert set(asked(server).values()) == {1}


def test_interrupted_twice_does_not_wait_for_a_slow_model(
    http_folder: Path, server: ModelServer, tmp_path: Path
) -> None:
    quick, slow = says("yes"), says("late", after_s=2 * PATIENCE_S)

    def reply(seen: Seen) -> Reply:
        return slow(seen) if len(server.seen) > 10 else quick(seen)

    server.reply(reply)
    file = batch_file(tmp_path)
    # As many as wait for the slow model at once: all others are answered by then.
    with begun(http_folder, file, server, 10 + AT_ONCE) as process:
        err = interrupt(process)
        process.send_signal(signal.SIGINT)
        err += process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    assert len(rows(http_folder, "SELECT * FROM outcomes WHERE status = 'ok'")) == 10
    server.reply(quick)
    finish(http_folder, file)
