"""The workers of a real Dask cluster, each a process of its own, learn what one process learns."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import environment, ok, refused, run
from tests.support.homes import instant
from tests.support.results import assert_same_result
from tests.support.waiting import until
from zetaroute.config import Home, default_config_text, load_settings
from zetaroute.errors import UsageError
from zetaroute.learn.incremental.readers import on_cluster
from zetaroute.lifecycle.retrain import retrain
from zetaroute.projections import log_of

PARTITION_ROWS = 130
ROWS = 500
SCHEDULER = ("distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard")
WORKER = ("distributed.cli.dask_worker", "--nthreads", "1", "--no-dashboard", "--no-nanny")
KILLER = """
import os, signal, sys, time
from distributed import Client
with Client(sys.argv[1], timeout=120) as client:
    client.wait_for_workers(2, timeout=120)
    workers = client.run(os.getpid)
    print("looking", flush=True)
    end = time.monotonic() + 240
    while time.monotonic() < end:
        for address, tasks in client.processing().items():
            if tasks:
                os.kill(workers[address], signal.SIGKILL)
                print(workers[address], flush=True)
                sys.stdout.flush()
                os._exit(0)
        time.sleep(0.002)
"""
"""Kills the first worker that is seen at work."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A scheduler and two workers."""

    address: str
    workers: tuple[subprocess.Popen[bytes], ...]


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("logged")
    (home / "config.toml").write_text(instant(default_config_text()), encoding="utf-8")
    ok(home, "practice", "generate", "--rows", str(ROWS), "--seed", "3", "-o", str(home / "q.jsonl"))
    ok(home, "batch", str(home / "q.jsonl"))
    ok(home, "log", "export", "--to", str(home / "export"))
    return home


@pytest.fixture
def home(logged: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(logged, tmp_path / "home"))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster on this machine."""
    told = tmp_path / "scheduler.json"

    def start(*words: str) -> subprocess.Popen[bytes]:
        call = [sys.executable, "-m", *words, "--host", "127.0.0.1", "--scheduler-file", str(told)]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(call, env=environment(), **silent)

    processes = [start(*SCHEDULER)]
    try:
        until(lambda: told.exists() and told.read_text().endswith("}"))
        processes += [start(*WORKER) for _ in range(2)]
        yield Cluster(json.loads(told.read_text())["address"], tuple(processes[1:]))
    finally:
        for process in processes:
            process.kill()
            process.wait()


def learned(home: Path, cluster: str | None = None) -> dict[str, Any]:
    """Learn from the export."""
    place = Home(home)
    done = retrain(
        home=place,
        settings=load_settings(None, place.config),
        log=log_of(place),
        sources=[str(home / "export")],
        cluster=cluster,
        partition_rows=PARTITION_ROWS if cluster else 10**9,
        promote="never",
        page=False,
    )
    return dict(done.json())


def test_a_cluster_learns_what_one_process_learns_though_a_worker_is_killed(
    home: Path, cluster: Cluster
) -> None:
    alone = learned(home)
    assert_same_result(alone, learned(home, cluster.address), tolerance=1e-9)
    assert not (home / "partitions").exists(), "rows from elsewhere are kept by whom they belong to"
    looking = [sys.executable, "-c", KILLER, cluster.address]
    with subprocess.Popen(looking, env=environment(), stdout=subprocess.PIPE, text=True) as killer:
        assert killer.stdout is not None
        assert killer.stdout.readline() == "looking\n"
        found = learned(home, cluster.address)
        killed = int(killer.stdout.readline())
    (victim,) = [worker for worker in cluster.workers if worker.pid == killed]
    assert victim.wait() == -signal.SIGKILL
    assert_same_result(alone, found, tolerance=1e-9)


def test_an_address_where_nothing_answers_is_named() -> None:
    told = "--cluster tcp://127.0.0.1:1: no Dask scheduler answers there"
    with pytest.raises(UsageError, match=told), on_cluster("tcp://127.0.0.1:1", patience_s=0.5):
        pass


@pytest.mark.parametrize("address", ["", "scheduler"])
def test_an_address_that_is_none_is_refused(home: Path, address: str) -> None:
    assert "must look like tcp://" in refused(run(home, "retrain", "--cluster", address), 2)


def test_a_cluster_is_for_texts(home: Path) -> None:
    with open(home / "config.toml", "a", encoding="utf-8") as config:
        config.write('[privacy]\nstore = "hashed"\n')
    ok(home, "ask", "What is 2 + 3?")
    assert "retrain without it" in refused(run(home, "retrain", "--cluster", "tcp://127.0.0.1:1"), 2)
