"""The summary of a batch names what dropped out."""

from __future__ import annotations

import pytest

from tests.cli.command import ok, rows
from tests.cli.conftest import says
from tests.providers.loopback import RESET, ModelServer, Seen, chat, http
from zetaroute.domain import is_same_model


@pytest.fixture
def home(tmp_path, server: ModelServer):
    path = tmp_path / "home"
    path.mkdir()
    models = "".join(
        f'[[models]]\nid = "{name}/m"\nprovider = "openai"\nbase_url = "{server.url}/v1"\nmodel = "{name}"\n'
        f'price = {{ input = 0, output = 0 }}\nprior_accuracy = {accuracy}\ntags = ["local"]\n'
        for name, accuracy in (("one", 0.9), ("two", 0.2))
    )
    path.joinpath("config.toml").write_text(
        f"schema_version = 1\n[audit]\nshare = 0\n{models}", encoding="utf-8"
    )
    return path


def test_an_outage_within_a_batch_is_named_and_teaches_no_accuracy(
    home, tmp_path, server: ModelServer
) -> None:
    def reply(seen: Seen):
        away = seen.body["model"] == "one" and int(seen.body["messages"][-1]["content"].split()[-1]) in (3, 4)
        return (RESET,) if away else says("yes")(seen)

    server.reply(reply)
    file = tmp_path / "q.jsonl"
    file.write_text("".join(f'{{"query": "question {n}", "reference": "yes"}}\n' for n in range(8)))
    done = ok(home, "batch", str(file), "--model", "one/m", "--concurrency", "2", "--json").json
    lost = done["dropped_models"]["one/m"]
    assert (done["answered"], done["failed"], lost["calls"], done["fallbacks"]) == (6, 2, 2, 0)
    assert lost["response_s"] > 0.0
    assert done["accuracy"] == 1.0
    found = rows(home, "SELECT count(*), count(accuracy), avg(accuracy) FROM rounds WHERE model = 'one/m'")
    assert found == [(8, 6, 1.0)]
    server.reply(says("yes"))
    again = ok(home, "batch", str(file), "--model", "one/m", "--json").json
    assert (again["answered"], again["dropped_models"]) == (2, {}), "the server is back"


def test_a_refusal_and_another_model_are_counted_and_said(home, tmp_path, server: ModelServer) -> None:
    server.reply(http(chat("I cannot.", finish="content_filter", model="three")))
    file = tmp_path / "q.jsonl"
    file.write_text('{"query": "question"}\n')
    done = ok(home, "batch", str(file), "--model", "one/m", "--json")
    assert (done.json["cut"], done.json["other_models"], done.json["promotions"]) == (1, {"one/m": 1}, [])
    refusing = chat(None, finish="stop", model="one")
    refusing["choices"][0]["message"]["refusal"] = "I cannot."
    server.reply(http(refusing))
    done = ok(home, "batch", str(file), "--model", "one/m", "--restart")
    assert "1 answers are refusals of the model" in done.err


def test_a_server_that_was_away_for_a_while_costs_the_loop_nothing_afterwards(
    home, tmp_path, server: ModelServer
) -> None:
    """Of ten answers of the first model nine are right, and seven of the second's: it serves, outage or not."""
    config = home / "config.toml"
    config.write_text(
        config.read_text().replace("share = 0", "share = 1\n[explore]\nrate = 0\ncold_start_rate = 0")
    )

    def reply(seen: Seen):
        number, one = int(seen.body["messages"][-1]["content"].split()[-1]), seen.body["model"] == "one"
        if one and 12 <= number < 30:
            return http({"error": {"message": "Loading model"}}, status=503, headers=("retry-after: 60",))
        return says("yes" if number % 10 < (9 if one else 7) else "no")(seen)

    server.reply(reply)
    found = []
    for start, end in ((0, 30), (30, 40)):
        file = tmp_path / f"{start}.jsonl"
        file.write_text(
            "".join(f'{{"query": "question {n}", "reference": "yes"}}\n' for n in range(start, end))
        )
        found.append(ok(home, "batch", str(file), "--concurrency", "1", "--json").json)
        server.reply(says("yes"))
        assert "cooling" not in ok(home, "models", "check").out
        server.reply(reply)
    during, after = found
    assert (during["dropped_models"]["one/m"]["calls"], during["failed"]) == (3, 0)
    assert (after["accuracy"], after["share"]) == (pytest.approx(0.9), {"one/m": 10})


@pytest.mark.parametrize(
    ("asked_for", "served", "same"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06", True),
        ("openai/gpt-4o", "gpt-4o", True),
        ("gemma.gguf", "/models/Gemma.gguf", True),
        ("gpt-4o", "claude-haiku", False),
        ("llama3:8b", "llama3:70b", False),
    ],
)
def test_names_of_one_model_are_told_from_those_of_another(asked_for: str, served: str, same: bool) -> None:
    assert is_same_model(asked_for, served) is same
