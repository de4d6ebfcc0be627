"""A disk that fills up and a home that cannot be written: the batch stops and says so, and no answer is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Said, ok, read_lines, rows, write_lines
from tests.cli.conftest import says
from tests.providers.loopback import ModelServer

from .conftest import make_home, model
from .measuring import measured

ANSWER = "yes " * 500
ROWS = 400


@pytest.fixture
def file(tmp_path: Path, server: ModelServer) -> Path:
    """Many rows, each with an answer of two thousand characters."""
    server.reply(says(ANSWER, after_s=0.005))
    return write_lines(tmp_path / "q.jsonl", [{"query": f"{n}", "custom_id": f"q{n}"} for n in range(ROWS)])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a megabyte; skips where nobody may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("mounting a file system is not permitted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def stopped(said: Said) -> set[str]:
    """Check that a run stopped with one clear sentence; return the rows that it printed."""
    assert said.code == 1, said.err
    assert "Traceback" not in said.err
    assert len(said.errors) == 1
    assert said.errors[0].endswith(".")
    printed = [json.loads(line) for line in said.out.splitlines()]
    assert all(line["answer"].strip() == ANSWER.strip() for line in printed)
    return {line["custom_id"] for line in printed}


def test_a_disk_that_fills_up(tmp_path: Path, server: ModelServer, file: Path, small_disk: Path) -> None:
    home = make_home(small_disk / "home", model("one/m1", server.url))
    took = measured(
        home, "batch", str(file), "-o", str(tmp_path / "out.jsonl"), "--concurrency", "4", "--json"
    )
    printed = stopped(took.said)
    assert "room" in took.said.errors[0]
    moved = shutil.copytree(home, tmp_path / "home")
    kept = {custom_id for (custom_id,) in rows(moved, "SELECT custom_id FROM outcomes WHERE status = 'ok'")}
    asked = {seen.body["messages"][-1]["content"] for seen in server.seen}
    assert {f"q{name}" for name in asked} == kept | printed
    assert 0 < len(kept) < ROWS
    server.seen.clear()
    ok(moved, "batch", str(file), "-o", str(tmp_path / "out.jsonl"))
    assert len(server.seen) == ROWS - len(kept)
    assert sorted(line["custom_id"] for line in read_lines(tmp_path / "out.jsonl")) == sorted(
        f"q{n}" for n in range(ROWS)
    )


def test_an_output_that_gets_too_large(tmp_path: Path, server: ModelServer, file: Path) -> None:
    home = make_home(tmp_path / "home", model("one/m1", server.url))
    took = measured(home, "batch", str(file), "--concurrency", "4", file_blocks=128)
    assert stopped(took.said) == set()
    assert "q.jsonl.answers.jsonl" in took.said.errors[0]
    asked = {seen.body["messages"][-1]["content"] for seen in server.seen}
    kept = {query for (query,) in rows(home, "SELECT query FROM outcomes WHERE status = 'ok'")}
    assert asked == kept
    assert 0 < len(kept) < ROWS
    ok(home, "batch", str(file))
    assert len(server.seen) == ROWS
    assert len(read_lines(file.with_name("q.jsonl.answers.jsonl"))) == ROWS


def test_a_journal_that_cannot_be_written_any_more(tmp_path: Path, server: ModelServer, file: Path) -> None:
    home = make_home(tmp_path / "home", model("one/m1", server.url))
    journal = home / "journal"
    good = says(ANSWER, after_s=0.005)

    def reply(seen: object) -> object:
        if len(server.seen) == 40:
            journal.rename(home / "moved")
            journal.write_text("in the way", encoding="utf-8")
        return good(seen)  # type: ignore[arg-type]

    server.reply(reply)  # type: ignore[arg-type]
    took = measured(home, "batch", str(file), "--concurrency", "4")
    printed = stopped(took.said)
    assert str(journal) in took.said.errors[0]
    journal.unlink()
    (home / "moved").rename(journal)
    kept = {custom_id for (custom_id,) in rows(home, "SELECT custom_id FROM outcomes WHERE status = 'ok'")}
    asked = {f"q{seen.body['messages'][-1]['content']}" for seen in server.seen}
    assert asked == kept | printed
    assert printed


def test_a_home_that_is_read_only_from_the_start(
    tmp_path: Path, server: ModelServer, file: Path, small_disk: Path
) -> None:
    home = make_home(small_disk / "home", model("one/m1", server.url))
    remount = ["mount", "-o", "remount,ro", str(small_disk)]
    subprocess.run(remount, check=True)
    took = measured(home, "batch", str(file), "-o", str(tmp_path / "out.jsonl"))
    assert stopped(took.said) == set()
    assert str(home) in took.said.errors[0]
    assert server.seen == []
