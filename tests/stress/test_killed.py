"""A batch that is killed again and again: every row once in output and log, no answered row asked again."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.cli.command import command, environment, ok, read_lines, rows, write_lines
from tests.cli.conftest import says
from tests.providers.loopback import ModelServer, Reply, Seen
from tests.support.waiting import PATIENCE_S, until

from .conftest import FULL, make_home, model, size

ROWS = size(160, 2000)
KILLS = size(4, 50)
AT_ONCE = 8
ANSWER_S = 0.08
START_S = 1.6
"""Roughly how long a run needs for its first rows, on a slow machine."""
MOST = ROWS // (KILLS + 1)
"""How many answers a run gets before its kill: however late that comes, the batch is not at its end."""


def answered(home: Path) -> set[str]:
    """Return the rows whose answer is safe, in the log or in the journal."""
    found = rows(home, "SELECT custom_id FROM outcomes WHERE status = 'ok'")
    return {custom_id for (custom_id,) in found}


def held(good: Callable[[Seen], Reply], seen: Seen, late: bool, dead: threading.Event) -> Reply:
    """Return the good answer, a late one only for a client that is dead."""
    return (dead, *good(seen)) if late else good(seen)


def test_killed_at_random_moments(tmp_path: Path, server: ModelServer) -> None:
    good = says(lambda seen: "re " + seen.body["messages"][-1]["content"], after_s=ANSWER_S)
    home = make_home(tmp_path / "home", model("one/m1", server.url), model("two/m2", server.url))
    names = [f"q{n:04}" for n in range(ROWS)]
    file = write_lines(tmp_path / "q.jsonl", [{"query": name, "custom_id": name} for name in names])
    answers = file.with_name("q.jsonl.answers.jsonl")
    words = command(home, "batch", str(file), "--concurrency", str(AT_ONCE))
    rng = random.Random(2026)
    lost: list[int] = []
    safe: set[str] = set()
    for kill in range(KILLS):
        before, dead = len(server.seen), threading.Event()
        server.reply(
            lambda seen, before=before, dead=dead: held(good, seen, len(server.seen) - before > MOST, dead)
        )
        # The first comes once there is an answer that is safe.
        early, wanted = kill > 0 and rng.random() < 0.3, rng.randint(AT_ONCE + 1 if kill == 0 else 1, MOST)
        with subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
        ) as process:
            if early:
                time.sleep(rng.uniform(0.0, START_S))  # while Python starts, in the resume, or later
            else:
                until(lambda before=before, wanted=wanted: len(server.seen) - before >= wanted, every_s=0.002)
                time.sleep(rng.uniform(0.0, ANSWER_S))
            process.kill()
            process.communicate(timeout=PATIENCE_S)
        dead.set()
        server.settle()
        asked = [seen.body["messages"][-1]["content"] for seen in server.seen[before:]]
        assert not safe & set(asked), "a row whose answer was safe is asked again"
        now = answered(home)
        lost.append(len(asked) - len(now - safe))
        assert safe <= now
        safe = now
    # Each worker has one row under way and at most one more that is on its way to the disk.
    assert max(lost) <= 2 * AT_ONCE, lost
    assert 0 < len(safe) < ROWS, "the kills did not hit the middle of the batch"
    server.reply(good)
    ok(home, "batch", str(file), "--concurrency", str(AT_ONCE))
    lines = read_lines(answers)
    assert sorted(line["custom_id"] for line in lines) == names
    assert {line["answer"].removeprefix("re ") == line["custom_id"] for line in lines} == {True}
    stored = rows(home, "SELECT custom_id, id FROM outcomes WHERE status = 'ok' ORDER BY custom_id")
    assert stored == sorted((line["custom_id"], line["id"]) for line in lines)
    again = Counter(seen.body["messages"][-1]["content"] for seen in server.seen)
    assert sum(again.values()) - ROWS == sum(lost)
    assert list((home / "journal").glob("*.jsonl")) == []
    if FULL:
        print(f"\n{KILLS} kills cost {sum(lost)} answers that were under way, at most {max(lost)} each")  # noqa: T201
