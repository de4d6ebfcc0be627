"""One batch at a time writes an output, and a dead one holds nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from zetaroute.errors import StoreError
from zetaroute.files.lock import exclusive_lock

HOLDER = """
import sys
from pathlib import Path
from zetaroute.files.lock import exclusive_lock
with exclusive_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "answers.jsonl"


def holder(output: Path) -> subprocess.Popen[bytes]:
    running = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(output)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert running.stdout is not None
    assert running.stdout.readline() == b"held\n"
    return running


def test_a_second_batch_is_told_to_wait_until_the_first_is_done(output: Path) -> None:
    with holder(output) as running:
        with (
            pytest.raises(StoreError, match=r"another batch writes .*answers.jsonl just now"),
            exclusive_lock(output),
        ):
            pytest.fail("two at once")
        running.communicate(timeout=60)
    with exclusive_lock(output):
        assert [path.name for path in output.parent.iterdir()] == ["answers.jsonl.lock"]
    assert list(output.parent.iterdir()) == []


def test_a_killed_batch_holds_nothing(output: Path) -> None:
    with holder(output) as running:
        running.send_signal(signal.SIGKILL)
        running.communicate(timeout=60)
    with exclusive_lock(output):
        pass
    assert list(output.parent.iterdir()) == []


def test_an_error_inside_frees_it(output: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive_lock(output):
        raise ZeroDivisionError
    with exclusive_lock(output):
        pass


def test_devices_are_not_held() -> None:
    with exclusive_lock(Path("/dev/null")), exclusive_lock(Path("/dev/null")):
        assert not Path("/dev/null.lock").exists()
