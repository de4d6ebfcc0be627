"""What `--explain`, `--dry-run` and `log show` say beside the table is what would happen."""

from __future__ import annotations

import duckdb
import pytest

from tests.cli.command import ok, rows
from tests.cli.conftest import says
from tests.support.homes import practice_home


def explained(folder, *words):
    return ok(folder, "ask", "--dry-run", "--json", "--seed", "3", *words).json["explanation"]


def configure(folder, instant_config, **values):
    keys = "".join(f"{name} = {value}\n" for name, value in values.items())
    head, _, rest = instant_config.partition("[explore]")
    start = head.partition("[objective]")[0]
    (folder / "config.toml").write_text(f"{start}[objective]\n{keys}[explore]{rest}", encoding="utf-8")


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A home with a version that was learned from 1,200 rows, and serves."""
    home = practice_home(tmp_path_factory.mktemp("learned"), rows=600, seed=1)
    ok(home, "retrain", "--promote", "force")
    return home


@pytest.mark.parametrize("what", ["answer_value_usd", "second_value_usd"])
def test_a_changed_value_turns_the_choice_where_it_is_said_to(folder, instant_config, what):
    said = explained(folder, "hello")
    turns = [one for one in said["changes"] if one["what"] == what]
    assert turns
    known = {"answer_value_usd": 0.01, "satisfaction_value_usd": 0.002, "second_value_usd": 0.0005}
    for turn in turns:
        assert turn["now"] == known[what]
        short = turn["now"] + 0.999 * (turn["then"] - turn["now"])
        past = turn["now"] + 1.001 * (turn["then"] - turn["now"])
        for value, best in ((short, said["best"]), (past, turn["model"])):
            configure(folder, instant_config, **{**known, what: value})
            assert explained(folder, "hello")["best"] == best


def test_a_changed_price_turns_the_choice_where_it_is_said_to(folder, instant_config):
    said = explained(folder, "hello")
    (turn,) = [one for one in said["changes"] if one["what"] == f"cost of {said['best']}"]
    assert said["best"] == "practice/large"
    factor = turn["then"] / turn["now"]
    for by, best in ((0.99 * factor, "practice/large"), (1.01 * factor, turn["model"])):
        dearer = f"price = {{ input = {3 * by}, output = {10 * by} }}"
        text = instant_config.replace("price = { input = 3.0, output = 10.0 }", dearer)
        assert text != instant_config
        (folder / "config.toml").write_text(text, encoding="utf-8")
        assert explained(folder, "hello")["best"] == best


def test_before_anything_was_learned_the_priors_speak(folder):
    said = explained(folder, "hello")
    assert said["note"].startswith("nothing was learned yet")
    assert (said["segment"], said["words"], said["p95_s"]) == (None, [], {})
    assert explained(folder, "--task", "sums", "hello")["segment"] == "sums"
    shown = ok(folder, "ask", "--dry-run", "hello").out
    assert "kind of query: none is distinguished" in shown
    assert "if a right answer were worth" in shown


def test_one_model_alone_needs_no_reasons(http_folder):
    said = explained(http_folder, "--local-only", "hello")
    assert (said["best"], said["second"], said["changes"]) == ("one/m1", None, [])
    assert "the only one that may answer" in ok(http_folder, "ask", "--dry-run", "--local-only", "hello").out


def test_a_learned_policy_tells_kind_words_and_times(learned):
    text = "Sort these numbers from smallest to largest: 9, 3, 17, 4, 12, 30"
    said = explained(learned, text)
    assert said["segment"]
    assert said["words"]
    assert all(abs(one["accuracy"]) >= 0.001 for one in said["words"])
    assert {one["word"] for one in said["words"]} <= set(
        text.lower().replace(",", " ").replace(":", "").split()
    )
    assert all(one["against"] != said["best"] for one in said["words"])
    assert set(said["p95_s"]) == {"practice/small", "practice/medium", "practice/large"}
    assert all(seconds > 0 for seconds in said["p95_s"].values())


def test_explaining_goes_to_standard_error(learned):
    said = ok(learned, "ask", "--explain", "What is 2 + 3?")
    assert "held best: " in said.err
    assert "held best: " not in said.out


def test_a_past_decision_is_explained_as_it_was(learned):
    query = "Sort these numbers from smallest to largest: 9, 3, 17, 4, 12, 30"
    made = ok(learned, "ask", "--json", "--seed", "3", query).json
    then = explained(learned, query)
    past = ok(learned, "log", "show", made["id"], "--json").json["explanation"]
    assert {name: past[name] for name in ("best", "second", "segment", "words")} == {
        name: then[name] for name in ("best", "second", "segment", "words")
    }
    assert past["lead_usd"] == pytest.approx(then["lead_usd"])
    assert_same_changes(past, then)
    assert "words that weighed most" in ok(learned, "log", "show", made["id"]).out
    # What serves meanwhile, and what things are worth now, changes nothing of it.
    config = learned / "config.toml"
    kept = config.read_text(encoding="utf-8")
    ok(learned, "policies", "promote", "v0000")
    config.write_text(kept.replace("answer_value_usd = 0.01 ", "answer_value_usd = 5 "), encoding="utf-8")
    try:
        assert ok(learned, "log", "show", made["id"], "--json").json["explanation"] == past
    finally:
        config.write_text(kept, encoding="utf-8")
        ok(learned, "policies", "promote", "1")


def assert_same_changes(past, then):
    assert then["changes"]
    for one, other in zip(past["changes"], then["changes"], strict=True):
        assert (one["what"], one["model"]) == (other["what"], other["model"])
        assert (one["now"], one["then"]) == pytest.approx((other["now"], other["then"]))


def test_what_would_have_changed_a_cold_decision_is_told_from_its_row(folder):
    then = explained(folder, "--prefer", "fast", "hello")
    made = ok(folder, "ask", "--json", "--seed", "3", "--prefer", "fast", "hello").json
    assert_same_changes(ok(folder, "log", "show", made["id"], "--json").json["explanation"], then)
    assert "would be held best" in ok(folder, "log", "show", made["id"]).out


def test_unknown_prices_count_as_they_did(http_folder, server):
    config = http_folder / "config.toml"
    text = (
        config.read_text()
        .replace("price = { input = 1, output = 2 }", "")
        .replace("accuracy = 0.2", "accuracy = 0.95")
    )
    config.write_text(text, encoding="utf-8")
    server.reply(says("yes"))
    then = explained(http_folder, "hello")
    made = ok(http_folder, "ask", "--json", "--seed", "3", "hello").json
    assert_same_changes(ok(http_folder, "log", "show", made["id"], "--json").json["explanation"], then)


def test_what_cannot_be_known_is_said(folder):
    ok(folder, "ask", "--check", "json", "What is 2 + 3?")
    ((first,),) = rows(folder, "SELECT id FROM outcomes WHERE attempt = 1")
    said = ok(folder, "log", "show", first, "--json").json["explanation"]
    assert said["changes"] is None
    assert "failed check" in said["note"]
    old = ok(folder, "ask", "--json", "-m", "practice/small", "What is 2 + 3?").json
    ok(folder, "log", "list")
    with duckdb.connect(str(folder / "zetaroute.duckdb")) as connection:
        connection.execute("UPDATE outcomes SET objective = NULL WHERE id = ?", [old["id"]])
    said = ok(folder, "log", "show", old["id"], "--json").json["explanation"]
    assert said["changes"] is None
    assert "what things were worth" in ok(folder, "log", "show", old["id"]).out
