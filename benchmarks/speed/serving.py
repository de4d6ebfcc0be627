# ruff: noqa: S101  - what a benchmark asserts is that it measures what it says
"""How long a request takes through `serve` and other servers in its place, and what each adds to a direct call.

The upstream runs in a process of its own and answers after 0 or 50 ms. Every contestant is asked the same number
of times by the same client, in turns of a hundred so that a slow moment of the machine meets all of them.
"""

from __future__ import annotations

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
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.speed.measuring import Figure
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
    headers: dict[str, str] = field(default_factory=dict)


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
        yield Contestant(name="`serve`", url=f"http://127.0.0.1:{port}/v1", pids=(process.pid,))


@contextmanager
def passing_on(url: str, _: Path) -> Iterator[Contestant]:
    """Run a Starlette application that passes everything on and does nothing else."""
    with _running([sys.executable, "-m", "benchmarks.speed.passing_on", url]) as process:
        port = process.find(r"running on http://127.0.0.1:(\d+)")[1]
        yield Contestant(name="bare Starlette", url=f"http://127.0.0.1:{port}/v1", pids=(process.pid,))


@contextmanager
def litellm(url: str, folder: Path, venv: Path) -> Iterator[Contestant]:
    """Run the proxy of LiteLLM out of its own environment."""
    (folder / "litellm.yaml").write_text(LITELLM.format(url=url), encoding="utf-8")
    port = _free_port()
    words = [venv / "bin/litellm", "--config", folder / "litellm.yaml", "--port", port, "--host", "127.0.0.1"]
    # It is asked from this machine alone, as ours is.
    with _running(
        [str(word) for word in words], LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY="true"
    ) as process:
        process.find("Uvicorn running|Application startup complete")
        yield Contestant(name="LiteLLM proxy", url=f"http://127.0.0.1:{port}/v1", pids=(process.pid,))


@contextmanager
def portkey(url: str, _: Path, node_modules: Path) -> Iterator[Contestant]:
    """Run the gateway of Portkey from npm."""
    port = _free_port()
    script = node_modules / "@portkey-ai/gateway/build/start-server.js"
    with _running(["node", str(script), f"--port={port}", "--headless"]) as process:
        process.find("running|Ready|ready")
        headers = {
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": url,
            "Authorization": "Bearer none",
        }
        yield Contestant(
            name="Portkey gateway", url=f"http://127.0.0.1:{port}/v1", pids=(process.pid,), headers=headers
        )


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


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
                    f"{one.url}/chat/completions", json={**body, "stream": streamed}, headers=one.headers
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


def serving(folder: Path, requests: int, gateways: Path | None) -> list[Figure]:
    """Return the times and memory of `serve` beside a bare pass-through and the `gateways` that a folder holds."""
    others = (
        {}
        if gateways is None
        else {"litellm": (litellm, gateways), "portkey": (portkey, gateways / "node_modules")}
    )
    figures = []
    for answer_s in (0.0, 0.05):
        place = folder / f"serving{1e3 * answer_s:g}"
        with ExitStack() as stack:
            url = stack.enter_context(model_server(answer_s=answer_s))
            servers = [
                stack.enter_context(zetaroute(url, place)),
                stack.enter_context(passing_on(url, place)),
            ]
            servers += [stack.enter_context(start(url, place, at)) for start, at in others.values()]
            figures += _compared(answer_s, [Contestant(name="direct", url=url), *servers], requests)
    return figures


def _compared(answer_s: float, contestants: Sequence[Contestant], requests: int) -> list[Figure]:
    figures = []
    _, ours, *others = contestants
    for concurrency in (1, 16):
        times = asyncio.run(measured(contestants, requests=requests, concurrency=concurrency))
        for share in (0.5, 0.99):
            took = {name: _quantile(found, share) for name, found in times.items()}
            adds = {
                name: f"{name} adds {1e3 * (found - took['direct']):.1f} ms" for name, found in took.items()
            }
            figures += [
                Figure(
                    what=f"`serve`, upstream {1e3 * answer_s:g} ms, {concurrency} at once: p{100 * share:g}",
                    value=took[ours.name],
                    reference=other.name,
                    beside=took[other.name],
                    note=f"{adds[ours.name]}, {adds[other.name]} to {1e3 * took['direct']:.1f} ms",
                )
                for other in others
            ]
    held = {one.name: memory_mb(one) for one in (ours, *others)}
    return figures + [
        Figure(
            what=f"memory of `serve`, upstream {1e3 * answer_s:g} ms",
            value=held[ours.name],
            reference=other.name,
            beside=held[other.name],
            unit="MB",
        )
        for other in others
    ]


def _quantile(values: Sequence[float], share: float) -> float:
    return statistics.quantiles(values, n=1000, method="inclusive")[int(share * 1000) - 1]
