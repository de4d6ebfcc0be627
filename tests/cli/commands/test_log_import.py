"""`log import` and `log export`: what others have logged comes in once, is no evidence, and goes out again."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import ok, read_lines, refused, rows, run, write_lines
from zetaroute.practice.generator import generate

ROW = {
    "query": "2 + 2?",
    "model_name": "practice/small",
    "performance": 1,
    "response_time": 0.5,
    "category": "sums",
}


def batch_line(custom_id: str, text: str, **body: Any) -> dict[str, Any]:
    """Return a line of an OpenAI Batch output."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 11, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}
    told = {"id": f"chatcmpl-{custom_id}", "created": 1_700_000_000, "model": "m-2026", "choices": [choice]}
    response = {"status_code": 200, "request_id": "r", "body": {**told, "usage": usage, **body}}
    return {"id": f"batch_req_{custom_id}", "custom_id": custom_id, "response": response, "error": None}


def request_line(custom_id: str, text: str) -> dict[str, Any]:
    """Return a line of an OpenAI Batch input."""
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": text}]
    return {"custom_id": custom_id, "method": "POST", "body": {"model": "m", "messages": messages}}


def history(path: Path, queries: int) -> Path:
    """Write routing rows of three models that are right with set shares."""
    shares = {"practice/small": 3, "practice/medium": 2, "practice/large": 1}
    lines = [
        {
            "query": one.query.text,
            "model_name": model,
            "performance": float(number % 4 >= misses),
            "category": one.query.task,
        }
        for number, one in enumerate(generate(rows=queries, seed=3))
        for model, misses in shares.items()
    ]
    return write_lines(path, lines)


def test_routing_rows_come_in_once_and_without_a_propensity(folder: Path, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "r.jsonl", [ROW, {**ROW, "performance": 0}, ROW])
    done = ok(folder, "log", "import", str(file), "--json").json
    assert (done["rows"], done["added"], done["known"], done["graded"]) == (3, 2, 1, 2)
    again = ok(folder, "log", "import", str(file), "--json").json
    assert (again["added"], again["known"]) == (0, 3)
    facts = "propensity, policy_version, forced, explored, recorded, run, status, len(candidates)"
    assert rows(folder, f"SELECT DISTINCT {facts} FROM outcomes") == [
        (None, None, False, False, True, "import-r.jsonl", "ok", 0)
    ]
    told = "SELECT query, model, task, response_s, cost_usd, accuracy, accuracy_source FROM rounds ORDER BY accuracy"
    assert rows(folder, told) == [
        ("2 + 2?", "practice/small", "sums", 0.5, None, 0.0, "truth"),
        ("2 + 2?", "practice/small", "sums", 0.5, None, 1.0, "truth"),
    ]


def test_a_batch_output_finds_its_queries_in_the_input(folder: Path, tmp_path: Path) -> None:
    output = write_lines(
        tmp_path / "out.jsonl",
        [
            batch_line("b", "five"),
            {
                "id": "x",
                "custom_id": "c",
                "response": None,
                "error": {"code": "batch_expired", "message": "late"},
            },
            batch_line("a", "four"),
            batch_line("nobody", "?"),
        ],
    )
    asked = write_lines(tmp_path / "in.jsonl", [request_line("a", "2 + 2?"), request_line("b", "2 + 3?")])
    done = ok(folder, "log", "import", str(output), "--input", str(asked), "--run", "past", "--json").json
    assert (done["added"], done["bad_lines"], done["not_configured"]) == (2, 2, {"m-2026": 2})
    assert [(one["line"], one["error"]) for one in read_lines(Path(done["errors"]))] == [
        (2, "holds no answer: late"),
        (4, "does not say what was asked: no line of the input has the custom_id 'nobody'"),
    ]
    columns = (
        "custom_id, query, system, response, run, input_tokens, cached_tokens, output_tokens, epoch(time)"
    )
    assert rows(folder, f"SELECT {columns} FROM outcomes ORDER BY custom_id") == [
        ("a", "2 + 2?", "be brief", "four", "past", 11, 4, 3, 1.7e9),
        ("b", "2 + 3?", "be brief", "five", "past", 11, 4, 3, 1.7e9),
    ]
    # Labels that come later find the rows by what the batch called them.
    labels = write_lines(tmp_path / "l.jsonl", [{"custom_id": "a", "metric": "accuracy", "value": 1}])
    assert ok(folder, "feedback", "import", str(labels), "--json").json["added"] == 1


def test_a_batch_output_alone_says_what_is_missing(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    output = write_lines(tmp_path / "elsewhere" / "out.jsonl", [batch_line("a", "four")])
    said = run(folder, "log", "import", str(output))
    assert said.code == 2
    assert "--input names the file" in (tmp_path / "out.jsonl.errors.jsonl").read_text(encoding="utf-8")


def test_the_log_of_the_llm_command_comes_in_once(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "logs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE responses (id TEXT, model TEXT, prompt TEXT, system TEXT, response TEXT, "
            "conversation_id TEXT, duration_ms INTEGER, datetime_utc TEXT)"
        )
        connection.executemany(
            "INSERT INTO responses VALUES (?, 'small', ?, NULL, 'yes', ?, 900, '2025-05-05T05:05:05')",
            [(f"01{number}", f"q{number}", f"t{number}") for number in range(5)],
        )
        connection.commit()
    said = ok(folder, "log", "import", str(path))
    assert said.out == "5 added to the run import-logs.db, 0 known before\n"
    assert "no evidence of what routing gains" in said.err
    assert "5 of them say nothing of accuracy" in said.err
    # The server's name of a configured model is enough to know it by.
    assert rows(folder, "SELECT DISTINCT model, response_s FROM outcomes") == [("practice/small", 0.9)]
    assert ok(folder, "log", "import", str(path), "--json").json["known"] == 5
    assert "elsewhere, before this row was imported" in ok(folder, "log", "show").out


def test_a_name_can_be_given_its_model(folder: Path, tmp_path: Path) -> None:
    lines = [{**ROW, "model_name": name} for name in ("gpt-x", "other")]
    file = write_lines(tmp_path / "r.jsonl", lines)
    done = ok(folder, "log", "import", str(file), "--as", "gpt-x=practice/large", "--json").json
    assert done["models"] == {"practice/large": 1, "other": 1}
    assert done["not_configured"] == {"other": 1}
    assert "no model is called" in refused(run(folder, "log", "import", str(file), "--as", "gpt-x=nobody"), 2)
    assert "NAME=ID" in refused(run(folder, "log", "import", str(file), "--as", "gpt-x"), 2)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "is not JSON"),
        ("[1]", "must be a JSON object"),
        ('{"model_name": "m"}', 'neither a "query" nor a "custom_id"'),
        ('{"query": "q"}', 'names no "model_name"'),
        ('{"query": "q", "model": "m", "performance": 1.2}', "no number from 0 up to 1"),
        ('{"query": "q", "model": "m", "response_time": "slow"}', "no number from 0"),
        ('{"query": "q", "model": "m", "time": "yesterday"}', "no moment"),
        ('{"query": "q", "model": "m", "error": "late"}', "holds no answer"),
        ('{"query": "q", "model": "m", "rating": 0}', "not from 1 to 5"),
        ('{"query": "q", "model": "m", "store": "hashed"}', "holds no text"),
    ],
)
def test_a_bad_line_is_told_and_stops_nothing(folder: Path, tmp_path: Path, line: str, reason: str) -> None:
    file = tmp_path / "r.jsonl"
    file.write_text(f"{line}\n{json.dumps(ROW)}\n", encoding="utf-8")
    done = ok(folder, "log", "import", str(file), "--json").json
    assert (done["added"], done["bad_lines"]) == (1, 1)
    assert reason in read_lines(Path(done["errors"]))[0]["error"]


def test_texts_are_kept_as_the_privacy_of_the_home_says(folder: Path, tmp_path: Path) -> None:
    config = folder / "config.toml"
    config.write_text(
        config.read_text(encoding="utf-8") + '\n[privacy]\nstore = "hashed"\n', encoding="utf-8"
    )
    file = write_lines(tmp_path / "r.jsonl", [{**ROW, "response": "four, as everybody knows"}])
    ok(folder, "log", "import", str(file))
    ((query, response),) = rows(folder, "SELECT query, response FROM outcomes")
    assert query.startswith("sha256:")
    assert response.startswith("sha256:")
    assert ok(folder, "log", "import", str(file), "--json").json["known"] == 1


def test_such_a_log_teaches_the_heads_and_is_no_evidence(folder: Path, tmp_path: Path) -> None:
    ok(folder, "log", "import", str(history(tmp_path / "r.jsonl", 60)))
    learned = ok(folder, "retrain", "--json").json
    assert (learned["verdict"], learned["promoted"]) == ("INSUFFICIENT", False)
    assert "no query can be scored yet" in learned["reasons"][0]
    counts = learned["rows"]
    assert (counts["scored"], counts["imported"], counts["without_propensity"]) == (0, 180, 180)
    assert counts["train"] > 0
    assert learned["after"] == {}
    report = folder / "artifacts" / learned["artifact"]
    for page in (
        ok(folder, "kpi").out,
        (report / "report.md").read_text(),
        (report / "report.html").read_text(),
    ):
        told = " ".join(page.split())
        assert "180 rows were imported" in told
        assert "no evidence of what routing gains" in told
    assert ok(folder, "doctor", "--json").json["wrong"] == 0


def test_imported_rows_are_neither_the_last_answer_nor_a_model_at_work(folder: Path, tmp_path: Path) -> None:
    ok(folder, "ask", "What is 2 + 3?", "--model", "practice/large")
    ok(folder, "log", "import", str(write_lines(tmp_path / "r.jsonl", [ROW])))
    ok(folder, "rate", "up")
    rated = "SELECT query, model, thumbs FROM rounds WHERE thumbs IS NOT NULL"
    assert rows(folder, rated) == [("What is 2 + 3?", "practice/large", 1.0)]
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    assert state["standings"].keys() == {"practice/large"}


def test_routed_rows_alone_are_judged_by(folder: Path, tmp_path: Path) -> None:
    ok(folder, "log", "import", str(history(tmp_path / "r.jsonl", 60)))
    asked = [
        {"query": one.query.text, "reference": one.query.reference, "grader": one.query.grader}
        for one in generate(rows=60, seed=11)
    ]
    ok(folder, "batch", str(write_lines(tmp_path / "q.jsonl", asked)), "-o", str(tmp_path / "out.jsonl"))
    told = ok(folder, "retrain", "--json").json["rows"]
    assert (told["imported"], told["without_propensity"], told["all"]) == (180, 180, 240)
    assert 0 < told["scored"] <= 60
    assert told["train"] == 240


@pytest.mark.parametrize("form", ["jsonl", "rows"])
def test_forgetting_reaches_what_was_exported(folder: Path, tmp_path: Path, form: str) -> None:
    asked = "Where did I bury the very long treasure chest?"
    file = tmp_path / "log.jsonl"
    ok(folder, "ask", asked, "--reference", "under the old oak tree", "--grader", "exact")
    ok(folder, "log", "export", "--format", form, "--to", str(file))
    ((key,),) = rows(folder, "SELECT id FROM outcomes")
    assert asked in file.read_text(encoding="utf-8")
    said = ok(folder, "log", "forget", key, "--yes")
    text = file.read_text(encoding="utf-8")
    assert "treasure" not in text
    assert "oak" not in text
    assert "still holds" not in said.err
    assert json.loads(text)["id"] == key


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_the_rounds_go_out_as_lines(folder: Path, tmp_path: Path, form: str) -> None:
    ok(folder, "ask", "What is 2 + 3?", "--reference", "5", "--grader", "number", "--model", "practice/large")
    file = tmp_path / f"log.{form}.gz"
    ok(folder, "log", "export", "--to", str(file))
    text = gzip.decompress(file.read_bytes()).decode()
    (line,) = [json.loads(text)] if form == "jsonl" else list(csv.DictReader(io.StringIO(text)))
    assert (line["query"], line["model"], float(line["accuracy"])) == (
        "What is 2 + 3?",
        "practice/large",
        1.0,
    )
    named = ("--format", form) if form == "csv" else ()
    piped = ok(folder, "log", "export", *named, "--to", "-").out
    assert piped == text


def test_training_rows_go_out_and_come_in_elsewhere(folder: Path, tmp_path: Path) -> None:
    ok(folder, "ask", "What is 2 + 3?", "--reference", "5", "--grader", "number", "--task", "sums")
    ok(folder, "ask", "Who knows?")
    file = tmp_path / "rows.jsonl"
    ok(folder, "log", "export", "--format", "rows", "--to", str(file))
    (line,) = read_lines(file)
    assert (line["query"], line["category"]) == ("What is 2 + 3?", "sums")
    assert {"model_name", "performance", "response_time"} <= line.keys()
    # At home the row is known by its id; elsewhere it is new.
    assert ok(folder, "log", "import", str(file), "--json").json["known"] == 1
    other = tmp_path / "other"
    assert ok(other, "log", "import", str(file), "--json").json["added"] == 1
    told = "SELECT query, task, accuracy, propensity FROM rounds"
    assert rows(other, told) == [("What is 2 + 3?", "sums", line["performance"], None)]


def test_wrong_ways_to_export(folder: Path, tmp_path: Path) -> None:
    assert "parquet, jsonl" in refused(run(folder, "log", "export", "--to", "x", "--format", "xml"), 2)
    assert "--host" in refused(run(folder, "log", "export", "--to", "x.csv", "--host", "a"), 2)
    assert "--to x.parquet ends in .parquet" in refused(run(folder, "log", "export", "--to", "x.parquet"), 2)
    nowhere = str(tmp_path / "no" / "x.csv")
    assert "cannot write" in refused(run(folder, "log", "export", "--to", nowhere), 2)


def test_an_absent_file_is_refused(folder: Path) -> None:
    assert "there is no file" in refused(run(folder, "log", "import", "nothing.db"), 2)
