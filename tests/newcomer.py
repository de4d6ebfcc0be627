"""The newcomer's path, from a server that is found to a promotion and back to a rating: `python -m tests.newcomer`.

A scripted server behaves as llama.cpp's does: it loads at first, tells its slots and its context, and is away for a
while. It is right about stories and dates, and practice models stand beside it. What a person must see is asserted.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.cli.command import Said, ok, run
from tests.cli.conftest import says
from tests.providers.loopback import ModelServer, Reply, Running, Seen, http
from zetaroute.config import default_config_text

MODEL = "gemma-3-270m-it-Q4_K_M.gguf"
ID = "server/gemma-3-270m-it-Q4_K_M"
GOOD_AT = ("stories", "dates")
ROUNDS, ROWS = 6, 250
LOADING = http({"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, status=503)


class LlamaServer:
    """What llama.cpp's server says, over a loopback server."""

    def __init__(self, server: ModelServer) -> None:
        self.loading = True
        self.away = range(0)
        """Which of the questions find nobody there."""
        self.right: dict[str, str] = {}
        """The true answers of what it is good at, by question."""
        self.asked = 0
        server.reply(self._reply)

    def _reply(self, seen: Seen) -> Reply:
        if self.loading:
            return LOADING
        if seen.target == "/v1/models":
            return http(
                {"object": "list", "data": [{"id": MODEL, "meta": {"n_ctx": 4096, "n_ctx_train": 32768}}]}
            )
        if seen.target == "/props":
            return http({"total_slots": 2, "default_generation_settings": {"n_ctx": 4096}})
        if seen.body is None:
            return http({"error": {"message": "not found"}}, status=404)
        self.asked += 1
        if self.asked in self.away:
            return LOADING
        return says(self.right.get(seen.body["messages"][-1]["content"], "I am not sure."))(seen)


def newcomer(home: Path, server: ModelServer) -> None:
    """Walk the path in an empty home."""
    llama = LlamaServer(server)
    connect(home, server, llama)
    first_words(home)
    outage(home, llama)
    promoted = learn(home, llama)
    look(home, promoted)


def connect(home: Path, server: ModelServer, llama: LlamaServer) -> None:
    """Find the server: not yet while it loads, then with what it tells of itself."""
    detect = ("init", "--detect", "--yes", "--server", server.url)
    early = run(home, *detect)
    assert early.code == 1, early.err
    seen("while it loads", early, "Loading model")
    llama.loading = False
    seen("found", ok(home, *detect), ID)
    config = home / "config.toml"
    text = config.read_text(encoding="utf-8")
    for line in ("context_window = 4096", "max_concurrency = 2"):
        assert line in text, text
    practice = default_config_text()
    blocks = practice[practice.index("[[models]]") : practice.index("# What is kept")]
    blocks = blocks.replace('provider = "practice"', 'provider = "practice"\ndelay = 0')
    config.write_text(f"{text}\n{blocks}", encoding="utf-8")
    checked = seen("checked", ok(home, "models", "check"), f"ok    {ID}")
    assert checked.out.count("ok    ") == 4, checked.out


def first_words(home: Path) -> None:
    """Ask a first question, and say how the answer was."""
    answer = ok(home, "ask", "What is 2 + 3?", "--json").json
    assert answer["policy"] == "v0000", answer
    assert answer["cost_usd"] is not None, answer
    seen("rated", ok(home, "rate", "up"), "What is 2 + 3?")


def outage(home: Path, llama: LlamaServer) -> None:
    """Lose the server within a batch: it is named, costs no accuracy, and a check brings it back."""
    llama.away = range(llama.asked + 20, llama.asked + 60)
    summary = batch(home, llama, 0)
    assert summary["failed"] == 0, summary
    assert summary["dropped_models"][ID]["calls"] >= 3, summary
    llama.away = range(0)
    ok(home, "models", "check")
    state = {one["model"]: one for one in ok(home, "models", "list", "--json").json}[ID]
    assert state["state"] in {"onboarding", "active"}, state
    assert 0.0 < state["kpis"]["accuracy"] <= 1.0, state


def learn(home: Path, llama: LlamaServer) -> str:
    """Bring rows and learn until the evidence promotes; return the version."""
    for number in range(1, ROUNDS + 1):
        done = ok(home, "retrain", "--json").json
        assert done["verdict"] in {"PROMOTE", "INSUFFICIENT"}, done["reasons"]
        assert done["reasons"], done
        for figure in (done["before"].get("accuracy_rate"), done["after"].get("accuracy_rate")):
            assert figure is None or figure["value"] is None or 0.0 <= figure["value"] <= 1.0
        if done["promoted"]:
            assert done["difference"]["utility_usd"]["value"] > 0.0
            return str(done["serves"])
        batch(home, llama, number)
    raise AssertionError(f"nothing was promoted in {ROUNDS} rounds: {done['reasons']}")


def look(home: Path, promoted: str) -> None:
    """See who serves, why, and whether it helped."""
    shown = seen("what promoted it", ok(home, "policies", "show"), f"{promoted} was promoted at")
    assert "PROMOTE: " in shown.err, shown.err
    assert "per 1,000" in shown.out, shown.out
    seen("compared", ok(home, "kpi", "--compare"), "per 1,000")
    compared = ok(home, "kpi", "--compare", "--json").json
    assert (compared["verdict"], compared["before"]["version"]) == ("PROMOTE", "v0000")
    seen("its own figures", ok(home, "kpi", "--version", "current"), "policy now")


def batch(home: Path, llama: LlamaServer, number: int) -> dict[str, Any]:
    """Answer new practice queries and return the summary."""
    file = home / f"queries{number}.jsonl"
    ok(home, "practice", "generate", "--rows", str(ROWS), "--seed", str(100 + number), "-o", str(file))
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["task"] in GOOD_AT:
            llama.right[row["query"]] = row["reference"]
    summary: dict[str, Any] = ok(home, "batch", str(file), "--json").json
    assert summary["answered"] == ROWS, summary
    return summary


def seen(step: str, said: Said, words: str) -> Said:
    """Hold what was said against what a person must see there."""
    whole = said.out + said.err
    assert words in whole, f"{step}: {words!r} is not in\n{whole}"
    line = next(line for line in whole.splitlines() if words in line)
    sys.stdout.write(f"ok    {step}: {line.strip()}\n")
    return said


def main() -> None:
    """Run it in a folder of its own."""
    running = Running()
    try:
        with tempfile.TemporaryDirectory() as folder:
            newcomer(Path(folder) / "home", running.start())
    finally:
        running.stop()


if __name__ == "__main__":
    main()
