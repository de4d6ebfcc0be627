"""The processes of the server: one socket for all, each with the application and an event loop of its own."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import connection, get_context
from typing import TYPE_CHECKING, Any

import uvicorn

from zetaroute.errors import UsageError, ZetarouteError
from zetaroute.serve.app import Offer, create_app
from zetaroute.serve.metrics import Metrics
from zetaroute.serve.protocol import GuardedProtocol, Seldom

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

_STOPS = (signal.SIGTERM, signal.SIGINT)
_BACKLOG = 2048
_KEEP_ALIVE_S = 30
_GRACE_S = 10.0
"""How long a worker may take to write its last rows after answers were cut."""
_SOON_S = 5.0
"""A worker that ends this soon after its start did not work at all."""
_MOST_SOON = 3


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raise UsageError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, because asyncio sends small pieces at once only over what calls itself TCP: else each waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise UsageError(
            f"cannot listen on {host} port {port} ({reason}): name others with --host and --port."
        ) from error
    listener.setblocking(False)
    return listener


def serve(offer: Offer, listener: socket.socket, *, workers: int) -> int:
    """Serve until a signal says stop; return that signal's number.

    Raises ZetarouteError when workers cannot be started.
    """
    models = [arm.id for arm in offer.settings.arms]
    if workers == 1:
        return serve_here(offer, listener, Metrics(models))
    cells = Metrics(models, workers=workers).cells
    crew = _Crew(offer, listener, cells, workers)
    with _stopping(crew.stop) as came:
        crew.run()
    return came[0] if came else 0


def serve_here(offer: Offer, listener: socket.socket, metrics: Metrics) -> int:
    """Serve in this process until a signal says stop; return its number."""
    config = uvicorn.Config(
        create_app(offer, metrics),
        loop="asyncio",
        ws="none",
        http=GuardedProtocol,
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        # The proxy before this server says who asks; nothing here depends on it.
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(offer.settings.serving.shutdown_s)),
    )
    for name in ("asyncio", "uvicorn.error"):
        logging.getLogger(name).addFilter(Seldom())
    server = uvicorn.Server(config)
    # uvicorn raises the signal once more when it has ended; by then there is nothing left to do.
    with _stopping(lambda: None) as came:
        asyncio.run(server.serve(sockets=[listener]))
    if not server.started:
        raise ZetarouteError("the server could not start: what is said above tells why.")
    return came[0] if came else 0


def _work(offer: Offer, listener: socket.socket, cells: Any, workers: int, slot: int) -> None:
    models = [arm.id for arm in offer.settings.arms]
    serve_here(offer, listener, Metrics(models, cells=cells, workers=workers, slot=slot))


class _Crew:
    """The workers, as their parent sees them."""

    def __init__(self, offer: Offer, listener: socket.socket, cells: Any, workers: int) -> None:
        self._offer = offer
        self._listener = listener
        self._cells = cells
        self._context = get_context("spawn")
        self._workers: list[SpawnProcess | None] = [None] * workers
        self._begun = [0.0] * workers
        self._soon = 0
        self._told, self._tell = connection.Pipe(duplex=False)
        self._ends = False

    def stop(self) -> None:
        """Let no worker start any more and those that run end; safe within a signal."""
        self._ends = True
        self._tell.send_bytes(b"stop")

    def run(self) -> None:
        """Keep all workers running until `stop`, then wait until they have ended."""
        for slot in range(len(self._workers)):
            self._start(slot)
        while not self._ends:
            sentinels = [worker.sentinel for worker in self._workers if worker is not None]
            connection.wait([*sentinels, self._told])
            for slot, worker in enumerate(self._workers):
                if worker is not None and not worker.is_alive() and not self._ends:
                    self._again(slot)
        self._end()
        if self._soon >= _MOST_SOON:
            raise ZetarouteError("the workers end as soon as they start: what they say above tells why.")

    def _start(self, slot: int) -> None:
        arguments = (self._offer, self._listener, self._cells, len(self._workers), slot)
        worker = self._context.Process(target=_work, args=arguments, name=f"zetaroute-{slot}")
        worker.start()
        self._workers[slot], self._begun[slot] = worker, time.monotonic()

    def _again(self, slot: int) -> None:
        self._soon = self._soon + 1 if time.monotonic() - self._begun[slot] < _SOON_S else 0
        if self._soon >= _MOST_SOON:
            self.stop()
        else:
            self._start(slot)

    def _end(self) -> None:
        alive = [worker for worker in self._workers if worker is not None]
        for worker in alive:
            worker.terminate()
        deadline = time.monotonic() + self._offer.settings.serving.shutdown_s + _GRACE_S
        for worker in alive:
            worker.join(max(0.0, deadline - time.monotonic()))
            if worker.is_alive():
                worker.kill()
                worker.join()


@contextmanager
def _stopping(stop: Callable[[], None]) -> Iterator[list[int]]:
    """Call `stop` when a signal says so; yields those that came."""
    came: list[int] = []

    def take(number: int, _: object) -> None:
        came.append(number)
        stop()

    before = {number: signal.signal(number, take) for number in _STOPS}
    try:
        yield came
    finally:
        for number, old in before.items():
            signal.signal(number, old)
