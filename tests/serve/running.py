"""A real server process of the program on a free port, and clients for it."""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.cli.command import command, environment
from tests.support.waiting import PATIENCE_S, until

NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""To read the machine's own for every client takes longer than most requests."""


@dataclass(slots=True, kw_only=True)
class Server:
    """A running server."""

    home: Path
    port: int
    process: subprocess.Popen[bytes]
    said: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=PATIENCE_S, trust_env=False, verify=NO_CERTIFICATES)

    def ask(self, text: str = "What is 2 + 3?", *, model: str = "auto", **fields: Any) -> httpx.Response:
        """Send one chat request."""
        body = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
        with self.client() as client:
            return client.post("/v1/chat/completions", json=body)

    def get(self, path: str, **headers: str) -> httpx.Response:
        with self.client() as client:
            return client.get(path, headers=headers)

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        with self.client() as client:
            return client.post(path, json=body, headers=headers)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        os.kill(self.process.pid, number)
        return self.process.wait(PATIENCE_S)


@contextmanager
def serving(home: Path, *arguments: str, **env: str) -> Iterator[Server]:
    """Run `serve` on a home until the block ends."""
    home.mkdir(parents=True, exist_ok=True)
    said = home.parent / f"{home.name}-said.txt"
    with said.open("wb") as out:
        words = command(home, "serve", "--port", "0", *arguments)
        process = subprocess.Popen(
            words, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=environment(**env)
        )
    try:
        server = Server(home=home, port=_port(process, said), process=process, said=said)
        until(lambda: _answers(server))
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _port(process: subprocess.Popen[bytes], said: Path) -> int:
    def found() -> re.Match[str] | None:
        return re.search(r"serves http://\S+:(\d+)/v1", said.read_text())

    until(lambda: found() or process.poll() is not None)
    line = found()
    assert line is not None, said.read_text()
    return int(line[1])


def _answers(server: Server) -> bool:
    try:
        return server.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False
