# ruff: noqa: S101, T201  - prints its findings; what a benchmark asserts is that it measures what it says
"""What `serve` adds to a request, beside a direct call to the same upstream.

    python -m benchmarks.speed.serving [--requests 1500] [--litellm /folder/of/its/venv]

The upstream runs in a process of its own and answers after 0 or 50 ms. Every contestant is asked the same number
of times by the same client, in turns of a hundred so that a slow moment of the machine meets all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.server import model_server

TURN = 100
CONFIG = """
schema_version = 1
[[models]]
id = "loopback/a"
provider = "openai"
base_url = "{url}"
tags = ["local"]
price = {{ input = 1, output = 2 }}
max_concurrency = 64
[[models]]
id = "loopback/b"
provider = "openai"
base_url = "{url}"
tags = ["local"]
price = {{ input = 2, output = 4 }}
max_concurrency = 64
"""
LITELLM = """
model_list:
  - model_name: auto
    litellm_params: {{ model: openai/a, api_base: "{url}", api_key: none }}
general_settings: {{}}
litellm_settings: {{ telemetry: false }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """Somebody who answers chat requests."""

    name: str
    url: str
    pids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A process and the file that takes what it says: a pipe that nobody reads would stop it."""

    pid: int
    said: Path

    def find(self, pattern: str) -> re.Match[str]:
        """Return where it says `pattern`, which it must within a minute."""
        for _ in range(600):
            if found := re.search(pattern, self.said.read_text(encoding="utf-8"), re.MULTILINE):
                return found
            time.sleep(0.1)
        raise AssertionError(f"it never said {pattern} but {self.said.read_text(encoding='utf-8')[-2000:]}")


@contextmanager
def _running(words: Sequence[str], **env: str) -> Iterator[Running]:
    with tempfile.NamedTemporaryFile("w") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out, env={**os.environ, **env})  # noqa: S603  - our own
        try:
            yield Running(pid=process.pid, said=Path(out.name))
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def zetaroute(url: str, folder: Path, *, workers: int = 1) -> Iterator[Contestant]:
    """Run `serve` on a fresh home."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(CONFIG.format(url=url), encoding="utf-8")
    words = ["-m", "zetaroute", "--home", str(folder), "serve", "--port", "0", "--workers", str(workers)]
    with _running([sys.executable, *words]) as process:
        port = process.find(r"serves http://127.0.0.1:(\d+)")[1]
        yield Contestant(name="zetaroute", url=f"http://127.0.0.1:{port}/v1", pids=(process.pid,))


@contextmanager
def litellm(url: str, folder: Path, venv: Path) -> Iterator[Contestant]:
    """Run the proxy of LiteLLM out of its own environment."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "litellm.yaml").write_text(LITELLM.format(url=url), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        str(venv / "bin/litellm"),
        "--config",
        str(folder / "litellm.yaml"),
        "--port",
        str(port),
        "--host",
        "127.0.0.1",
    ]
    # It is asked from this machine alone, as ours is.
    with _running(words, LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY="true") as process:
        process.find("Uvicorn running|Application startup complete")
        yield Contestant(name="LiteLLM proxy", url=f"http://127.0.0.1:{port}/v1", pids=(process.pid,))


async def measured(
    contestants: Sequence[Contestant], *, requests: int, concurrency: int, streamed: bool = False
) -> dict[str, list[float]]:
    """Return the times in seconds of every contestant's requests."""
    import aiohttp

    times: dict[str, list[float]] = {one.name: [] for one in contestants}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(one: Contestant, feed: Iterator[int]) -> None:
            for row in feed:
                body = {"model": "auto", "messages": [{"role": "user", "content": f"What is {row} + 1?"}]}
                start = time.perf_counter()
                async with session.post(
                    f"{one.url}/chat/completions", json={**body, "stream": streamed}
                ) as answer:
                    text = await answer.read()
                    assert answer.status == 200, text
                times[one.name].append(time.perf_counter() - start)

        for start in range(-TURN, requests, TURN):
            for one in contestants:
                feed = iter(range(start, start + TURN))
                await asyncio.gather(*(ask(one, feed) for _ in range(concurrency)))
    # The first turn warms everybody up.
    return {name: found[TURN:] for name, found in times.items()}


def memory_mb(contestant: Contestant) -> float:
    """Return what the processes of a contestant hold, shared pages counted by their share."""
    total = 0
    children = [child for parent in contestant.pids for child in _children(parent)]
    for pid in (*contestant.pids, *children):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [int(child) for child in found]


def _show(title: str, times: dict[str, list[float]]) -> None:
    base = {q: _quantile(times["direct"], q) for q in (0.5, 0.99)}
    print(f"\n{title}")
    for name, found in times.items():
        p50, p99 = (1e3 * _quantile(found, q) for q in (0.5, 0.99))
        added = [1e3 * (_quantile(found, q) - base[q]) for q in (0.5, 0.99)]
        print(
            f"  {name:14} p50 {p50:7.2f} ms  p99 {p99:7.2f} ms   added p50 {added[0]:6.2f} p99 {added[1]:6.2f} ms"
        )


def _quantile(values: Sequence[float], share: float) -> float:
    return statistics.quantiles(values, n=1000, method="inclusive")[int(share * 1000) - 1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1500)
    parser.add_argument("--litellm", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        for answer_s in (0.0, 0.05):
            _compare(answer_s, Path(place) / str(answer_s), chosen.requests, chosen.litellm)


def _compare(answer_s: float, folder: Path, requests: int, venv: Path | None) -> None:
    with model_server(answer_s=answer_s) as url, zetaroute(url, folder / "z") as ours:
        direct = Contestant(name="direct", url=url)
        contestants = [direct, ours]
        if venv is None:
            _run(answer_s, contestants, requests)
            return
        with litellm(url, folder / "l", venv) as theirs:
            _run(answer_s, [*contestants, theirs], requests)


def _run(answer_s: float, contestants: Sequence[Contestant], requests: int) -> None:
    for concurrency in (1, 16):
        times = asyncio.run(measured(contestants, requests=requests, concurrency=concurrency))
        _show(f"upstream answers after {1e3 * answer_s:g} ms, {concurrency} at once", times)
    for one in contestants:
        if one.pids:
            print(f"  {one.name} holds {memory_mb(one):.0f} MB")


if __name__ == "__main__":
    main()
