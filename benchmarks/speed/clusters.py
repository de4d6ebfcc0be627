"""`retrain --cluster` with one to four worker processes on this machine, beside one process without a cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.speed.large_log import Used, command_line, in_another_process, measured, run
from benchmarks.speed.measuring import Figure
from benchmarks.speed.retrains import add_rows, grown_home

ROWS = 800_000
"""Eight partitions, so that one, two and four workers have as many each."""
WORKERS = (1, 2, 3, 4)


def clusters(folder: Path, rows: int = ROWS) -> list[Figure]:
    """Return the time of a retrain from an export by number of workers, and the processor's seconds of all."""
    home = grown_home(folder)
    in_another_process(add_rows, home, rows, seed=77)
    export = str(folder / "export")
    run(home, "log", "export", "--to", export)
    learn = command_line(home, "retrain", "--from", export, "--promote", "never", "--json")
    alone = measured(learn)
    figures = []
    for workers in WORKERS:
        with _cluster(folder / f"scheduler{workers}.json", workers) as (address, processes):
            driver = measured([*learn, "--cluster", address])
            spent_s = sum(map(_processor_s, processes))
        figures.append(_figure(rows, workers, alone, driver, spent_s))
    return figures


def _figure(rows: int, workers: int, alone: Used, driver: Used, spent_s: float) -> Figure:
    processors = min(workers, os.cpu_count() or 1)
    return Figure(
        what=f"`retrain --cluster`, {rows:,} rows, {workers} worker{'s' if workers > 1 else ''}",
        value=driver.elapsed_s,
        reference="one process without a cluster",
        beside=alone.elapsed_s,
        note=f"efficiency {alone.elapsed_s / driver.elapsed_s / processors:.2f} per processor; "
        f"processor {spent_s:.0f} s of the workers, {driver.cpu_s:.0f} s of the driver, beside {alone.cpu_s:.0f} s; "
        f"driver {driver.mebibytes:,.0f} MiB beside {alone.mebibytes:,.0f}",
    )


@contextmanager
def _cluster(told: Path, workers: int) -> Iterator[tuple[str, list[int]]]:
    """Yield the address of a scheduler and the ids of its workers."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> None:
        call = [
            sys.executable,
            "-m",
            *words,
            "--host",
            "127.0.0.1",
            "--scheduler-file",
            str(told),
            "--no-dashboard",
        ]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        processes.append(subprocess.Popen(call, **silent))  # noqa: S603  - Dask's own commands

    try:
        start("distributed.cli.dask_scheduler", "--port", "0")
        while not (told.exists() and told.read_text(encoding="utf-8").endswith("}")):
            time.sleep(0.1)
        for _ in range(workers):
            start("distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny")
        _wait_for(json.loads(told.read_text(encoding="utf-8"))["address"], workers)
        yield json.loads(told.read_text(encoding="utf-8"))["address"], [one.pid for one in processes[1:]]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _wait_for(address: str, workers: int) -> None:
    from distributed import Client

    with Client(address, timeout=120) as client:  # type: ignore[no-untyped-call]
        client.wait_for_workers(workers, timeout=120)


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
