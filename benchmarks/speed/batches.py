# ruff: noqa: S101  - what a benchmark asserts is that it measures what it says
"""Time per row of `batch` on a loopback server that answers after 50 ms, beside bare loops that log nothing.

With so many calls at once no loop can be faster than the answers come: that bound stands beside the others.
"""

from __future__ import annotations

import asyncio
import gc
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.speed.homes import ARMS, learned_home, serve_from
from benchmarks.speed.measuring import Figure, Timed, medians
from benchmarks.speed.server import model_server

if TYPE_CHECKING:
    from zetaroute.domain import Query

ANSWER_S = 0.05
ROWS = 3000
AT_ONCE = 64

Contestant = Callable[[], Coroutine[Any, Any, None]]


def batches(folder: Path, repeats: int) -> list[Figure]:
    """Return the median times per row."""
    learned = folder / "learned"
    if not learned.exists():
        learned_home(learned)
    with model_server(answer_s=ANSWER_S) as url:
        loops = {
            "aiohttp": lambda: bare_aiohttp_transport(url),
            "httpx": lambda: bare_client_per_worker(url),
            "providers": lambda: providers_alone(url),
            "cold": lambda: batch_cold(url),
            "learned": lambda: batch_learned(url, learned),
        }
        found = medians({name: per_row(loop) for name, loop in loops.items()}, repeats)
    told = {
        "providers": "the providers alone",
        "cold": "`batch`, cold start of 2 models",
        "learned": f"`batch`, learned policy of {ARMS} models",
    }
    references = {"aiohttp": "bare httpx over aiohttp", "httpx": "one bare httpx client each"}
    figures = [
        Figure(
            what=f"{what}, {AT_ONCE} at once: per row",
            value=found[name],
            reference=words,
            beside=found[reference],
        )
        for name, what in told.items()
        for reference, words in references.items()
    ]
    bound_s = ANSWER_S / AT_ONCE
    return [
        *figures,
        Figure(
            what=f"{references['aiohttp']}, {AT_ONCE} at once: per row",
            value=found["aiohttp"],
            reference="as fast as answers come",
            beside=bound_s,
        ),
    ]


def per_row(loop: Contestant) -> Timed:
    """Return what runs a loop and returns the seconds that each of its rows took."""

    def timed() -> float:
        start = time.perf_counter()
        asyncio.run(loop())
        return (time.perf_counter() - start) / ROWS

    return timed


def _body(row: int) -> dict[str, object]:
    return {
        "model": "loopback",
        "messages": [{"role": "user", "content": f"What is {row} + 1?"}],
        "stream": False,
    }


async def _workers(ask: Callable[[int, int], Awaitable[None]]) -> None:
    feed = iter(range(ROWS))

    async def work(worker: int) -> None:
        for row in feed:
            await ask(worker, row)

    await asyncio.gather(*(work(worker) for worker in range(AT_ONCE)))


async def bare_aiohttp_transport(url: str) -> None:
    """Ask with httpx over the transport of aiohttp, one client for all."""
    import httpx
    from aiohttp import ClientSession, TCPConnector
    from httpx_aiohttp import AiohttpTransport

    def session() -> ClientSession:
        return ClientSession(connector=TCPConnector(limit=AT_ONCE))

    async with httpx.AsyncClient(transport=AiohttpTransport(client=session), timeout=60) as client:

        async def ask(_: int, row: int) -> None:
            answer = await client.post(f"{url}/chat/completions", json=_body(row))
            assert answer.json()["choices"]

        await _workers(ask)


async def bare_client_per_worker(url: str) -> None:
    """Ask with one plain httpx client per worker."""
    import ssl

    import httpx

    context = ssl.create_default_context()
    clients = [httpx.AsyncClient(verify=context, timeout=60) for _ in range(AT_ONCE)]

    async def ask(worker: int, row: int) -> None:
        answer = await clients[worker].post(f"{url}/chat/completions", json=_body(row))
        assert answer.json()["choices"]

    await _workers(ask)
    for client in clients:
        await client.aclose()


async def providers_alone(url: str) -> None:
    """Ask through zetaroute's providers, without deciding or logging."""
    from zetaroute.domain import Arm, Query
    from zetaroute.providers.pool import open_providers

    arm = Arm(id="l/b", provider="openai", model="b", base_url=url, max_concurrency=AT_ONCE)
    async with open_providers([arm], many=True) as providers:

        async def ask(_: int, row: int) -> None:
            await providers.complete(arm, Query(text=f"What is {row} + 1?"))

        await _workers(ask)


async def batch_cold(url: str) -> None:
    """Run the whole of `batch` in a fresh home with two models: decide, ask, grade, journal, merge, write."""
    from zetaroute.domain import Query

    models = "".join(
        f'[[models]]\nid = "l/{name}"\nprovider = "openai"\nbase_url = "{url}"\nmax_concurrency = {AT_ONCE}\n'
        "price = { input = 1, output = 1 }\n"
        for name in ("small", "large")
    )
    queries = [
        Query(text=f"What is {row} + 1?", custom_id=str(row), reference=str(row + 1)) for row in range(ROWS)
    ]
    with tempfile.TemporaryDirectory() as folder:
        # What an audit asks is work of its own, and not a row's.
        await _batch(Path(folder), f"[audit]\nshare = 0\n{models}", queries)


async def batch_learned(url: str, learned: Path) -> None:
    """Run it by the policy of a learned home, with an empty log, on practice queries."""
    from zetaroute.domain import Query
    from zetaroute.practice.generator import generate

    with tempfile.TemporaryDirectory() as folder:
        home = Path(shutil.copytree(learned, folder, dirs_exist_ok=True))
        for log in home.glob("*.duckdb*"):
            log.unlink()
        serve_from(home, url)
        models = (home / "config.toml").read_text(encoding="utf-8")
        models = models.replace("[[models]]", f"[[models]]\nmax_concurrency = {AT_ONCE}")
        queries = [
            Query(text=one.query.text, custom_id=f"q{row}", reference=str(row))
            for row, one in enumerate(generate(rows=ROWS, seed=3))
        ]
        await _batch(home, models, queries)


async def _batch(folder: Path, config: str, queries: Sequence[Query]) -> None:
    from zetaroute.__main__ import FEWEST_NEW
    from zetaroute.batch.answers_file import Output
    from zetaroute.batch.input import as_rows
    from zetaroute.batch.run import BatchPlan, run_batch
    from zetaroute.batch.seen_rows import SeenRows
    from zetaroute.config import Home, parse_settings
    from zetaroute.projections import log_of
    from zetaroute.router.router import open_router

    home = Home(folder)
    home.make()
    log = log_of(home)
    before = gc.get_threshold()
    # As the command does.
    gc.set_threshold(FEWEST_NEW)
    with Output(home.path / "answers.jsonl") as output:
        progress = await run_batch(
            open_router(home, parse_settings(config, file=None)),
            as_rows(queries),
            log=log,
            seen_rows=SeenRows(),
            plan=BatchPlan(run="batches", concurrency=AT_ONCE),
            output=output,
        )
    log.merge()
    gc.set_threshold(*before)
    assert progress.answered == len(queries), progress.summary()
