"""`batch`: shapes of input, summary, resume, budget, recordings."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import duckdb
import pytest

from tests.cli.command import ok, read_lines, refused, rows, run, write_lines
from tests.cli.conftest import by_model, fails, says
from tests.providers.loopback import ModelServer, chat, http
from tests.support.waiting import PATIENCE_S


def questions(count: int) -> list[dict[str, str]]:
    return [{"query": f"question {n}", "custom_id": f"q{n}"} for n in range(count)]


def asked(server: ModelServer) -> list[str]:
    return sorted(seen.body["messages"][-1]["content"] for seen in server.seen)


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    """Six queries in a file."""
    return write_lines(tmp_path / "q.jsonl", questions(6))


@pytest.fixture
def answers(queries: Path) -> Path:
    """Where their answers go."""
    return queries.with_name("q.jsonl.answers.jsonl")


def test_summary_output_and_log_tell_the_same(
    http_folder: Path, server: ModelServer, queries: Path, answers: Path
) -> None:
    server.reply(says(lambda seen: "re: " + seen.body["messages"][-1]["content"]))
    result = ok(http_folder, "batch", str(queries), "--json").json
    counts = {key: result[key] for key in ("rows", "answered", "failed", "skipped", "bad_lines")}
    assert counts == {"rows": 6, "answered": 6, "failed": 0, "skipped": 0, "bad_lines": 0}
    lines = read_lines(answers)
    assert sorted((line["custom_id"], line["answer"]) for line in lines) == [
        (f"q{n}", f"re: question {n}") for n in range(6)
    ]
    stored = rows(http_folder, "SELECT id, custom_id, response, model, response_s, cost_usd FROM rounds")
    told = [(o["id"], o["custom_id"], o["answer"], o["model"], o["response_s"], o["cost_usd"]) for o in lines]
    assert sorted(stored) == sorted(told)
    assert result["cost_usd"] == pytest.approx(sum(line["cost_usd"] for line in lines))
    assert not answers.with_name(answers.name + ".errors.jsonl").exists()


def test_without_json_a_sentence_says_where_the_answers_are(
    folder: Path, queries: Path, answers: Path
) -> None:
    said = ok(folder, "batch", str(queries))
    assert "6 answered" in said.out
    assert str(answers) in said.out


def test_what_was_answered_is_not_asked_again(
    http_folder: Path, server: ModelServer, queries: Path, answers: Path
) -> None:
    server.reply(says("yes"))
    assert ok(http_folder, "batch", str(queries), "--limit", "2", "--json").json["rows"] == 2
    result = ok(http_folder, "batch", str(queries), "--json").json
    assert (result["answered"], result["skipped"]) == (4, 2)
    assert ok(http_folder, "batch", str(queries), "--json").json["skipped"] == 6
    assert asked(server) == [f"question {n}" for n in range(6)]
    assert sorted(line["custom_id"] for line in read_lines(answers)) == [f"q{n}" for n in range(6)]


def test_only_changed_and_new_rows_are_asked(
    http_folder: Path, server: ModelServer, queries: Path, answers: Path
) -> None:
    server.reply(says(lambda seen: "re: " + seen.body["messages"][-1]["content"]))
    ok(http_folder, "batch", str(queries))
    changed = questions(7)
    changed[3]["query"] = "another question"
    write_lines(queries, changed)
    result = ok(http_folder, "batch", str(queries), "--json").json
    assert (result["answered"], result["skipped"]) == (2, 5)
    assert asked(server)[:1] == ["another question"]
    told = {line["custom_id"]: line["answer"] for line in read_lines(answers)}
    assert told["q3"] == "re: another question"
    assert len(told) == len(read_lines(answers)) == 7


def test_failed_rows_are_asked_again(
    http_folder: Path, server: ModelServer, queries: Path, answers: Path
) -> None:
    server.reply(lambda seen: (fails() if "3" in seen.body["messages"][-1]["content"] else says("yes"))(seen))
    result = ok(http_folder, "batch", str(queries), "--json").json
    assert (result["answered"], result["failed"]) == (5, 1)
    (failure,) = [line for line in read_lines(answers) if line["error"]]
    assert (failure["custom_id"], failure["answer"]) == ("q3", None)
    server.reply(says("now"))
    result = ok(http_folder, "batch", str(queries), "--json").json
    assert (result["answered"], result["skipped"]) == (1, 5)
    assert sorted(line["custom_id"] for line in read_lines(answers)) == [f"q{n}" for n in range(6)]
    assert [line for line in read_lines(answers) if line["error"]] == []


def test_when_every_row_fails_the_exit_code_says_so(
    http_folder: Path, server: ModelServer, queries: Path
) -> None:
    server.reply(fails())
    said = run(http_folder, "batch", str(queries), "--json", "--limit", "2")
    assert (said.code, said.json["failed"]) == (3, 2)
    assert len(rows(http_folder, "SELECT * FROM outcomes")) == 4


def test_restart_asks_everything_again_and_loses_no_row(
    http_folder: Path, server: ModelServer, queries: Path, answers: Path
) -> None:
    server.reply(says("yes"))
    ok(http_folder, "batch", str(queries))
    assert ok(http_folder, "batch", str(queries), "--restart", "--json").json["answered"] == 6
    assert len(server.seen) == 12
    assert len(read_lines(answers)) == 6
    assert len(rows(http_folder, "SELECT * FROM outcomes")) == 12
    assert ok(http_folder, "batch", str(queries), "--json").json["skipped"] == 6


def test_all_models_answer_every_row(folder: Path, queries: Path, answers: Path) -> None:
    assert ok(folder, "batch", str(queries), "--all-models", "--json").json["answered"] == 18
    stored = rows(
        folder, "SELECT custom_id, count(DISTINCT model), count(*) FROM outcomes GROUP BY 1 ORDER BY 1"
    )
    assert stored == [(f"q{n}", 3, 3) for n in range(6)]
    assert rows(folder, "SELECT count(*) FROM outcomes WHERE propensity IS NULL AND forced") == [(18,)]
    assert ok(folder, "batch", str(queries), "--all-models", "--json").json["answered"] == 0
    assert len(read_lines(answers)) == 18


def test_rows_that_share_an_id_are_told_and_equal_rows_are_answered_once(
    http_folder: Path, server: ModelServer, tmp_path: Path
) -> None:
    server.reply(says("yes"))
    twins = [
        {"query": "a", "custom_id": "x"},
        {"query": "b", "custom_id": "x"},
        {"query": "c"},
        {"query": "c"},
    ]
    file = write_lines(tmp_path / "twins.jsonl", twins)
    answers = tmp_path / "twins.jsonl.answers.jsonl"
    for answered in (2, 0):
        result = ok(http_folder, "batch", str(file), "--json").json
        counts = (result["answered"], result["skipped"], result["bad_lines"])
        assert counts == (answered, 3 - answered, 1)
        (bad,) = read_lines(answers.with_name(answers.name + ".errors.jsonl"))
        assert bad["line"] == 2
        assert "line 1" in bad["error"]
        assert len(read_lines(answers)) == 2
    assert asked(server) == ["a", "c"]


def test_all_shapes_of_lines(http_folder: Path, server: ModelServer, tmp_path: Path) -> None:
    server.reply(says("B"))
    system = {"role": "system", "content": "be brief"}
    turns = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": [{"type": "text", "text": "thr"}, {"type": "text", "text": "ee"}]},
    ]
    body = {"model": "gpt-x", "messages": [system, *turns]}
    shapes = [
        {
            "query": "plain",
            "system": "s",
            "task": "t",
            "reference": "B",
            "grader": "choice",
            "custom_id": "p",
        },
        {"custom_id": "openai", "method": "POST", "url": "/v1/chat/completions", "body": body},
        {
            "query": "pick",
            "ground_truth": "B",
            "metric": "em_mc",
            "category": "quiz",
            "choices": ["red", "blue"],
            "custom_id": "c",
        },
        {"query": 17, "reference": 17.5, "metadata": {"any": ["thing"]}, "custom_id": 3},
    ]
    file = write_lines(tmp_path / "q.jsonl", shapes)
    assert ok(http_folder, "batch", str(file), "-m", "one/m1", "--json").json["bad_lines"] == 0
    sent = {seen.body["messages"][-1]["content"]: seen.body["messages"] for seen in server.seen}
    assert set(sent) == {"plain", "three", "pick\nA. red\nB. blue", "17"}
    assert sent["plain"][0] == {"role": "system", "content": "s"}
    assert [turn["content"] for turn in sent["three"]] == ["be brief", "one", "two", "three"]
    found = rows(http_folder, "SELECT custom_id, task, reference, accuracy FROM rounds ORDER BY custom_id")
    assert found == [
        ("3", None, "17.5", 0.0),
        ("c", "quiz", "B", 1.0),
        ("openai", None, None, None),
        ("p", "t", "B", 1.0),
    ]


def test_a_changed_conversation_of_an_openai_line_is_asked_again(
    http_folder: Path, server: ModelServer, tmp_path: Path
) -> None:
    server.reply(says("yes"))
    for earlier in ("one", "two"):
        turns = [("user", earlier), ("assistant", "hm"), ("user", "and now?")]
        messages = [{"role": role, "content": content} for role, content in turns]
        file = write_lines(tmp_path / "q.jsonl", [{"custom_id": "a", "body": {"messages": messages}}])
        assert ok(http_folder, "batch", str(file), "--json").json["answered"] == 1


def test_gzip_and_standard_input(folder: Path, tmp_path: Path, queries: Path) -> None:
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(queries.read_bytes()))
    assert ok(folder, "batch", str(packed), "--json").json["answered"] == 6
    output = tmp_path / "piped.jsonl"
    piped = ("batch", "-", "-o", str(output), "--json")
    assert ok(folder, *piped, stdin=queries.read_bytes()).json["answered"] == 6
    assert len(read_lines(output)) == 6
    assert ok(folder, *piped, stdin=queries.read_bytes()).json["skipped"] == 6
    refused(run(folder, "batch", "-", stdin=queries.read_bytes()), 2)


def test_a_budget_stops_before_it_is_passed(http_folder: Path, server: ModelServer, tmp_path: Path) -> None:
    counts = {"prompt_tokens": 100, "completion_tokens": 50}
    server.reply(http(chat("yes", usage=counts)))
    once = 100 * 100e-6 + 50 * 200e-6
    file = write_lines(tmp_path / "q.jsonl", questions(12))
    arguments = ("batch", str(file), "-m", "two/m2", "--concurrency", "1", "--json")
    expected = ok(http_folder, *arguments, "--dry-run").json["cost_usd"]["value"] / 12
    assert expected > once
    budget = expected + 2.5 * once
    said = ok(http_folder, *arguments, "--budget-usd", str(budget))
    assert said.json["answered"] == 3
    assert said.json["cost_usd"] == pytest.approx(3 * once)
    assert "budget" in said.err
    assert run(http_folder, *arguments, "--budget-usd", "0").json["answered"] == 0
    rest = ok(http_folder, *arguments).json
    assert (rest["answered"], rest["skipped"]) == (9, 3)
    assert asked(server) == sorted(f"question {n}" for n in range(12))


def test_a_dry_run_tells_the_spend_and_asks_nobody(
    http_folder: Path, server: ModelServer, queries: Path, answers: Path
) -> None:
    found = ok(http_folder, "batch", str(queries), "--dry-run", "--json", "-m", "two/m2").json
    assert found["rows"] == 6
    assert 0 < found["cost_usd"]["low"] <= found["cost_usd"]["value"] <= found["cost_usd"]["high"]
    assert "6 rows" in ok(http_folder, "batch", str(queries), "--dry-run").out
    assert server.seen == []
    assert not answers.exists()


def test_local_only_asks_local_models_only(http_folder: Path, server: ModelServer, queries: Path) -> None:
    server.reply(by_model(m1=says("yes"), m2=fails()))
    assert ok(http_folder, "batch", str(queries), "--local-only", "--json").json["answered"] == 6
    assert {seen.body["model"] for seen in server.seen} == {"m1"}


def test_no_more_calls_at_once_than_asked_for(http_folder: Path, server: ModelServer, tmp_path: Path) -> None:
    server.reply(says("yes", after_s=0.02))
    file = write_lines(tmp_path / "q.jsonl", questions(12))
    ok(http_folder, "batch", str(file), "--concurrency", "3")
    assert server.peak == 3


def test_the_same_seed_repeats_a_batch(folder: Path, queries: Path, tmp_path: Path) -> None:
    shares = []
    for turn, seed in enumerate(("1", "1", "2", "3", "4")):
        output = tmp_path / f"{turn}.jsonl"
        ok(folder, "batch", str(queries), "-o", str(output), "--seed", seed)
        shares.append({line["custom_id"]: line["model"] for line in read_lines(output)})
    assert shares[0] == shares[1]
    assert any(share != shares[0] for share in shares[2:])


def recordings(path: Path, count: int = 30) -> Path:
    with duckdb.connect() as connection:
        connection.execute(
            f"""
            COPY (
                SELECT 'tiny' AS dataset, 't' AS task, CASE WHEN n % 3 = 0 THEN 'test' ELSE 'train' END AS split,
                       'r' || n AS query_id, 'recorded question ' || n AS query, m.name AS model,
                       ((n % 2)::DOUBLE + m.bonus) / 2 AS score, m.cost AS cost_usd, m.seconds AS latency_s,
                       'answer of ' || m.name AS response
                FROM range({count}) AS r(n),
                     (VALUES ('alpha', 0.0, 0.001, 1.5), ('beta', 1.0, 0.02, 40.0)) AS m(name, bonus, cost, seconds)
            ) TO '{path}' (FORMAT parquet)
            """
        )
    return path


def recorded_folder(folder: Path, file: Path) -> Path:
    models = "".join(
        f'[[models]]\nid = "rec/{name}"\nprovider = "recorded"\nfile = "{file.name}"\n'
        for name in ("alpha", "beta")
    )
    (folder / "config.toml").write_text(f"[audit]\nshare = 0\n{models}", encoding="utf-8")
    recordings(folder / file.name)
    return folder


def test_recorded_outcomes_are_logged_with_their_own_figures(folder: Path, tmp_path: Path) -> None:
    home = recorded_folder(folder, tmp_path / "bench.parquet")
    file, output = str(home / "bench.parquet"), str(tmp_path / "out.jsonl")
    trained = ok(home, "batch", file, "-o", output, "--part", "train", "--json")
    assert trained.json["answered"] == 20
    assert ok(home, "batch", file, "-o", output, "--json").json["answered"] == 10
    stored = rows(
        home,
        "SELECT custom_id, model, recorded, response_s, cost_usd, accuracy, accuracy_source, task, query "
        "FROM rounds ORDER BY custom_id",
    )
    assert len(stored) == 30
    for custom_id, model, recorded, response_s, cost_usd, accuracy, source, task, query in stored:
        number = int(custom_id.removeprefix("r"))
        assert query == f"recorded question {number}"
        assert (recorded, source, task) == (True, "truth", "t")
        facts = (1.5, 0.001, (number % 2) / 2) if model == "rec/alpha" else (40.0, 0.02, (number % 2 + 1) / 2)
        assert (response_s, cost_usd, accuracy) == facts
    assert {row[1] for row in stored} == {"rec/alpha", "rec/beta"}
    assert "recorded" in ok(home, "log", "list").out
    assert "recorded" in ok(home, "log", "show").out
    assert "recorded" in ok(home, "kpi").out
    assert ok(home, "batch", file, "-o", output, "--json").json["skipped"] == 30
    lines = read_lines(Path(output))
    assert {line["answer"] for line in lines} == {"answer of alpha", "answer of beta"}


def test_the_parts_of_a_recording_without_a_split_keep_equal_texts_together(
    folder: Path, tmp_path: Path
) -> None:
    home = recorded_folder(folder, tmp_path / "bench.parquet")
    file = home / "bench.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t AS SELECT * EXCLUDE (split) FROM '{file}'")
        connection.execute(f"COPY t TO '{file}' (FORMAT parquet)")
    counts = [
        ok(home, "batch", str(file), "--part", part, "-o", str(tmp_path / part), "--json").json["rows"]
        for part in ("train", "test")
    ]
    assert sum(counts) == 30
    assert 0 < counts[1] < counts[0]
    assert len(rows(home, "SELECT DISTINCT query FROM outcomes")) == 30


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT 1 AS a", "query"),
        ("SELECT 'a' AS query_id, NULL::VARCHAR AS query", "query"),
    ],
)
def test_a_parquet_file_of_another_kind(folder: Path, tmp_path: Path, sql: str, names: str) -> None:
    file = tmp_path / "other.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({sql}) TO '{file}' (FORMAT parquet)")
    said = run(folder, "batch", str(file), "--json")
    assert "Traceback" not in said.err
    if said.code == 0:
        assert said.json["answered"] == 0
    else:
        assert names in refused(said, 2)


def test_a_recording_without_its_file_is_a_mistake_in_the_config(folder: Path, queries: Path) -> None:
    (folder / "config.toml").write_text(
        '[[models]]\nid = "r/a"\nprovider = "recorded"\nfile = "no.parquet"\n'
    )
    for arguments in (("ask", "hi"), ("batch", str(queries))):
        assert "no.parquet" in refused(run(folder, *arguments), 2)


def test_a_second_batch_leaves_the_answers_of_the_first_in_the_log(folder: Path, tmp_path: Path) -> None:
    output = str(tmp_path / "out.jsonl")
    for name in ("a", "b"):
        file = write_lines(tmp_path / f"{name}.jsonl", [{"query": name, "custom_id": name}])
        ok(folder, "batch", str(file), "-o", output)
    assert rows(folder, "SELECT custom_id FROM outcomes ORDER BY id") == [("a",), ("b",)]
    assert "b" in [line["custom_id"] for line in read_lines(Path(output))]
    assert json.loads(Path(output).read_text().splitlines()[-1])["answer"]


def test_time_for_a_query_holds_for_all_its_attempts(
    http_folder: Path, server: ModelServer, queries: Path, answers: Path
) -> None:
    server.reply(says("late", after_s=2 * PATIENCE_S))
    said = run(http_folder, "batch", str(queries), "-o", str(answers), "--limit", "1", "--timeout", "0.3")
    assert said.code == 3
    assert rows(http_folder, "SELECT error_kind FROM outcomes") == [("timeout",)]
