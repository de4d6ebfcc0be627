"""The section of evidence.md on response times of a server under changing load, which a running process sees."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zetaroute.arrays import Array
from zetaroute.router.load import Load

TITLE = "## The load of a server"
MODEL = "model"
SLOTS, USUAL_S = 4, 0.06
"""Calls that the server answers at once, the others wait; and the median of what one takes."""
KNOWN_SD, NOISE_SD = 0.5, 0.3
"""Of the logarithm of what a call takes: what the query tells, and what nothing does."""
PHASE_S = 4.0
PHASES = {
    "quiet": (0.3, 0.0),
    "own calls": (1.1, 0.0),
    "quiet again": (0.3, 0.0),
    "calls of others": (0.3, 0.9),
}
"""Own calls and those of other clients, by what the server can take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What was known of a call when it was made, and the seconds that it took."""

    phase: str
    forecast_s: float
    took_s: float
    in_flight: int
    lately: float
    both: float
    """Times its forecast."""


def section(_: Path, seeds: int) -> list[str]:
    """Return the lines of the section."""
    lines = [
        TITLE,
        "",
        f"A loopback server answers {SLOTS} calls at once and lets others wait; {len(PHASES)} phases of {PHASE_S:g}",
        f"seconds, {seeds} seeds. Root mean square error of the logarithm of the response time by a forecast that",
        "knows what the query tells of the time without load: alone; times (calls in flight + 1) / slots where that",
        "is above 1, by who knows the slots; corrected by the latest response times; and by those and the calls in",
        "flight, as a running process does (`router/load.py`). The last row is R2 about the mean of all calls.",
        "",
        "| phase | calls | alone | slots known | latest times | with calls in flight |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    calls = [one for seed in range(seeds) for one in asyncio.run(_play(seed))]
    for phase in PHASES:
        mine = [one for one in calls if one.phase == phase]
        lines.append(_row(phase, len(mine), np.sqrt(_squares(mine))))
    spread = np.log([one.took_s for one in calls]).var()
    return [*lines, _row("R2", len(calls), 1.0 - _squares(calls) / spread), ""]


def _row(name: str, calls: int, figures: Array) -> str:
    return f"| {name} | {calls} | {' | '.join(f'{one:.2f}' for one in figures)} |"


def _squares(calls: Sequence[Call]) -> Array:
    """Return the mean squared errors of the four ways."""
    left = np.log([one.took_s / one.forecast_s for one in calls])
    ways = [
        [1.0 for one in calls],
        [max((one.in_flight + 1) / SLOTS, 1.0) for one in calls],
        [one.lately for one in calls],
        [one.both for one in calls],
    ]
    return np.asarray(((left - np.log(ways)) ** 2).mean(axis=1))


async def _play(seed: int) -> list[Call]:
    """Return the own calls of all phases."""
    rng, slots = np.random.default_rng(seed), asyncio.Semaphore(SLOTS)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seconds = float(await reader.readline())
        async with slots:
            await asyncio.sleep(seconds)
        writer.write(b"done\n")
        writer.close()

    calls, flying, lately, both = list[Call](), Counter[str](), Load(), Load()

    async def ask(seconds: float) -> float:
        start = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{seconds}\n".encode())
        await reader.readline()
        writer.close()
        return time.monotonic() - start

    async def ask_own(phase: str, known: float, noise: float) -> None:
        forecast_s, now_s = USUAL_S * np.exp(known + NOISE_SD**2 / 2), time.monotonic()
        slow = [load.slow(now_s).get(MODEL, 1.0) for load in (lately, both)]
        in_flight = flying[MODEL]
        flying[MODEL] += 1
        with both.asking(MODEL, forecast_s) as took:
            took.append(took_s := await ask(USUAL_S * np.exp(known + noise)))
        flying[MODEL] -= 1
        lately.saw(MODEL, took_s / forecast_s, 0, time.monotonic())
        known_then = {"in_flight": in_flight, "lately": slow[0], "both": slow[1]}
        calls.append(Call(phase=phase, forecast_s=forecast_s, took_s=took_s, **known_then))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    capacity = SLOTS / (USUAL_S * np.exp((KNOWN_SD**2 + NOISE_SD**2) / 2))
    async with server, asyncio.TaskGroup() as group:
        for phase, (mine, theirs) in PHASES.items():
            end = time.monotonic() + PHASE_S
            while time.monotonic() < end:
                await asyncio.sleep(rng.exponential(1 / (capacity * (mine + theirs))))
                known, noise = rng.normal(0, KNOWN_SD), rng.normal(0, NOISE_SD)
                if rng.random() < mine / (mine + theirs):
                    group.create_task(ask_own(phase, known, noise))
                else:
                    group.create_task(ask(USUAL_S * np.exp(known + noise)))
    return calls
