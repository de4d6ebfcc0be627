"""Bad input, bad files, bad places: one sentence and the right exit code, or a sensible result; nothing is lost."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

import duckdb
import pytest

from tests.cli.command import command, ok, read_lines, refused, rows, run, spawn, write_lines
from tests.support.waiting import PATIENCE_S
from zetaroute.log.log import MANY

GOOD = {"query": "What is 2 + 3?", "reference": "5"}
NO_UTF_8 = os.fsdecode(b"a\xed\xa0\x80b")


def test_without_a_config_practice_models_serve_and_say_so(tmp_path: Path) -> None:
    said = ok(tmp_path / "home", "ask", "-m", "practice/large", "What is 2 + 3?")
    assert "5" in said.out
    assert "practice models answer" in said.err


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ("[[models]", "not valid TOML"),
        ('[[models]]\nid = "a"', "provider"),
        ('[[models]]\nid = "a"\nprovider = "practise"', "practice"),
        ("nonsense = 1", "models"),
        ('nonsense = 1\n[[models]]\nid = "a"\nprovider = "practice"\nmodel = "small"', "nonsense"),
        (2 * '[[models]]\nid = "practice/small"\nprovider = "practice"\n', "repeats"),
        ('[explore]\nrate = "much"\n[[models]]\nid = "practice/small"\nprovider = "practice"', "rate"),
        ("\xff", "config.toml"),
    ],
)
def test_a_config_with_a_mistake(tmp_path: Path, config: str, names: str) -> None:
    (tmp_path / "config.toml").write_bytes(config.encode("latin-1"))
    for arguments in (("ask", "hi"), ("kpi",), ("batch", "-", "-o", str(tmp_path / "o"))):
        sentence = refused(run(tmp_path, *arguments), 2)
        assert str(tmp_path / "config.toml") in sentence
        assert names in sentence


def test_a_config_that_is_not_there(tmp_path: Path) -> None:
    assert "no.toml" in refused(run(tmp_path, "--config", str(tmp_path / "no.toml"), "ask", "hi"), 2)


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_an_empty_query(folder: Path, text: str) -> None:
    assert "empty" in refused(run(folder, "ask", text), 2)
    assert "empty" in refused(run(folder, "ask", stdin=text.encode()), 2)
    assert rows(folder, "SELECT * FROM outcomes") == []


@pytest.mark.parametrize("stdin", [b"\xff\xfe\x00", b"\x89PNG\r\n\x1a\n\x00", b"text\0text"])
def test_binary_on_standard_input(folder: Path, stdin: bytes) -> None:
    assert "standard input" in refused(run(folder, "ask", "what is this?", stdin=stdin), 2)


def test_standard_input_that_is_closed(folder: Path) -> None:
    words = command(folder, "ask", "-m", "practice/large", "What is 2 + 3?")
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *words],
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"5" in done.stdout


def test_a_query_of_a_megabyte(folder: Path) -> None:
    text = "Straße und Käse. " * 60_000
    ok(folder, "ask", "--no-stream", stdin=text.encode())
    assert rows(folder, "SELECT query FROM outcomes") == [(text,)]


def test_an_unknown_model_is_told_which_there_are(folder: Path, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "q.jsonl", [GOOD])
    for arguments in (("ask", "-m", "practice/huge", "hi"), ("batch", "-m", "practice/huge", str(file))):
        assert "practice/small, practice/medium, practice/large" in refused(run(folder, *arguments), 2)
    assert not (tmp_path / "q.jsonl.answers.jsonl").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask", "hi"),
        ("rate", "up"),
        ("retrain",),
        ("kpi",),
        ("kpi", "--compare"),
        ("log", "list"),
        ("log", "show"),
        ("policies", "list"),
        ("policies", "rollback"),
        ("policies", "promote", "v0000"),
        ("init",),
        ("demo",),
    ],
    ids=" ".join,
)
def test_a_home_that_cannot_be_written(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    home = tmp_path / "file" / "home"
    said = run(home, *arguments)
    sentence = refused(said, 1)
    assert str(home) in sentence
    assert "--home" in sentence


def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("in the way", encoding="utf-8")
    assert "is a file" in refused(run(tmp_path / "home", "ask", "hi"), 2)
    assert (tmp_path / "home").read_text(encoding="utf-8") == "in the way"


def damaged(kind: str, file: Path) -> None:
    content = bytearray(file.read_bytes())
    if kind == "text":
        content = bytearray(b"this is no database" * 1000)
    elif kind == "half":
        content = content[: len(content) // 2]
    elif kind == "headers":
        content[4096:12288] = bytes(8192)
    elif kind == "checksums":
        content[12288:12296] = b"\xff" * 8
    file.write_bytes(content)


@pytest.mark.parametrize("kind", ["text", "half", "headers", "checksums"])
def test_a_damaged_log_is_told_and_rows_wait_in_the_journal(folder: Path, kind: str) -> None:
    ok(folder, "ask", "What is 2 + 3?")
    ok(folder, "log", "list")
    database = folder / "zetaroute.duckdb"
    damaged(kind, database)
    before = database.read_bytes()
    ask = ("ask", "--no-stream", "-m", "practice/large", "What is 4 + 5?")
    assert "journal" not in ok(folder, *ask).err
    (waits,) = (folder / "journal").glob("*.jsonl")
    for number in range(MANY - 2):
        shutil.copy(waits, waits.with_name(f"0{number}.jsonl"))
    answered = ok(folder, *ask)
    assert "9" in answered.out
    assert "journal" in answered.err
    for arguments in (("kpi",), ("log", "list"), ("rate", "up"), ("retrain",)):
        sentence = refused(run(folder, *arguments), 1)
        assert str(database) in sentence
        assert "in use" not in sentence
    assert database.read_bytes() == before
    database.unlink()
    assert rows(folder, "SELECT query FROM outcomes") == [("What is 4 + 5?",)] * 2


def test_a_damaged_log_in_a_folder_called_lock_is_not_taken_for_a_busy_one(
    tmp_path: Path, instant_config: str
) -> None:
    home = tmp_path / "block"
    home.mkdir()
    (home / "config.toml").write_text(instant_config, encoding="utf-8")
    (home / "zetaroute.duckdb").write_bytes(b"this is no database")
    assert "in use" not in refused(run(home, "kpi"), 1)


def test_a_database_of_another_program_is_left_alone(folder: Path) -> None:
    with duckdb.connect(str(folder / "zetaroute.duckdb")) as connection:
        connection.execute("CREATE TABLE outcomes (match VARCHAR, goals INTEGER)")
    assert str(folder / "zetaroute.duckdb") in refused(run(folder, "log", "list"), 1)
    with duckdb.connect(str(folder / "zetaroute.duckdb")) as connection:
        assert connection.execute("SELECT * FROM outcomes").fetchall() == []


def test_a_log_from_a_newer_version(folder: Path) -> None:
    ok(folder, "ask", "What is 2 + 3?")
    ok(folder, "log", "list")
    with duckdb.connect(str(folder / "zetaroute.duckdb")) as connection:
        connection.execute("INSERT INTO migrations VALUES ('9999_future', current_timestamp::TIMESTAMP)")
    answered = ok(folder, "ask", "--no-stream", "-m", "practice/large", "What is 4 + 5?")
    assert "9" in answered.out
    assert "a newer zetaroute: upgrade" in refused(run(folder, "kpi"), 1)
    with duckdb.connect(str(folder / "zetaroute.duckdb")) as connection:
        connection.execute("DELETE FROM migrations WHERE name = '9999_future'")
    assert len(rows(folder, "SELECT * FROM outcomes")) == 2


def test_a_damaged_state_or_journal_never_stops_an_answer(folder: Path) -> None:
    ok(folder, "ask", "What is 2 + 3?")
    for state in (
        b"",
        b"{",
        b"[]",
        b'{"schema": 1}',
        b'{"schema": 1, "standings": {"practice/small": 3}}',
        b"\xff",
    ):
        (folder / "state.json").write_bytes(state)
        ok(folder, "ask", "What is 2 + 3?")
    (folder / "journal" / "0-damaged.jsonl").write_bytes(b'{"outcomes": [{"id": 1')
    ok(folder, "ask", "What is 2 + 3?")
    assert len(rows(folder, "SELECT * FROM outcomes")) == 8


@pytest.mark.parametrize("line", [b"[]", b'{"outcomes": 3}', b'{"outcomes": [{}]}'])
def test_a_journal_line_of_another_shape_never_stops_an_answer(folder: Path, line: bytes) -> None:
    (folder / "journal").mkdir()
    (folder / "journal" / "0-strange.jsonl").write_bytes(line + b"\n")
    ok(folder, "ask", "What is 2 + 3?")
    assert rows(folder, "SELECT query FROM outcomes WHERE query IS NOT NULL") == [("What is 2 + 3?",)]


def test_no_rows_to_retrain_on(folder: Path) -> None:
    assert "no rows" in refused(run(folder, "retrain"), 1)
    ok(folder, "ask", "What is 2 + 3?")
    assert "accuracy" in refused(run(folder, "retrain"), 1)
    assert list((folder / "artifacts").iterdir()) == []


def test_kpi_and_lists_of_an_empty_log(folder: Path) -> None:
    result = ok(folder, "kpi", "--json", "--by", "task").json
    assert (result["rows"], result["since"], result["by"]) == (0, None, {})
    assert ok(folder, "log", "list", "--json").json == []
    assert [row["version"] for row in ok(folder, "policies", "list", "--json").json] == ["v0000"]


def test_bad_lines_are_told_with_their_number_and_stop_nothing(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    parts = [{"role": "user", "content": [{"type": "text", "text": 5}]}]
    lines = [
        b"\xef\xbb\xbf" + json.dumps(GOOD).encode(),
        b"",
        b"   ",
        b"{broken",
        b'"text"',
        b"{}",
        b'{"query": ""}',
        b'{"query": ["a"]}',
        b'{"query": "x", "grader": "no-such", "reference": "1"}',
        b'{"query": "x", "grader": "number"}',
        b'{"query": "x", "grader": "regex", "reference": "("}',
        b"\xff\xfe",
        b'{"body": {}}',
        b'{"body": {"messages": [{"role": "system", "content": "x"}]}}',
        json.dumps({"body": {"messages": parts}}).encode(),
        b"[" * 100_000,
        json.dumps({"query": "What is 4 + 5?", "reference": "9"}).encode(),
    ]
    file.write_bytes(b"\n".join(lines))
    said = ok(folder, "batch", str(file), "--json")
    errors = read_lines(tmp_path / "q.jsonl.answers.jsonl.errors.jsonl")
    assert [error["line"] for error in errors] == list(range(4, 17))
    assert all(error["error"] for error in errors)
    assert {key: said.json[key] for key in ("rows", "answered", "bad_lines")} == {
        "rows": 15,
        "answered": 2,
        "bad_lines": 13,
    }


def test_a_file_that_is_not_there_leaves_nothing_behind(folder: Path, tmp_path: Path) -> None:
    assert "no.jsonl" in refused(run(folder, "batch", str(tmp_path / "no.jsonl")), 2)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    assert "no.jsonl" in refused(run(folder, "batch", "--dry-run", str(tmp_path / "no.jsonl")), 2)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("q.jsonl.gz", b"not gzip"),
        ("q.jsonl.gz", gzip.compress(b'{"query": "hi"}\n' * 1000)[:40]),
        ("q.parquet", b"PAR1 and not more"),
    ],
    ids=["no gzip", "half of a gzip", "no parquet"],
)
def test_a_file_that_is_not_what_its_name_says(
    folder: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    assert name in refused(run(folder, "batch", str(tmp_path / name)), 2)
    assert (tmp_path / name).read_bytes() == content


def test_an_empty_file_is_an_empty_batch(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").touch()
    assert ok(folder, "batch", str(tmp_path / "q.jsonl"), "--json").json["rows"] == 0


def test_a_folder_in_place_of_a_file(folder: Path, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "q.jsonl", [GOOD])
    refused(run(folder, "batch", str(tmp_path), "-o", str(tmp_path / "o")), 2)
    refused(run(folder, "batch", str(file), "-o", str(folder)), 2)
    refused(run(folder, "batch", str(file), "--restart", "-o", str(folder)), 2)


@pytest.mark.parametrize("flags", [(), ("--restart",)])
def test_an_output_that_cannot_be_written(folder: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    file = write_lines(tmp_path / "q.jsonl", [GOOD])
    (tmp_path / "file").touch()
    for output in (tmp_path / "file" / "out.jsonl", tmp_path / "nowhere" / "out.jsonl"):
        assert str(output) in refused(run(folder, "batch", str(file), "-o", str(output), *flags), 2)


@pytest.mark.parametrize("flags", [(), ("--restart",), ("--dry-run",)])
def test_the_input_is_never_the_output(folder: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    file = write_lines(tmp_path / "q.jsonl", [GOOD])
    before = file.read_bytes()
    link = tmp_path / "link.jsonl"
    link.symlink_to(file)
    for output in (file, link, tmp_path / "home" / ".." / "q.jsonl"):
        said = run(folder, "batch", str(file), "-o", str(output), *flags)
        assert file.read_bytes() == before
        if "--dry-run" not in flags:
            refused(said, 2)


def test_a_file_that_batch_did_not_write_is_not_thrown_away(folder: Path, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "q.jsonl", [GOOD])
    notes = tmp_path / "notes.txt"
    notes.write_text("a year of work\n", encoding="utf-8")
    run(folder, "batch", str(file), "-o", str(notes))
    assert "a year of work" in notes.read_text(encoding="utf-8")


def test_a_pipe_as_output_is_written_to_and_not_replaced(folder: Path, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "q.jsonl", [GOOD])
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_text(encoding="utf-8")), daemon=True)
    reader.start()
    said = spawn(folder, "batch", str(file), "-o", str(pipe))
    assert said.code == 0, said.err
    assert pipe.is_fifo()
    reader.join(PATIENCE_S)
    assert json.loads(found[0])["answer"]


def test_one_model_only_is_a_sensible_loop(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    config = '[[models]]\nid = "practice/small"\nprovider = "practice"\ndelay = 0\n'
    (home / "config.toml").write_text(config, encoding="utf-8")
    ok(home, "practice", "generate", "--rows", "120", "-o", str(tmp_path / "q.jsonl"))
    assert ok(home, "batch", str(tmp_path / "q.jsonl"), "--json").json["answered"] == 120
    result = ok(home, "retrain", "--json").json
    assert result["verdict"] != "PROMOTE"
    assert not result["promoted"]
    assert ok(home, "ask", "--json", "What is 2 + 3?").json["propensity"] == 1.0


def test_what_has_no_utf_8_form_is_decided_as_it_is_kept(folder: Path, tmp_path: Path) -> None:
    made = tmp_path / "queries.jsonl"
    ok(folder, "practice", "generate", "--rows", "600", "--seed", "3", "-o", str(made))
    ok(folder, "batch", str(made), "-o", str(tmp_path / "out.jsonl"), "--concurrency", "8")
    learned = ok(folder, "retrain", "--promote", "force", "--json").json
    assert len(learned["model_share"]["after"]) > 1, "else no prediction hangs on the text"
    for text in (f"What is 2 + {NO_UTF_8}?", f"{NO_UTF_8}, {NO_UTF_8}: which is longest?"):
        ok(folder, "ask", text)
        ok(folder, "ask", "--task", NO_UTF_8, "-s", NO_UTF_8, text)
    found = rows(folder, "SELECT DISTINCT query FROM outcomes WHERE policy_version <> 'v0000' ORDER BY 1")
    assert found == [("What is 2 + a???b?",), ("a???b, a???b: which is longest?",)]
    assert f"{learned['artifact']} is whole and repeats 4 logged" in ok(folder, "policies", "verify").out


def test_a_conversation_whose_name_has_no_utf_8_form_goes_on(folder: Path) -> None:
    for _ in range(2):
        ok(folder, "ask", "--cid", NO_UTF_8, "-m", "practice/large", "What is 2 + 3?")
    assert rows(folder, "SELECT conversation, count(*) FROM outcomes GROUP BY 1") == [("a???b", 2)]


@pytest.mark.parametrize("extra", [(), ("--dry-run",)])
def test_a_batch_in_which_nothing_is_usable_is_an_error(
    folder: Path, tmp_path: Path, extra: tuple[str, ...]
) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text('{"question": "a"}\n{"question": "b"}\n', encoding="utf-8")
    said = refused(run(folder, "batch", str(file), *extra), 2)
    assert "no line of " in said
    assert 'line 1 has no "query"' in said


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [("q.csv", "query,reference\na,b\n", "is CSV"), ("q.json", '[{"query": "a"}]\n', "is one JSON array")],
)
def test_a_batch_of_another_kind_is_named(
    folder: Path, tmp_path: Path, name: str, content: str, kind: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert kind in refused(run(folder, "batch", str(tmp_path / name)), 2)


def test_a_byte_order_mark_is_no_part_of_any_text(folder: Path, tmp_path: Path) -> None:
    mark = b"\xef\xbb\xbf"
    config = tmp_path / "config.toml"
    config.write_bytes(mark + b'[[models]]\nid = "practice/small"\nprovider = "practice"\ndelay = 0\n')
    (tmp_path / "reference").write_bytes(mark + b"yes")
    asked = ("ask", "--config", str(config), "--json", "--check", f"exact=@{tmp_path / 'reference'}")
    done = ok(folder, *asked, stdin=mark + b"What is 2 + 3?").json
    assert ok(folder, "log", "show", done["id"], "--json").json["query"] == "What is 2 + 3?"
    config.write_text("[[models]]\n", encoding="utf-16")
    assert "UTF-16 text: save it as UTF-8" in refused(run(folder, *asked), 2)
