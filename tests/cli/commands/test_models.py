"""`models`, and what budgets, files and options do on the command line."""

from __future__ import annotations

import json

import pytest

from tests.cli.command import ok, refused, rows, run
from tests.cli.conftest import by_model, fails, http_config, says
from tests.providers.loopback import chat, http

PNG = b"\x89PNG\r\n\x1a\n!"


def configure(folder, server, more="", *, budget=""):
    text = f"{http_config(server)}{more}\n[budget]\n{budget}\n"
    (folder / "config.toml").write_text(text, encoding="utf-8")


def asked(server):
    return [seen.body["model"] for seen in server.seen]


def test_list_shows_price_priors_and_standing(http_folder, server):
    server.reply(by_model(m1=fails(500), m2=says("yes")))
    first = ok(http_folder, "models", "list", "--json").json
    assert [row["model"] for row in first] == ["one/m1", "two/m2"]
    assert first[0]["price"] == {"input": 1, "cached_input": None, "output": 2}
    assert (first[0]["prior_accuracy"], first[0]["tags"]) == (0.9, ["local"])
    assert [row["standing"] for row in first] == ["ok", "ok"]
    for _ in range(3):
        run(http_folder, "ask", "-m", "one/m1", "--timeout", "0.2", "why?")
    standing = ok(http_folder, "models", "list", "--json").json[0]["standing"]
    assert standing.startswith("cooling down until 20")
    assert standing.endswith(
        "after 3 failures in a row; `zetaroute models check` ends it where the model answers"
    )
    assert "cooling down until" in " ".join(ok(http_folder, "models", "list").out.split())
    assert "one/m1 rests, cooling down for" in ok(http_folder, "ask", "why?").err
    server.reply(says("ok"))
    ok(http_folder, "models", "check")
    assert server.seen[-1].body["max_tokens"] == 16
    assert ok(http_folder, "models", "list", "--json").json[0]["standing"] == "ok"


def test_list_shows_who_was_demoted(folder):
    guard = '[[guards]]\nmetric = "error_rate"\nmax = 0.5\n'
    guard += '[[guards]]\nmetric = "accuracy"\nmin = 0.9\ntask = "sums"\n'
    with open(folder / "config.toml", "a", encoding="utf-8") as config:
        config.write(guard)
    lines = [json.dumps({"query": f"What is {n} + 1?", "reference": "no", "task": "sums"}) for n in range(25)]
    (folder / "rows.jsonl").write_text("\n".join(lines))
    ok(folder, "batch", str(folder / "rows.jsonl"), "-m", "practice/small", "-o", str(folder / "out.jsonl"))
    table = {row["model"]: row["standing"] for row in ok(folder, "models", "list", "--json").json}
    assert table["practice/small"].startswith("demoted by a guard: accuracy on sums")
    assert table["practice/large"] == "ok"


def test_list_shows_who_is_new_and_what_it_takes(folder):
    lines = [json.dumps({"query": f"What is {n} + 1?", "reference": str(n + 1)}) for n in range(30)]
    (folder / "rows.jsonl").write_text("\n".join(lines))
    fresh = ok(folder, "models", "list", "--json").json
    assert {(row["state"], row["graded"], row["share"]) for row in fresh} == {("onboarding", 0, None)}
    ok(folder, "batch", str(folder / "rows.jsonl"), "-m", "practice/small", "-o", str(folder / "out.jsonl"))
    small, _, large = ok(folder, "models", "list", "--json").json
    assert (small["state"], small["graded"], small["graded_wanted"]) == ("onboarding", 30, 100)
    assert (small["share"], large["share"]) == (1.0, 0.0)
    assert small["kpis"]["graded"] == 30
    assert small["kpis"]["accuracy"] == pytest.approx(1.0)
    assert small["kpis"]["cost_per_query_usd"] > 0
    table = " ".join(ok(folder, "models", "list").out.split())
    assert (
        "onboarding: practice/small has 30 of 100 graded answers, practice/medium 0, practice/large 0;"
        in table
    )
    assert "then each competes as any other" in table
    seeded = ok(folder, "batch", str(folder / "rows.jsonl"), "--all-models", "-o", str(folder / "all.jsonl"))
    assert (
        "onboarding: practice/small has 60 of 100 graded answers, practice/medium 30, practice/large 30;"
        in seeded.err
    )
    lines = [json.dumps({"query": f"What is {n} + 2?", "reference": str(n + 2)}) for n in range(80)]
    (folder / "more.jsonl").write_text("\n".join(lines))
    ok(folder, "batch", str(folder / "more.jsonl"), "-m", "practice/small", "-o", str(folder / "out2.jsonl"))
    assert ok(folder, "models", "list", "--json").json[0]["state"] == "active"


def test_list_shows_what_lacks_a_key_or_a_price(http_folder, server, monkeypatch):
    monkeypatch.delenv("SOME_KEY", raising=False)
    text = http_config(server).replace("price = { input = 100, output = 200 }", 'api_key_env = "SOME_KEY"')
    (http_folder / "config.toml").write_text(text)
    row = ok(http_folder, "models", "list", "--json").json[1]
    assert (row["state"], row["price"]) == ("no key", None)
    table = " ".join(ok(http_folder, "models", "list").out.split())
    assert "the variable SOME_KEY" in table
    assert "price unknown" in table


def test_check_says_what_the_call_took(http_folder, server):
    server.reply(says("ok"))
    first, second = ok(http_folder, "models", "check").out.splitlines()
    assert "10 tokens in, 5 out, $0.00002, served as served-1" in first
    assert "$0.002" in second
    (one,) = ok(http_folder, "models", "check", "-m", "one/m1", "--json").json
    assert (one["input_tokens"], one["output_tokens"], one["served_model"]) == (10, 5, "served-1")
    assert one["cost_usd"] == pytest.approx(20e-6)


def test_a_model_that_thinks_for_all_its_tokens_was_reached(http_folder, server):
    server.reply(by_model(m1=lambda _: http(chat("", finish="length")), m2=says("ok")))
    first, _ = ok(http_folder, "models", "check").out.splitlines()
    assert first == "ok    one/m1: reached; no word within 16 tokens"


def test_check_calls_each_model_once(http_folder, server):
    server.reply(by_model(m1=fails(401), m2=says("ok")))
    said = ok(http_folder, "models", "check")
    assert sorted(asked(server)) == ["m1", "m2"]
    first, second = said.out.splitlines()
    assert first.startswith("error one/m1: the server refused the key")
    assert second.startswith("ok    two/m2: ")
    assert rows(http_folder, "SELECT count(*) FROM outcomes") == [(0,)]
    checks = run(http_folder, "models", "check", "-m", "one/m1", "--json")
    assert checks.code == 3
    assert [(row["model"], row["ok"]) for row in checks.json] == [("one/m1", False)]
    assert "nobody" in refused(run(http_folder, "models", "check", "-m", "nobody"), 2)


def test_prices_are_imported_and_used(http_folder, server):
    configure(
        http_folder, server, f'[[models]]\nid = "x/m3"\nprovider = "openai"\nbase_url = "{server.url}/v1"\n'
    )
    table = ok(http_folder, "models", "prices", "--json").json
    assert [row["source"] for row in table] == ["config", "config", "unknown"]
    path = http_folder / "list.json"
    path.write_text(json.dumps({"m3": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}}))
    said = ok(http_folder, "models", "prices", "--import", str(path), "--json")
    assert said.json[2] == {
        "model": "x/m3",
        "input": 1.0,
        "cached_input": None,
        "output": 2.0,
        "source": "prices.toml",
        "cache_write": None,
        "reasoning": None,
        "above": [],
    }
    assert "x/m3 is priced as m3" in said.err
    assert "one/m1 keeps the price that the config gives" in said.err
    server.reply(says("yes"))
    answer = ok(http_folder, "ask", "-m", "x/m3", "--json", "why?").json
    assert answer["cost_usd"] == pytest.approx((10 * 1 + 5 * 2) / 1e6)


def test_a_used_up_budget_leaves_the_models_that_cost_nothing(http_folder, server):
    free = (
        f'[[models]]\nid = "free/m3"\nprovider = "openai"\nbase_url = "{server.url}/v1"\ntags = ["local"]\n'
    )
    configure(http_folder, server, free, budget="daily_usd = 0.05")
    # A call of two/m2 costs (10 x 100 + 5 x 200) / 1e6 = 0.002; the prior expects 0.04.
    server.reply(says("x"))
    answer = ok(http_folder, "ask", "-m", "two/m2", "--json", "why?").json
    assert answer["cost_usd"] == pytest.approx(0.002)
    configure(http_folder, server, free, budget="monthly_usd = 0.002")
    for seed in range(5):
        answer = ok(http_folder, "ask", "--seed", str(seed), "--json", "why?").json
        assert answer["model"] == "free/m3"
        reasons = {row["model"]: row["reason"] for row in answer["candidates"]}
        assert reasons["two/m2"] == "the monthly budget of $0.002 is used up"
    assert "the monthly budget of $0.002 is used up" in refused(
        run(http_folder, "ask", "-m", "two/m2", "why?"), 3
    )
    configure(http_folder, server, budget="daily_usd = 0.001")
    assert "the daily budget of $0.001 is used up" in refused(run(http_folder, "ask", "why?"), 3)


def test_what_waits_in_the_journal_counts_too(http_folder, server):
    configure(http_folder, server, budget="daily_usd = 0.002")
    entry = {
        "outcomes": [{"model": "two/m2", "status": "ok", "time": "2020-01-01T00:00:00", "cost_usd": 1.0}]
    }
    from datetime import UTC, datetime

    entry["outcomes"][0]["time"] = datetime.now(UTC).replace(tzinfo=None).isoformat()
    (http_folder / "journal").mkdir()
    (http_folder / "journal" / "0.jsonl").write_text(json.dumps(entry) + "\n")
    assert "used up" in refused(run(http_folder, "ask", "-m", "two/m2", "why?"), 3)


def test_a_batch_stops_within_the_calls_in_flight(http_folder, server):
    configure(http_folder, server, budget="daily_usd = 0.1")
    server.reply(says("x", after_s=0.02))
    lines = [json.dumps({"query": f"row {n}"}) for n in range(200)]
    (http_folder / "rows.jsonl").write_text("\n".join(lines))
    words = ("batch", str(http_folder / "rows.jsonl"), "-m", "two/m2", "--concurrency", "4", "--json")
    first = ok(http_folder, *words).json
    # The prior expects 0.04 a call, so that two are under way at once; each costs 0.002 in the end.
    assert "daily budget of $0.1" in first["stopped"]
    assert 0.05 <= first["cost_usd"] <= 0.1
    ((spent,),) = rows(http_folder, "SELECT sum(cost_usd) FROM outcomes")
    assert spent == pytest.approx(first["cost_usd"])
    configure(http_folder, server, budget="daily_usd = 0.01")
    again = run(http_folder, *words).json
    assert again["answered"] == 0
    assert "daily budget of $0.01 is used up" in again["stopped"]
    assert len(server.seen) == first["answered"]


def test_a_row_that_no_model_takes_fails_alone(http_folder, server):
    text = http_config(server).replace("prior_accuracy", "context_window = 100\nprior_accuracy")
    (http_folder / "config.toml").write_text(text)
    server.reply(says("x"))
    lines = [json.dumps({"query": query, "custom_id": query[:2]}) for query in ("a", "b" * 900, "c")]
    (http_folder / "rows.jsonl").write_text("\n".join(lines))
    out = http_folder / "out.jsonl"
    summary = ok(http_folder, "batch", str(http_folder / "rows.jsonl"), "-o", str(out), "--json").json
    assert (summary["answered"], summary["failed"]) == (2, 1)
    found = {row["custom_id"]: row for row in map(json.loads, out.read_text().splitlines())}
    assert "context window of 100 tokens" in found["bb"]["error"]
    assert found["a"]["answer"] == "x"


def test_a_fallback_stays_under_the_price_ceiling(http_folder, server):
    server.reply(by_model(m1=fails(400), m2=says("dear")))
    for seed in range(5):
        said = run(http_folder, "ask", "--max-cost-usd", "0.01", "--seed", str(seed), "why?")
        assert said.code == 3
        assert "one/m1" in said.errors[0]
    assert set(asked(server)) == {"m1"}
    server.seen.clear()
    said = ok(http_folder, "ask", "--json", "--seed", "1", "--max-cost-usd", "1", "why?")
    assert said.json["model"] == "two/m2"


def test_files_and_options_reach_the_model_and_the_log_keeps_their_names(http_folder, server, tmp_path):
    text = http_config(server).replace('id = "two/m2"', 'id = "two/m2"\naccepts = ["image"]')
    (http_folder / "config.toml").write_text(text)
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "note.txt").write_text("the secret word is plum")
    server.reply(says("yes"))
    words = ("-a", str(tmp_path / "a.png"), "-a", str(tmp_path / "note.txt"), "-o", "temperature=0.5", "why?")
    answer = ok(http_folder, "ask", "--json", "--max-cost-usd", "1", *words).json
    assert answer["model"] == "two/m2"
    reasons = {row["model"]: row["reason"] for row in answer["candidates"]}
    assert reasons["one/m1"].startswith("takes no image")
    (seen,) = server.seen
    assert seen.body["temperature"] == 0.5
    assert [part["type"] for part in seen.body["messages"][0]["content"]] == ["text", "image_url"]
    ((query, kept),) = rows(http_folder, "SELECT query, attachments FROM outcomes")
    assert query == "why?"
    assert [(note["name"], note["size"]) for note in kept] == [("a.png", len(PNG)), ("note.txt", 23)]
    assert all(b"plum" not in path.read_bytes() for path in http_folder.rglob("*") if path.is_file())
    assert "takes no image" in refused(run(http_folder, "ask", "-m", "one/m1", *words), 3)


@pytest.mark.parametrize(
    "words", [("-o", "temperature"), ("-o", "stream=false"), ("-a", "/none/such.txt"), ("-a", "/")]
)
def test_files_and_options_of_no_use_are_wrong_usage(http_folder, server, words):
    refused(run(http_folder, "ask", *words, "why?"), 2)
    assert server.seen == []


def test_estimated_tokens_are_marked_in_the_log(http_folder, server):
    from tests.providers.loopback import chat, http

    server.reply(http(chat("because")))
    answer = ok(http_folder, "ask", "-m", "two/m2", "--json", "why?").json
    assert answer["tokens_estimated"] is True
    assert answer["cost_usd"] == pytest.approx((5 * 100 + 2 * 200) / 1e6)
    server.reply(says("because"))
    ok(http_folder, "ask", "-m", "two/m2", "why?")
    found = rows(http_folder, "SELECT tokens_estimated, input_tokens FROM outcomes ORDER BY id")
    assert found == [(True, 5), (False, 10)]
