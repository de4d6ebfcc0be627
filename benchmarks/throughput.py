# ruff: noqa: S101  - what a benchmark asserts is that it measures what it says
"""Rows per second of `batch` on a loopback server, beside bare loops that only call and log nothing.

    python -m benchmarks.throughput [--rows 3000] [--concurrency 64] [--repeats 3]

The server runs in a process of its own and answers every chat completion after 50 ms. Each contestant asks the
same number of rows; the best of the repeats counts, because everything else on the machine only ever slows down.
"""

from __future__ import annotations

import argparse
import asyncio
import atexit
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zetaroute.domain import Query

ANSWER_S = 0.05
_ANSWER = json.dumps(
    {
        "object": "chat.completion",
        "model": "loopback",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "42"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 2},
    }
).encode()
_REPLY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(_ANSWER)


class _Server(asyncio.Protocol):
    """As little of HTTP as it takes, so that the server is not what is measured."""

    def __init__(self) -> None:
        self._waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        head, end, body = self._waiting.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if end and len(body) >= length:
            self._waiting = body[length:]
            asyncio.get_running_loop().call_later(ANSWER_S, self._transport.write, _REPLY + _ANSWER)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  - tells the parent where it listens
    await server.serve_forever()


def _body(row: int) -> dict[str, object]:
    return {
        "model": "loopback",
        "messages": [{"role": "user", "content": f"What is {row} + 1?"}],
        "stream": False,
    }


async def _workers(rows: int, concurrency: int, ask: Callable[[int, int], Awaitable[None]]) -> None:
    feed = iter(range(rows))

    async def work(worker: int) -> None:
        for row in feed:
            await ask(worker, row)

    await asyncio.gather(*(work(worker) for worker in range(concurrency)))


async def bare_aiohttp_transport(url: str, rows: int, concurrency: int) -> None:
    """Ask with httpx over the transport of aiohttp, one client for all."""
    import httpx
    from aiohttp import ClientSession, TCPConnector
    from httpx_aiohttp import AiohttpTransport

    def session() -> ClientSession:
        return ClientSession(connector=TCPConnector(limit=concurrency))

    async with httpx.AsyncClient(transport=AiohttpTransport(client=session), timeout=60) as client:

        async def ask(_: int, row: int) -> None:
            answer = await client.post(f"{url}/chat/completions", json=_body(row))
            assert answer.json()["choices"]

        await _workers(rows, concurrency, ask)


async def bare_client_per_worker(url: str, rows: int, concurrency: int) -> None:
    """Ask with one plain httpx client per worker."""
    import ssl

    import httpx

    context = ssl.create_default_context()
    clients = [httpx.AsyncClient(verify=context, timeout=60) for _ in range(concurrency)]

    async def ask(worker: int, row: int) -> None:
        answer = await clients[worker].post(f"{url}/chat/completions", json=_body(row))
        assert answer.json()["choices"]

    await _workers(rows, concurrency, ask)
    for client in clients:
        await client.aclose()


async def providers_alone(url: str, rows: int, concurrency: int) -> None:
    """Ask through zetaroute's providers, without deciding or logging."""
    from zetaroute.domain import Arm, Query
    from zetaroute.providers.opening import open_providers

    arm = Arm(id="l/b", provider="openai", model="b", base_url=url, max_concurrency=concurrency)
    async with open_providers([arm], many=True) as providers:

        async def ask(_: int, row: int) -> None:
            await providers.complete(arm, Query(text=f"What is {row} + 1?"))

        await _workers(rows, concurrency, ask)


async def batch(url: str, rows: int, concurrency: int) -> None:
    """Run the whole of `batch` in a fresh home with two models: decide, ask, grade, journal, merge, write."""
    from zetaroute.domain import Query

    models = "".join(
        f'[[models]]\nid = "l/{name}"\nprovider = "openai"\nbase_url = "{url}"\nmax_concurrency = {concurrency}\n'
        "price = { input = 1, output = 1 }\n"
        for name in ("small", "large")
    )
    queries = [
        Query(text=f"What is {row} + 1?", custom_id=str(row), reference=str(row + 1)) for row in range(rows)
    ]
    with tempfile.TemporaryDirectory() as folder:
        await _batch(Path(folder), models, queries, concurrency)


async def batch_learned(url: str, rows: int, concurrency: int) -> None:
    """Run it by a learned policy over twelve models, on practice queries."""
    from benchmarks.speed.homes import serve_from
    from zetaroute.domain import Query
    from zetaroute.practice.generator import generate

    with tempfile.TemporaryDirectory() as folder:
        home = Path(shutil.copytree(_learned(), folder, dirs_exist_ok=True))
        serve_from(home, url)
        models = (home / "config.toml").read_text(encoding="utf-8")
        models = models.replace("[[models]]", f"[[models]]\nmax_concurrency = {concurrency}")
        queries = [
            Query(text=one.query, custom_id=f"q{row}", reference=str(row))
            for row, one in enumerate(generate(rows=rows, seed=3))
        ]
        await _batch(home, models, queries, concurrency)


@cache
def _learned() -> Path:
    """Make a home with a learned policy, once for all repeats."""
    from benchmarks.speed.homes import learned_home

    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    learned_home(folder / "learned")
    # What is measured begins with an empty log.
    for log in (folder / "learned").glob("*.duckdb*"):
        log.unlink()
    return folder / "learned"


async def _batch(folder: Path, config: str, queries: Sequence[Query], concurrency: int) -> None:
    from zetaroute.config import Home, parse_settings
    from zetaroute.flows.batch import Plan, run_batch
    from zetaroute.flows.intake import as_rows
    from zetaroute.flows.ledger import Ledger
    from zetaroute.flows.output import Output
    from zetaroute.flows.router import open_router
    from zetaroute.store.log import Log

    home = Home(folder)
    home.make()
    log = Log(home)
    with Output(home.path / "answers.jsonl") as output:
        progress = await run_batch(
            open_router(home, parse_settings(config, file=None)),
            as_rows(queries),
            log=log,
            ledger=Ledger(),
            plan=Plan(run="throughput", concurrency=concurrency),
            output=output,
        )
    log.merge()
    assert progress.answered == len(queries), progress.summary()


CONTESTANTS = (bare_aiohttp_transport, bare_client_per_worker, providers_alone, batch, batch_learned)


def main() -> None:
    """Print rows per second of every contestant, and of `batch` as shares of the bare loops."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(_serve())
        return
    with subprocess.Popen(  # noqa: S603  - this very file
        [sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        try:
            _compare(url, options.rows, options.concurrency, options.repeats)
        finally:
            server.terminate()


def _compare(url: str, rows: int, concurrency: int, repeats: int) -> None:
    _learned()
    best = dict.fromkeys((contestant.__name__ for contestant in CONTESTANTS), 0.0)
    for _ in range(repeats):
        for contestant in CONTESTANTS:
            started_at = time.perf_counter()
            asyncio.run(contestant(url, rows, concurrency))
            rate = rows / (time.perf_counter() - started_at)
            best[contestant.__name__] = max(best[contestant.__name__], rate)
    figures: dict[str, float] = {f"{name}_rows_per_s": round(rate, 1) for name, rate in best.items()}
    figures["limit_rows_per_s"] = round(concurrency / ANSWER_S, 1)
    figures["batch_of_aiohttp_transport"] = round(best["batch"] / best["bare_aiohttp_transport"], 3)
    figures["batch_of_client_per_worker"] = round(best["batch"] / best["bare_client_per_worker"], 3)
    figures["batch_learned_of_aiohttp_transport"] = round(
        best["batch_learned"] / best["bare_aiohttp_transport"], 3
    )
    print(json.dumps(figures, indent=2))  # noqa: T201  - what this script is for


if __name__ == "__main__":
    main()
