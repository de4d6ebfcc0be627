"""What stands around the play: the servers, the home with its config, and the queries."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zetaroute.config import default_config_text
from zetaroute.practice.generator import generate, json_line

CHAT, EMBED = "gemma-270m-chat", "gemma-270m-embed"
START_S = 120.0
PRICES = {"practice/medium": (300, 1000), "practice/large": (350, 1200)}
"""USD per million tokens, in and out, of the practice models."""
SIGNAL = r"""
import json, os, re, sys
from collections import Counter

query, answer = json.loads(os.environ["ZETAROUTE_CASE"])["query"], sys.stdin.read().strip()
shapes = {"mail": r"\w[\w.]+@[\w.]+\w", "phone": r"\d{3}-\d{4}"}
shape = next((shape for word, shape in shapes.items() if word in query), r"[\d,]+\.\d\d")
found = re.findall(shape, answer)
names = [name for name, times in Counter(re.findall(r"[A-Z][a-z]+", query)).items() if times > 1]
facts = [fact for fact in re.split(r"[.?] |\n", query) if any(name in fact for name in names)]
told = len(found) == 1 and any(found[0] in fact for fact in facts)
print(float(told and not ("only" in query and answer.strip("$") != found[0])))
"""
"""A program that says whether an answer holds one thing of the kind asked for, told of the one asked about."""
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answers(url: str) -> bool:
    """Return whether a server answers there with success."""
    try:
        _DIRECT.open(url, timeout=5).close()
    except (urllib.error.URLError, OSError):
        return False
    return True


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass(slots=True, kw_only=True)
class Llama:
    """A llama.cpp server that can be lost and brought back at the same port."""

    python: str
    setting: str
    model: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """Start it, and wait until it has read the model."""
        words = [self.python, str(Path(__file__).with_name("llama.py")), self.setting, str(self.port)]
        self.process = subprocess.Popen(
            [*words, str(self.model)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if answers(f"{self.url}/models"):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.2)
        raise SystemExit(f"llama.cpp's server ({self.setting}) has not come up")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None


def arms(config: str) -> str:
    """Return a detected config with short answers of one line, two expensive practice models, and a signal."""
    practice = default_config_text()
    blocks = practice[practice.index("[[models]]") : practice.index("# What is kept")]
    expensive = []
    for name, price in PRICES.items():
        (block,) = (part for part in blocks.split("[[models]]") if name in part)
        words = f"price = {{ input = {price[0]}, output = {price[1]} }}"
        expensive.append("[[models]]" + re.sub(r"(?m)^price = .*$", words, block))
    config = re.sub(
        rf'(?m)^(model = "{CHAT}")',
        r'\1\noptions = { max_tokens = 16, stop = ["\\n"], temperature = 0 }',
        config,
    )
    objective = "[objective]\nanswer_value_usd = 0.05\nsecond_value_usd = 0.0\n"
    config = re.sub(r"(?ms)^\[objective\].*?(?=^\[|^# ---|\Z)", objective, config)
    command = f'[graders.found]\ncommand = ["{sys.executable}", "found.py"]\n'
    signal = '[[checks]]\ntask = "extraction"\ngrader = "found"\nsignal = true\n'
    return "\n".join([config, *expensive, command, signal])


def queries(rows: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield easy practice queries that a small language model can be right about: a fact out of a short text."""
    found = (json.loads(json_line(one)) for one in generate(rows=60 * rows, seed=seed))
    easy = (one for one in found if one["task"] == "extraction" and one["metadata"]["difficulty"] == 1)
    for _, one in zip(range(rows), easy, strict=False):
        yield one


def write(path: Path, rows: Iterator[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return str(path)


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """Serve the home on a port of its own; yield the address that clients are given."""
    port = free_port()
    words = [sys.executable, "-m", "zetaroute", "--home", str(home), "serve", "--port", str(port)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + START_S
            while time.monotonic() < until:
                if answers(f"http://127.0.0.1:{port}/readyz"):
                    break
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
