"""A key is in the header of a request and nowhere else: not in the home, not in an output, not in an error."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.command import environment, rows, spawn, write_lines
from tests.cli.conftest import says
from tests.providers.loopback import ModelServer, Reply, Seen, http

from .conftest import make_home, model

KEY = "sk-marker-4f1d9c2b7e"


def echoing(seen: Seen) -> Reply:
    """Fail, and say the key in the words of the error."""
    words = f"wrong key {seen.headers['authorization']} for {json.dumps(KEY)}"
    return http({"error": {"message": words, "code": KEY}}, status=401, headers=[f"x-key: {KEY}"])


def test_a_key_appears_nowhere(tmp_path: Path, server: ModelServer) -> None:
    good = says("yes")
    server.reply(lambda seen: echoing(seen) if seen.body["model"] == "m" else good(seen))
    more = 'api_key_env = "MARKER_KEY"\nprior_accuracy = 0.9'
    home = make_home(
        tmp_path / "home", model("bad/m", server.url, more=more), model("good/yes", server.url, more=more)
    )
    file = write_lines(tmp_path / "q.jsonl", [{"query": f"question {n}"} for n in range(8)])
    told = [
        spawn(home, *words, env=environment(MARKER_KEY=KEY))
        for words in (
            ("batch", str(file), "--json"),
            ("ask", "-m", "bad/m", "hi"),
            ("ask", "-m", "bad/m", "--json", "hi"),
            ("batch", str(file), "-m", "bad/m", "-o", str(tmp_path / "bad.jsonl")),
            ("log", "list"),
            ("log", "show", "--json"),
        )
    ]
    assert [said.code for said in told] == [0, 3, 3, 3, 0, 0], [said.err for said in told]
    assert any(seen.headers["authorization"] == f"Bearer {KEY}" for seen in server.seen)
    shown = "".join(said.out + said.err for said in told)
    assert "[key]" in shown
    stored = rows(home, "SELECT outcomes::VARCHAR FROM outcomes")
    needle = KEY.removeprefix("sk-")
    assert needle not in shown + str(stored)
    assert "wrong key" in str(stored)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 4
    assert [path.name for path in files if needle.encode() in path.read_bytes()] == []
