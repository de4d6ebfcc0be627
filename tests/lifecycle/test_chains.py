"""Chains from the first answers to their key figures: seeds, a retrain that fits one, and all doors that use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import ok, rows
from tests.serve.running import serving
from tests.support.homes import instant
from zetaroute.config import default_config_text
from zetaroute.practice.generator import generate, json_line

FAMILIES = ("arithmetic", "stories")
"""In which each practice model is more often right than the cheaper ones."""


def queries(seed: int, count: int) -> list[str]:
    return [json_line(one) for one in generate(rows=count, seed=seed, families=FAMILIES)]


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose large model is expensive, and whose version in use looks at answers."""
    home = tmp_path_factory.mktemp("chains") / "home"
    home.mkdir()
    config = instant(default_config_text()).replace(
        "input = 3.0, output = 10.0", "input = 10.0, output = 100.0"
    )
    (home / "config.toml").write_text(config, encoding="utf-8")
    (home / "seeds.jsonl").write_text("\n".join(queries(1, 200)), encoding="utf-8")
    ok(home, "batch", str(home / "seeds.jsonl"), "--all-models")
    ok(home, "retrain", "--promote", "force")
    return home


def chained(home: Path, *words: str) -> dict[str, Any]:
    """Return the first of some answers that came of a chain with more than one ask, drawn with other seeds."""
    told = (
        ok(home, "ask", json.loads(query)["query"], "--json", "--seed", str(seed), *words).json
        for seed, query in enumerate(queries(3, 20))
    )
    return next(one for one in told if len(one["chain"]) > 1)


def test_a_batch_a_question_and_a_client_are_answered_by_a_chain(learned: Path) -> None:
    (learned / "more.jsonl").write_text("\n".join(queries(2, 30)), encoding="utf-8")
    expected = ok(learned, "batch", str(learned / "more.jsonl"), "--json", "--dry-run", "--no-audit").json
    told = ok(learned, "batch", str(learned / "more.jsonl"), "--json", "--no-chain").json
    assert (told["chains"], told["chain_asks"]) == (0, 0)
    told = ok(learned, "batch", str(learned / "more.jsonl"), "--json", "--restart").json
    assert 0 < told["chains"] < told["chain_asks"]
    # Thirty queries, of which half are asked of two or three models.
    assert expected["cost_usd"]["value"] == pytest.approx(told["cost_usd"], rel=0.5)

    report = ok(learned, "policies", "show").out
    assert "practice/large, which looks at answers, pays: +$" in " ".join(report.split())
    assert "nothing new was learned" not in report

    answer = chained(learned)
    given = next(one for one in answer["chain"] if one["returned"])
    assert (answer["model"], answer["answer"] != "") == (given["model"], True)
    assert given["probability_right"] == max(one["probability_right"] or 0.0 for one in answer["chain"])
    assert answer["cost_usd"] == pytest.approx(sum(one["cost_usd"] for one in answer["chain"]))
    shown = ok(learned, "log", "show", answer["id"]).out
    assert shown.count("chain:") == len(answer["chain"])
    assert "(given)" in shown
    known = rows(
        learned,
        f"SELECT model, escalated, cost_usd FROM served WHERE id IN ('{answer['id']}', "
        f"(SELECT fallback_of FROM outcomes WHERE id = '{answer['id']}'))",
    )
    assert known == [(answer["model"], True, pytest.approx(answer["cost_usd"]))]

    with serving(learned) as server:
        texts = [json.loads(query)["query"] for query in queries(4, 12)]
        told = [server.ask(text).json()["zetaroute"] for text in texts[:6]]
        streams = [server.ask(text, stream=True) for text in texts[6:]]
        alone = server.ask(texts[0], metadata={"no_chain": "true"}).json()["zetaroute"]
    asked = [one for one in told if one["chain"]]
    assert asked
    for one in asked:
        assert [ask["model"] for ask in one["chain"] if ask["returned"]] == [one["model"]]
    assert all(stream.headers["x-zetaroute-model"] in stream.text for stream in streams)
    assert alone["chain"] == []
