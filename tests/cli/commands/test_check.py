"""Answers that fail a check go to the next model: every attempt is a row, the chain is what counts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.command import ok, refused, rows, run
from tests.cli.conftest import by_model, fails, says
from tests.providers.loopback import ModelServer

COLUMNS = "model, status, attempt, fallback_of IS NOT NULL, escalated, propensity IS NOT NULL, accuracy"


@pytest.fixture
def home(http_folder: Path) -> Path:
    """Both models hopeful, the first one cheap: where answers are checked it is worth a first try."""
    config = http_folder / "config.toml"
    text = config.read_text()
    for old, new in (
        ("prior_accuracy = 0.2", "prior_accuracy = 0.95"),
        ("prior_accuracy = 0.9\n", "prior_accuracy = 0.6\n"),
        ("input = 100, output = 200", "input = 3, output = 9"),
    ):
        text = text.replace(old, new)
    config.write_text(text + "[explore]\ncold_start_rate = 0\n")
    return http_folder


def asked(home: Path, *words: str) -> dict[str, object]:
    """Ask with a seed that gives the first try to the cheap model."""
    for seed in range(60):
        decision = ok(home, "ask", "--dry-run", "--json", "--check", "json", "--seed", str(seed), *words).json
        if decision["model"] == "one/m1":
            return ok(home, "ask", "--json", "--check", "json", "--seed", str(seed), *words).json
    raise AssertionError("no seed draws the cheap model")


def test_failed_answer_is_followed_by_the_next_model(home: Path, server: ModelServer) -> None:
    server.reply(by_model(m1=says("sorry, no"), m2=says("[1, 2]")))
    result = asked(home, "--reference", "[1, 2]", "--grader", "exact", "a list")
    assert (result["model"], result["answer"], result["check"], result["accuracy"]) == (
        "two/m2",
        "[1, 2]",
        1.0,
        1.0,
    )
    assert [one["model"] for one in result["attempts"]] == ["one/m1", "two/m2"]
    assert rows(home, f"SELECT {COLUMNS} FROM rounds ORDER BY attempt") == [
        ("one/m1", "ok", 1, False, False, True, 0.0),
        ("two/m2", "ok", 2, True, True, False, 1.0),
    ]
    judged = rows(home, "SELECT value, source, author FROM feedback WHERE metric = 'check' ORDER BY value")
    assert judged == [(0.0, "implicit", "grader:json"), (1.0, "implicit", "grader:json")]
    kpis = ok(home, "kpi", "--json").json["kpis"]
    assert (kpis["escalation_rate"]["value"], kpis["fallback_rate"]["value"]) == (1.0, 0.0)
    assert kpis["accuracy_rate"]["value"] == 1.0
    assert kpis["cost_per_query_usd"]["value"] == pytest.approx((10 + 2 * 5 + 3 * 10 + 9 * 5) * 1e-6)


def test_answer_that_passes_is_shown_and_nobody_else_is_asked(home: Path, server: ModelServer) -> None:
    server.reply(says("{}"))
    said = ok(home, "ask", "--check", "json", "x")
    assert said.out == "{}\n"
    assert len(server.seen) == 1


def test_answer_that_failed_is_kept_where_nobody_gives_another(home: Path, server: ModelServer) -> None:
    server.reply(by_model(m1=says("no json"), m2=fails(403)))
    result = asked(home, "x")
    assert (result["model"], result["answer"], result["check"]) == ("one/m1", "no json", 0.0)
    assert rows(home, "SELECT model, status, escalated, fell_back FROM served") == [
        ("one/m1", "ok", True, False)
    ]
    said = ok(home, "ask", "--check", "json", "-m", "one/m1", "x")
    assert "no answer passed the check" in said.err
    assert rows(home, "SELECT count(*) FROM outcomes WHERE forced") == [(1,)]


def test_task_of_the_config_and_batch_are_checked_alike(
    home: Path, server: ModelServer, tmp_path: Path
) -> None:
    (home / "schema.json").write_text('{"type": "array"}')
    config = home / "config.toml"
    config.write_text(
        config.read_text() + '[[checks]]\ntask = "lists"\ngrader = "json"\nreference_file = "schema.json"\n'
    )
    server.reply(by_model(m1=says("{}"), m2=says("[]")))
    lines = [{"query": f"list {number}", "task": "lists"} for number in range(8)]
    lines.append({"query": "free", "task": "talk"})
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    ok(home, "batch", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out.jsonl"))
    answers = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {one["answer"] for one in answers if one["custom_id"] != answers[-1]["custom_id"]} <= {"[]", "{}"}
    ((served, right),) = rows(
        home, "SELECT count(*), count(*) FILTER (model = 'two/m2') FROM served WHERE task = 'lists'"
    )
    assert (served, right) == (8, 8)
    assert rows(
        home, "SELECT count(*) FROM feedback f JOIN outcomes o ON o.id = f.outcome_id WHERE task = 'talk'"
    ) == [(0,)]
    again = ok(home, "batch", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out.jsonl"), "--json").json
    assert again["skipped"] == 9


def test_a_signal_fails_no_answer_and_is_kept_of_audited_ones_too(
    home: Path, server: ModelServer, tmp_path: Path
) -> None:
    """A program of the user's own says how good an answer is."""
    (home / "short.py").write_text("import sys\nprint(1.0 if len(sys.stdin.read()) < 5 else 0.25)\n")
    config = home / "config.toml"
    config.write_text(
        config.read_text()
        + f'[graders.short]\ncommand = ["{sys.executable}", "short.py"]\n'
        + '[[checks]]\ntask = "lists"\ngrader = "short"\nsignal = true\n'
    )
    server.reply(by_model(m1=says("a long answer"), m2=says("[]")))
    lines = [{"query": f"list {number}", "task": "lists", "reference": "[]"} for number in range(2)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    ok(home, "batch", str(tmp_path / "in.jsonl"), "--all-models")
    kept = (
        "SELECT model, metric, value, author FROM feedback JOIN outcomes ON outcomes.id = outcome_id "
        "WHERE metric <> 'accuracy' ORDER BY model DESC"
    )
    short, long = ("two/m2", "signal", 1.0, "grader:short"), ("one/m1", "signal", 0.25, "grader:short")
    assert rows(home, kept) == [short, short, long, long]
    assert rows(home, "SELECT count(*) FROM outcomes WHERE escalated") == [(0,)]
    config.write_text(config.read_text().replace("[audit]\nshare = 0.0", "[audit]\nshare = 1.0"))
    found = ok(home, "ask", "--json", "--task", "lists", "--reference", "[]", "list 3").json
    assert found["audited"]
    assert sorted(rows(home, f"{kept} LIMIT 6")) == sorted([short] * 3 + [long] * 3)


def costs(home: Path) -> dict[str, float]:
    """Return what each model is expected to cost for the query x."""
    found = ok(home, "ask", "--dry-run", "--json", "--check", "json", "x").json["candidates"]
    return {one["model"]: one["cost_usd"] for one in found}


@pytest.mark.parametrize(("short_usd", "models"), [(1e-6, ["one/m1"]), (-1e-6, ["one/m1", "two/m2"])])
def test_highest_cost_is_that_of_all_models_together(
    home: Path, server: ModelServer, short_usd: float, models: list[str]
) -> None:
    """What the first answer really cost counts: 10 tokens in and 5 out."""
    server.reply(by_model(m1=says("no json"), m2=says("[]")))
    most_usd = costs(home)["two/m2"] + 20e-6 - short_usd
    result = asked(home, "--max-cost-usd", f"{most_usd:.12f}", "x")
    assert [one["model"] for one in result["attempts"]] == models


def test_highest_cost_binds_the_queries_of_a_batch(home: Path, server: ModelServer, tmp_path: Path) -> None:
    server.reply(by_model(m1=says("no json"), m2=says("[]")))
    (tmp_path / "in.jsonl").write_text("".join(f'{{"query": "x", "custom_id": "{n}"}}\n' for n in range(12)))
    limit = ("--max-cost-usd", f"{costs(home)['two/m2']:.9f}")
    words = ("batch", str(tmp_path / "in.jsonl"), "--check", "json", "--restart", "-o")
    ok(home, *words, str(tmp_path / "bound.jsonl"), *limit)
    assert rows(home, "SELECT count(*), count(*) FILTER (escalated) FROM outcomes") == [(12, 0)]
    ok(home, *words, str(tmp_path / "free.jsonl"))
    assert rows(home, "SELECT bool_or(escalated) FROM outcomes") == [(True,)]


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ("nosuch", "no grader"),
        ("regex", "needs something to hold answers against"),
        ("regex=(", "cannot read its reference"),
        ("json=@nowhere.json", "cannot be read"),
    ],
)
def test_check_that_cannot_work_is_refused_before_anything_is_sent(
    home: Path, server: ModelServer, check: str, words: str
) -> None:
    assert words in refused(run(home, "ask", "--check", check, "x"), 2)
    assert server.seen == []


def test_retrain_measures_the_check_and_leaves_escalated_rows_out(
    home: Path, server: ModelServer, tmp_path: Path
) -> None:
    server.reply(
        by_model(
            m1=says(
                lambda seen: "[1]" if seen.body["messages"][-1]["content"].endswith(("0", "2")) else "no"
            ),
            m2=says("[1]"),
        )
    )
    lines = [
        {"query": f"give number {number}", "reference": "[1]", "grader": "exact"} for number in range(120)
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    ok(home, "batch", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out.jsonl"), "--check", "json")
    ((first, later),) = rows(
        home, "SELECT count(*) FILTER (attempt = 1), count(*) FILTER (escalated) FROM outcomes"
    )
    assert first == 120
    assert later > 20
    version = ok(home, "retrain", "--promote", "never", "--json").json["artifact"]
    manifest = json.loads((home / "artifacts" / version / "manifest.json").read_text())
    assert manifest["checks"]["json"]["catches"] > 0.9
    assert manifest["checks"]["json"]["right_rows"] + manifest["checks"]["json"]["wrong_rows"] == 120 + later
    assert manifest["training"]["rows"] == 120


def test_conversation_goes_on_from_the_answer_that_was_given(home: Path, server: ModelServer) -> None:
    server.reply(by_model(m1=says("no json"), m2=says("[]")))
    result = asked(home, "--cid", "talk", "first")
    assert result["model"] == "two/m2"
    server.seen.clear()
    ok(home, "ask", "--cid", "talk", "second")
    assert [turn["content"] for turn in server.seen[0].body["messages"]] == ["first", "[]", "second"]
