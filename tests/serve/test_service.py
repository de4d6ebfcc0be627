"""A server among others: several workers, kills, promotions and commands beside it, and its end."""

from __future__ import annotations

import os
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.cli.command import ok, rows
from tests.cli.conftest import http_config, says
from tests.providers.loopback import ModelServer
from tests.serve.conftest import practice_config
from tests.serve.running import Server, serving
from tests.support.waiting import PATIENCE_S, until

SERVED = "FROM outcomes WHERE run = 'serve'"


def workers_of(server: Server) -> list[int]:
    found = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    # Beside the workers there is the tracker of what processes share.
    return [pid for pid in map(int, found) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def number(server: Server, series: str) -> float:
    found = re.search(rf"^{re.escape(series)} (\S+)$", server.get("/metrics").text, re.MULTILINE)
    assert found is not None, series
    return float(found[1])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    (path / "config.toml").write_text(practice_config(), encoding="utf-8")
    return path


def test_requests_are_rows_over_workers_kills_and_commands(home: Path) -> None:
    asked: list[str] = []

    def ask(server: Server, place: int) -> None:
        try:
            answer = server.ask(f"What is {place} + 1?")
        except httpx.TransportError:
            return  # its worker was killed: nobody was told that anything is kept
        assert answer.status_code == 200
        asked.append(answer.headers["x-zetaroute-outcome"])

    with serving(home, "--workers", "2") as server, ThreadPoolExecutor(6) as pool:
        until(lambda: len(workers_of(server)) == 2)
        first = list(pool.map(lambda place: ask(server, place), range(60)))
        victim = workers_of(server)[0]
        under_way = [pool.submit(ask, server, place) for place in range(60, 160)]
        until(lambda: any(one.done() for one in under_way))
        os.kill(victim, signal.SIGKILL)
        ok(home, "ask", "What is 1 + 1?")
        ok(home, "kpi", "--json")
        for one in under_way:
            one.result()
        until(lambda: len(workers_of(server)) == 2 and victim not in workers_of(server))
        assert ask(server, 999) is None
        assert len(first) == 60
        # Every worker tells of all, the killed one included.
        total = sum(
            number(server, f'zetaroute_outcomes_total{{model="practice/{size}",status="ok"}}')
            for size in ("small", "medium", "large")
        )
        assert total >= len(asked) - 1
        assert server.stop() == 0
    kept = {outcome for (outcome,) in rows(home, "SELECT id FROM outcomes WHERE run = 'serve'")}
    assert set(asked) <= kept
    assert len(asked) > 60
    assert len(kept) <= 161


def test_a_kill_loses_no_answer_that_was_given(home: Path) -> None:
    with serving(home) as server:
        given = [server.ask(f"What is {place} + 2?").headers["x-zetaroute-outcome"] for place in range(20)]
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait(PATIENCE_S)
    assert set(given) <= {outcome for (outcome,) in rows(home, "SELECT id FROM outcomes")}


def test_a_promotion_is_followed_without_a_pause(home: Path) -> None:
    ok(home, "practice", "generate", "--rows", "200", "-o", str(home / "q.jsonl"))
    ok(home, "batch", str(home / "q.jsonl"), "--concurrency", "32")
    refused: list[int] = []
    ends = threading.Event()

    with serving(home, "--workers", "2") as server:
        before = server.ask().headers["x-zetaroute-policy"]

        def keep_asking() -> None:
            while not ends.wait(0.02):
                status = server.ask("What is 3 + 4?").status_code
                if status != 200:
                    refused.append(status)

        asking = threading.Thread(target=keep_asking)
        asking.start()
        ok(home, "retrain", "--promote", "force", "--json")
        until(
            lambda: (
                {server.ask().headers["x-zetaroute-policy"] for _ in range(12)} == {"v0001" + version(home)}
            ),
            every_s=0.25,
        )
        ends.set()
        asking.join()
        assert before == "v0000"
        assert refused == []
        pages = []
        # The log may be busy with what was asked.
        until(lambda: pages.append(server.get("/").text) or "v0001" in pages[-1])
        page = pages[-1]
        assert "practice models" in page
        report = server.get("/report")
        assert "<html" in report.text
        assert "sandbox" in report.headers["content-security-policy"]


def test_a_challenger_gets_its_share_of_every_worker(home: Path) -> None:
    ok(home, "practice", "generate", "--rows", "160", "-o", str(home / "q.jsonl"))
    ok(home, "batch", str(home / "q.jsonl"), "--concurrency", "32")
    with serving(home, "--workers", "2") as server, ThreadPoolExecutor(4) as pool:
        until(lambda: server.ask().status_code == 200)
        learned = ok(home, "retrain", "--json").json
        new, share = learned["artifact"], learned["share"]
        policies: list[str] = []

        def takes_part(count: int) -> bool:
            """Whether all of so many queries are of the contest."""
            begun = server.ask().headers["x-zetaroute-outcome"]
            policies[:] = pool.map(lambda _: server.ask().headers["x-zetaroute-policy"], range(count))
            (found,) = rows(home, f"SELECT count(contest) {SERVED} AND id > '{begun}'")
            return bool(found[0] == count)

        # Each worker looks every few seconds at what was decided.
        until(lambda: takes_part(32) and takes_part(100), every_s=0.25)
    # Of 100 at random, with a standard deviation of 5 at most; more than four of them either way.
    assert abs(policies.count(new) - 100 * share) <= 23
    assert set(policies) == {"v0000", new}


def version(home: Path) -> str:
    return (home / "artifacts" / "current").read_text().strip().removeprefix("v0001")


def test_answers_under_way_end_before_it_does(tmp_path: Path, server: ModelServer) -> None:
    server.reply(says("late", after_s=1.5))
    with serving(with_models(tmp_path, server)) as running, ThreadPoolExecutor(1) as pool:
        asking = pool.submit(running.ask, "hello")
        until(lambda: server.now == 1)
        assert running.stop() == 0
        assert asking.result().json()["choices"][0]["message"]["content"] == "late"
    assert rows(running.home, "SELECT status FROM outcomes") == [("ok",)]


def test_what_takes_too_long_is_cut_and_kept(tmp_path: Path, server: ModelServer) -> None:
    server.reply(says("never", after_s=2 * PATIENCE_S))
    home = with_models(tmp_path, server, "[serve]\nshutdown_s = 1\n")
    with serving(home) as running, ThreadPoolExecutor(1) as pool:
        asking = pool.submit(running.ask, "hello")
        until(lambda: server.now == 1)
        assert running.stop() == 0
        answer = asking.exception() or asking.result().status_code
        assert isinstance(answer, httpx.TransportError) or answer >= 499
    assert rows(home, "SELECT status FROM outcomes") == [("cancelled",)]


def test_ctrl_c_ends_it_as_the_contract_says(home: Path) -> None:
    with serving(home) as server:
        server.ask()
        assert server.stop(signal.SIGINT) == 130
        assert "Traceback" not in server.said.read_text()


def test_numbers_for_prometheus(home: Path) -> None:
    with serving(home) as server:
        assert server.ask(model="practice/small").status_code == 200
        assert server.ask(model="none").status_code == 404
        assert number(server, 'zetaroute_requests_total{place="chat",status="200"}') == 1
        assert number(server, 'zetaroute_requests_total{place="chat",status="404"}') == 1
        assert number(server, 'zetaroute_outcomes_total{model="practice/small",status="ok"}') == 1
        assert number(server, 'zetaroute_answer_seconds_bucket{le="+Inf"}') == 1
        assert number(server, "zetaroute_answer_seconds_count") == 1
        assert number(server, "zetaroute_in_flight") == 1
        assert number(server, "zetaroute_ready") == 1


def test_rows_reach_the_file_while_nobody_asks(home: Path) -> None:
    with serving(home) as server:
        server.ask()
        until(lambda: not list((home / "journal").glob("*.jsonl")))


def test_a_disk_that_takes_nothing_is_told(home: Path) -> None:
    with serving(home) as server:
        assert server.ask().json()["zetaroute"]["kept"] is True
        # Removed under it and made a file: even root cannot write there.
        until(lambda: not list((home / "journal").glob("*.jsonl")))
        (home / "journal").rename(home / "aside")
        (home / "journal").write_text("no folder")
        answer = server.ask()
        assert (answer.status_code, answer.json()["zetaroute"]["kept"]) == (200, False)
        assert server.get("/readyz").status_code == 503
        assert number(server, "zetaroute_unkept_total") == 1
        (home / "journal").unlink()
        (home / "aside").rename(home / "journal")
        assert server.ask().json()["zetaroute"]["kept"] is True
        assert server.get("/readyz").status_code == 200


def with_models(tmp_path: Path, server: ModelServer, more: str = "") -> Path:
    home = tmp_path / "models"
    home.mkdir()
    (home / "config.toml").write_text(http_config(server) + more, encoding="utf-8")
    return home
