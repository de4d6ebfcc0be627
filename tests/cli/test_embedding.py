"""The loop with an embedding endpoint: what only its vectors tell is learned, and without them it goes on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.command import ok, rows
from tests.cli.conftest import http_config, says
from tests.providers.loopback import ModelServer, Reply, Seen, http

KINDS = np.random.default_rng(5).normal(size=(2, 24))


def kind_of(text: str) -> int:
    """The last digit's parity, which no word of the text tells from another's."""
    return int(text.rsplit(maxsplit=1)[-1]) % 2


def vector_of(text: str) -> list[float]:
    rng = np.random.default_rng(abs(int(text.rsplit(maxsplit=1)[-1])))
    return [round(float(one), 6) for one in KINDS[kind_of(text)] + 0.5 * rng.normal(size=24)]


def endpoint(seen: Seen) -> Reply:
    data = [{"index": place, "embedding": vector_of(text)} for place, text in enumerate(seen.body["input"])]
    return http({"data": data, "usage": {"prompt_tokens": 10 * len(data)}})


def answers(seen: Seen) -> Reply:
    """Each of the two models is right about one kind."""
    if seen.target.endswith("/embeddings"):
        return endpoint(seen)
    mine = {"m1": 0, "m2": 1}[seen.body["model"]]
    asked = seen.body["messages"][-1]["content"]
    return says("yes" if kind_of(asked) == mine else "no")(seen)


@pytest.fixture
def folder(tmp_path: Path, server: ModelServer) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    text = http_config(server).replace("input = 100, output = 200", "input = 1, output = 2")
    text += "[explore]\nrate = 1\ncold_start_rate = 1\n"
    text += f'[embedding]\nbase_url = "{server.url}/v1"\nmodel = "e1"\nprice = 2\n'
    (path / "config.toml").write_text(text)
    server.reply(answers)
    return path


def embedding_requests(server: ModelServer) -> int:
    return sum(seen.target.endswith("/embeddings") for seen in server.seen)


def test_what_only_the_embedding_tells_is_learned_used_and_repeated(
    folder: Path, server: ModelServer, tmp_path: Path
) -> None:
    lines = [{"query": f"the same words {number}", "reference": "yes"} for number in range(400)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    ok(folder, "batch", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out.jsonl"), "--concurrency", "16")
    ((count, spaces, tokens_usd),) = rows(
        folder,
        "SELECT count(embedding), count(DISTINCT embedding_model), sum(router_cost_usd) FROM outcomes",
    )
    assert (count, spaces, tokens_usd) == (400, 1, pytest.approx(400 * 10 * 2e-6))
    assert embedding_requests(server) < 200, "texts of about the same moment share a request"
    result = ok(folder, "retrain", "--promote", "force", "--json").json
    assert min(result["model_share"]["after"].values()) > 0.1
    assert result["difference"]["accuracy_rate"]["low"] > 0.2
    for number in range(1000, 1006):
        decision = ok(folder, "ask", "--dry-run", "--json", f"the same words {number}").json
        best = max(decision["candidates"], key=lambda one: one["utility_usd"])
        assert best["model"] == ("one/m1", "two/m2")[number % 2]
        assert (best["accuracy"] > 0.6, decision["note"]) == (True, None)
    ok(folder, "ask", "the same words 2000")
    assert "repeat" in ok(folder, "policies", "verify").err + ok(folder, "policies", "verify").out
    assert ok(folder, "kpi", "--by", "segment", "--json").json["by"]
    second = ok(folder, "retrain", "--promote", "never", "--json").json
    assert min(second["model_share"]["after"].values()) > 0.1
    assert "nan" not in json.dumps(second)


def test_without_the_endpoint_it_decides_all_the_same_and_says_so(folder: Path, server: ModelServer) -> None:
    def down(seen: Seen) -> Reply:
        return http({"error": "no"}, status=400) if seen.target.endswith("/embeddings") else answers(seen)

    server.reply(down)
    said = ok(folder, "ask", "--explain", "the same words 3")
    assert said.out in {"yes\n", "no\n"}
    assert "decided without it" in " ".join(said.err.split())
    assert rows(folder, "SELECT embedding, embedding_model, router_cost_usd FROM outcomes") == [
        (None, None, None)
    ]


def test_local_only_asks_no_endpoint_that_is_elsewhere(folder: Path, server: ModelServer) -> None:
    ok(folder, "ask", "--local-only", "the same words 4")
    assert embedding_requests(server) == 1
    config = folder / "config.toml"
    config.write_text(config.read_text() + 'tags = ["elsewhere"]\n')
    ok(folder, "ask", "--local-only", "the same words 5")
    assert embedding_requests(server) == 1
