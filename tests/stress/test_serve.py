"""A busy server with everything going on at once: faults, feedback, a retrain, a promotion, other commands.

At full size five minutes; what counts is that the log holds one round for every request, no more and no less.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from pathlib import Path

import httpx

from tests.cli.command import Said, ok, rows, spawn
from tests.cli.conftest import says
from tests.providers.loopback import RESET, ModelServer, Reply, Seen, delta, http, stream
from tests.serve.running import Server, serving
from tests.support.waiting import until

from .conftest import make_home, model, size

CLIENTS = size(2, 6)
FAULTY = 0.05
FEWEST_JUDGED = size(80, 500)
BY_HAND = "by hand"
PAUSE_S = size(40, 0) / 1000


class Clients:
    """Ask, at full size without a pause, until they are told to stop, and remember what they were told."""

    def __init__(self, server: Server) -> None:
        self.ends = threading.Event()
        self.judged = 0
        self.given: list[tuple[str, str, str]] = []
        """Id of the round, policy, model of every answer."""
        self.failed: list[str] = []
        self.unknown: list[str] = []
        self._server = server
        self._number = itertools.count()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        self._threads.append(threading.Thread(target=self._judge))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self.ends.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        with self._server.client() as client:
            while not self.ends.wait(PAUSE_S):
                number = next(self._number)
                body = {
                    "model": "auto",
                    "messages": [{"role": "user", "content": f"What is {number} times {number % 7}?"}],
                    "stream": number % 3 == 0,
                }
                answer = client.post("/v1/chat/completions", json=body)
                self._take(answer)

    def _take(self, answer: httpx.Response) -> None:
        outcome = answer.headers.get("x-zetaroute-outcome")
        if outcome is None:
            self.unknown.append(answer.text)
        elif answer.status_code != 200 or '"error": {' in answer.text:
            self.failed.append(outcome)
        else:
            headers = answer.headers
            self.given.append((outcome, headers["x-zetaroute-policy"], headers["x-zetaroute-model"]))

    def _judge(self) -> None:
        with self._server.client() as client:
            while not self.ends.wait(size(100, 500) / 1000):
                new = self.given[self.judged : self.judged + 500]
                body = [
                    {
                        "metric_name": "accuracy",
                        "value": name == "good/a",
                        "outcome_id": outcome,
                        "tags": {"source": "truth"},
                    }
                    for outcome, _, name in new
                ]
                if new and client.post("/v1/feedback", json=body).status_code == 200:
                    client.post("/v1/feedback", json=body)  # once more, which adds nothing
                    self.judged += len(new)


def now_and_then(seen: Seen, rng: random.Random) -> Reply:
    """Return an answer, or now and then a fault; never to what is asked by hand, which has no fallback."""
    if rng.random() < FAULTY and seen.body["messages"][-1]["content"] != BY_HAND:
        faults: tuple[Reply, ...] = (
            http({"error": {"message": "slow down"}}, status=429),
            http({"error": {"message": "broken"}}, status=500),
            http(b"<html>"),
            (RESET,),
            stream(delta("half of"), RESET),
            (0.5, *says("late")(seen)),
        )
        return rng.choice(faults)
    return says("42")(seen)


def at_last(home: Path, *words: str) -> Said:
    """Run a command that must succeed, again where its turn with the log does not come in time."""
    said = spawn(home, *words)
    while said.code != 0:
        assert "is in use by another process" in said.err, said.err
        said = spawn(home, *words)
    return said


def test_requests_are_rows(tmp_path: Path, server: ModelServer) -> None:
    rng = random.Random(5)
    server.reply(lambda seen: now_and_then(seen, rng))
    prices = "price = { input = 1, output = 2 }\nmax_concurrency = 32"
    home = make_home(
        tmp_path / "home", model("good/a", server.url, more=prices), model("poor/b", server.url, more=prices)
    )
    seconds = size(1, 300)
    start = time.monotonic()
    with serving(home, "--workers", "2") as running:
        clients = Clients(running)
        try:
            time.sleep(seconds / 2)
            until(lambda: clients.judged > FEWEST_JUDGED)
            new = at_last(home, "retrain", "--promote", "force", "--json").json["artifact"]
            at_last(home, "kpi", "--json")
            ok(home, "ask", "-m", "good/a", BY_HAND)
            until(lambda: clients.given[-1][1] == new)
            time.sleep(max(0.0, start + seconds - time.monotonic()))
        finally:
            clients.stop()
        assert running.stop() == 0
        assert "Traceback" not in running.said.read_text()
    assert clients.unknown == []
    log = {(one, status) for one, status in rows(home, "SELECT id, status FROM outcomes WHERE run = 'serve'")}
    ids = {one for one, _ in log}
    asked = [outcome for outcome, _, _ in clients.given] + clients.failed
    assert len(asked) == len(set(asked))
    assert set(asked) <= ids
    ((rounds, by_new),) = rows(
        home, f"SELECT count(*), count(*) FILTER (policy_version = '{new}') FROM served WHERE run = 'serve'"
    )
    assert rounds == len(asked)
    assert by_new > 0
    ((judged, distinct),) = rows(home, "SELECT count(*), count(DISTINCT outcome_id) FROM feedback")
    assert judged == distinct > FEWEST_JUDGED
    assert list((home / "journal").glob("*.jsonl")) == []
    print(f"\n{rounds} requests, {len(clients.failed)} failed, {judged} judged in {seconds} s")  # noqa: T201
