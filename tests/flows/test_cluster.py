"""The workers of a real Dask cluster, each a process of its own, learn what one process learns."""

from __future__ import annotations

import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import ok, run
from zetaroute.config import Home, default_config_text, load_settings
from zetaroute.flows.retrain import retrain
from zetaroute.store.log import Log

distributed = pytest.importorskip("distributed")

BLOCK = 60


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("logged")
    config = re.sub(
        r'(?m)^provider = "practice".*$', 'provider = "practice"\ndelay = 0', default_config_text()
    )
    (home / "config.toml").write_text(config, encoding="utf-8")
    ok(home, "practice", "generate", "--rows", "500", "--seed", "3", "-o", str(home / "q.jsonl"))
    ok(home, "batch", str(home / "q.jsonl"))
    ok(home, "log", "export", "--to", str(home / "export"))
    return home


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Two workers on this machine, each with a process of its own."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as local:
        yield local


def learned(home: Path, tmp_path: Path, **how: Any) -> dict[str, Any]:
    copy = Home(Path(shutil.copytree(home, tmp_path / f"home{len(list(tmp_path.iterdir()))}")))
    settings = load_settings(None, copy.config)
    sources = [str(copy.path / "export")]
    return dict(
        retrain(
            home=copy, settings=settings, log=Log(copy), sources=sources, promote="never", page=False, **how
        ).result
    )


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one["rows"] == other["rows"]
    assert one["verdict"] == other["verdict"]
    for part in ("before", "after", "difference", "baselines"):
        for name, figure in one[part].items():
            for bound, value in figure.items():
                if value is None:
                    assert other[part][name][bound] is None
                    continue
                assert value == pytest.approx(other[part][name][bound], rel=1e-9, abs=1e-9), (part, name)


def test_a_cluster_learns_what_one_process_learns(logged: Path, tmp_path: Path, cluster: Any) -> None:
    alone = learned(logged, tmp_path)
    assert_same(alone, learned(logged, tmp_path, cluster=cluster.scheduler_address, block=BLOCK))


def test_a_worker_killed_in_the_middle_costs_nothing_but_time(
    logged: Path, tmp_path: Path, cluster: Any
) -> None:
    killed: list[int] = []

    def kill() -> None:
        with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
            workers = client.run(os.getpid)
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline:
                for address, tasks in client.processing().items():
                    if tasks:
                        os.kill(workers[address], signal.SIGKILL)
                        killed.append(workers[address])
                        return
                time.sleep(0.005)

    killer = threading.Thread(target=kill)
    killer.start()
    found = learned(logged, tmp_path, cluster=cluster.scheduler_address, block=BLOCK)
    killer.join(timeout=150)
    assert len(killed) == 1
    assert_same(learned(logged, tmp_path), found)


def test_an_address_where_nobody_answers_is_named(logged: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(logged, tmp_path / "home"))
    said = run(home, "retrain", "--cluster", "tcp://127.0.0.1:1")
    assert said.code == 2
    assert "--cluster tcp://127.0.0.1:1: no Dask scheduler answers there" in said.err
