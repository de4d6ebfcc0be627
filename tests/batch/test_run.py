"""A batch whose queries are audited: what is written when, what is counted, and what a kill loses."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.command import environment, read_lines, write_lines
from tests.cli.conftest import by_model, http_config, says
from tests.log.test_log import rows
from tests.providers.loopback import ModelServer, Running
from tests.support.audits import heads
from tests.support.waiting import PATIENCE_S, until
from zetaroute.batch.answers_file import Output
from zetaroute.batch.input import Row
from zetaroute.batch.job import BatchJob, answer_file, target_of
from zetaroute.batch.preview import preview
from zetaroute.batch.progress import Progress
from zetaroute.batch.run import BatchPlan, run_batch
from zetaroute.batch.seen_rows import SeenRows
from zetaroute.config import Audits, Home, Settings, load_settings, parse_settings
from zetaroute.domain import Query
from zetaroute.log.log import Log
from zetaroute.router.router import open_router

AUDITED_USD = (10 * 100 + 5 * 200) / 1e6
"""Of one call of `two/m2`."""
CONFIG = "[explore]\nrate = 0\ncold_start_rate = 0\n"


@pytest.fixture
def server() -> Iterator[ModelServer]:
    running = Running()
    yield running.start()
    running.stop()


@pytest.fixture
def both(server: ModelServer) -> Settings:
    return parse_settings(http_config(server, audit_share=1) + CONFIG, file=None)


def run_audited(
    home: Home, settings: Settings, target: Path, plan: BatchPlan, *, queries: int = 4
) -> Progress:
    """Run a batch in which each row that may be is audited."""
    asked = (
        Row(
            line=n + 1,
            query=Query(text=f"What is {n} + 0?", reference=str(n), grader="number", custom_id=f"c{n}"),
        )
        for n in range(queries)
    )
    home.make()
    with Output(target) as output, closing(SeenRows()) as seen_rows:
        return asyncio.run(
            run_batch(
                heads(open_router(home, settings)),
                asked,
                log=Log(home),
                plan=plan,
                seen_rows=seen_rows,
                output=output,
            )
        )


def killable(home: str, target: str) -> None:
    """Run such a batch in a process of its own."""
    plan = BatchPlan(concurrency=1)
    run_audited(Home(Path(home)), load_settings(None, Path(home) / "config.toml"), Path(target), plan)


def test_audits_are_counted_beside_what_was_answered(
    both: Settings, server: ModelServer, home: Home, tmp_path: Path
) -> None:
    server.reply(says("1"))
    done = run_audited(home, both, tmp_path / "a.jsonl", BatchPlan(concurrency=2))
    told = done.summary()
    assert (told["answered"], told["audits"], told["share"]) == (4, 4, {"one/m1": 4})
    assert told["audit_cost_usd"] == pytest.approx(4 * AUDITED_USD)
    assert told["cost_usd"] == pytest.approx(4 * (10 * 1 + 5 * 2) / 1e6)
    assert told["accuracy"] == 0.25
    lines = read_lines(tmp_path / "a.jsonl")
    assert sorted((line["custom_id"], line["model"]) for line in lines) == [
        (f"c{n}", "one/m1") for n in range(4)
    ]
    assert rows(
        Log(home), "SELECT role, count(*), count(custom_id) FROM outcomes GROUP BY role ORDER BY role"
    ) == [
        ("audit", 4, 4),
        ("served", 4, 4),
    ]


def test_a_line_is_written_before_its_audit_ends(
    both: Settings, server: ModelServer, home: Home, tmp_path: Path
) -> None:
    target, ready, seen = tmp_path / "a.jsonl", threading.Event(), list[int]()
    server.reply(by_model(m1=says("0"), m2=lambda seen: (ready, *says("0")(seen))))

    def watch() -> None:
        until(lambda: target.exists() and read_lines(target))
        seen.append(len(server.seen))
        ready.set()

    watching = threading.Thread(target=watch)
    watching.start()
    run_audited(home, both, target, BatchPlan(concurrency=1), queries=1)
    watching.join(PATIENCE_S)
    assert ready.is_set()
    assert seen[0] <= 2


def test_a_kill_while_an_audit_runs_loses_no_answer(server: ModelServer, home: Home, tmp_path: Path) -> None:
    never = threading.Event()
    server.reply(by_model(m1=says("0"), m2=lambda seen: (never,)))
    home.make()
    home.config.write_text(http_config(server, audit_share=1) + CONFIG)
    target = tmp_path / "a.jsonl"
    script = "import sys; from tests.batch.test_run import killable; killable(*sys.argv[1:])"
    words = [sys.executable, "-c", script, str(home.path), str(target)]
    with subprocess.Popen(words, env=environment(), stderr=subprocess.PIPE) as process:
        until(lambda: (target.exists() and read_lines(target)) or process.poll() is not None)
        until(lambda: len(server.seen) == 2 or process.poll() is not None)
        process.kill()
        _, err = process.communicate(timeout=PATIENCE_S)
    never.set()
    (line,) = read_lines(target)
    assert line["custom_id"] == "c0", err.decode()
    assert rows(Log(home), "SELECT role, status, response FROM outcomes") == [("served", "ok", "0")]
    # The next run goes on with the rows that have no answer.
    both = replace(load_settings(None, home.config), audits=Audits(share=0.0))
    lines = [
        {"query": f"What is {n} + 0?", "reference": str(n), "grader": "number", "custom_id": f"c{n}"}
        for n in range(4)
    ]
    job = BatchJob(source=str(write_lines(tmp_path / "q.jsonl", lines)), target=target)
    log = Log(home)
    with log.open() as connection:
        connection.execute("UPDATE outcomes SET run = ?", [job.run])
    assert answer_file(log, both, job).skipped == 1


def test_a_budget_holds_audits_too(both: Settings, server: ModelServer, home: Home, tmp_path: Path) -> None:
    server.reply(says("1"))
    plan = BatchPlan(concurrency=1, budget_usd=0.1)
    done = run_audited(home, both, tmp_path / "a.jsonl", plan, queries=60)
    # The coin of these tests falls on heads however rarely it should; what the budget does not hold is not asked.
    assert done.answered == 60
    assert 0 < done.audits < 60
    assert done.cost_usd + done.audit_cost_usd <= 0.1


def test_rows_without_an_audit_say_so(
    both: Settings, server: ModelServer, home: Home, tmp_path: Path
) -> None:
    server.reply(says("1"))
    assert run_audited(home, both, tmp_path / "a.jsonl", BatchPlan(no_audit=True)).audits == 0
    assert len(server.seen) == 4


def test_all_models_make_seeds_and_go_on_where_they_stopped(
    home: Home, settings: Settings, tmp_path: Path
) -> None:
    lines = [{"query": f"What is {n} + 3?", "custom_id": f"c{n}", "reference": str(n + 3)} for n in range(3)]
    source = str(write_lines(tmp_path / "q.jsonl", lines))
    every = tuple(arm.id for arm in settings.arms)
    job = BatchJob(source=source, target=target_of(source, None), plan=BatchPlan(models=every, seeds=True))
    log = Log(home)
    assert answer_file(log, settings, job).answered == 3 * len(every)
    told = read_lines(job.target)
    assert rows(log, "SELECT DISTINCT role, audit_probability, audited FROM outcomes") == [
        ("seed", 1.0, True)
    ]
    assert rows(log, "SELECT count(*) FROM served") == [(0,)]
    assert answer_file(log, settings, job).skipped == 3
    assert sorted(map(str, read_lines(job.target))) == sorted(map(str, told))


def test_a_preview_tells_what_audits_cost(home: Home, both: Settings, tmp_path: Path) -> None:
    lines = [
        {"query": "What is 1 + 3?", "custom_id": "graded", "reference": "4"},
        {"query": "Hello", "custom_id": "c"},
    ]
    source = str(write_lines(tmp_path / "q.jsonl", lines))
    job = BatchJob(source=source, target=target_of(source, None))
    told = preview(Log(home), both, job)
    assert told["audits"]["rows"] == 1.0
    assert told["audits"]["cost_usd"] > 0.01
    assert told["rows"] == 2
    tenth = preview(Log(home), replace(both, audits=Audits(share=0.1)), job)
    assert tenth["audits"]["cost_usd"] == pytest.approx(0.1 * told["audits"]["cost_usd"])
    off = preview(Log(home), replace(both, audits=Audits(share=0.0)), job)
    assert off["audits"] == {"rows": 0.0, "cost_usd": 0.0}
    assert off["cost_usd"] == told["cost_usd"]
