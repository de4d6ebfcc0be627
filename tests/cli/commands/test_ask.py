"""`ask` and `rate` on models that answer in this process: what is kept, what is shown, how it is rated."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.cli.command import command, environment, ok, on_terminal, refused, rows, run, spawn
from tests.cli.conftest import says
from tests.support.waiting import PATIENCE_S


def test_no_log_keeps_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert "5" in ok(home, "ask", "-n", "--no-stream", "-m", "practice/large", "What is 2 + 3?").out
    assert not home.exists()


def test_dry_run_asks_nobody_and_keeps_nothing(folder: Path) -> None:
    said = ok(folder, "ask", "--dry-run", "--json", "What is 2 + 3?")
    assert [path.name for path in folder.iterdir()] == ["config.toml"]
    assert "answer" not in said.json
    shown = ok(folder, "ask", "--dry-run", "What is 2 + 3?").out
    assert all(f"practice/{size}" in shown for size in ("small", "medium", "large"))


def test_a_seed_repeats_the_decision(folder: Path) -> None:
    drawn = {seed: ok(folder, "ask", "--dry-run", "--json", "--seed", seed, "hi").json for seed in "12345678"}
    again = {seed: ok(folder, "ask", "--dry-run", "--json", "--seed", seed, "hi").json for seed in "12345678"}
    assert {s: one["model"] for s, one in drawn.items()} == {s: one["model"] for s, one in again.items()}
    assert len({one["model"] for one in drawn.values()}) > 1


def test_a_pinned_model_is_a_forced_row_without_propensity(folder: Path) -> None:
    said = ok(folder, "ask", "--json", "-m", "practice/small", "What is 2 + 3?").json
    assert (said["model"], said["forced"], said["propensity"], said["explored"]) == (
        "practice/small",
        True,
        None,
        False,
    )
    stored = rows(folder, "SELECT model, forced, propensity, explored FROM outcomes")
    assert stored == [("practice/small", True, None, False)]


@pytest.mark.parametrize(
    ("options", "reference", "accuracy"),
    [
        ((), "5", 1.0),
        (("--grader", "number"), "5", 1.0),
        (("--grader", "number"), "6", 0.0),
        (("--grader", "contains"), "answer", 1.0),
        (("--grader", "regex"), r"= \d", 1.0),
    ],
)
def test_a_reference_grades_the_answer(
    folder: Path, options: tuple[str, ...], reference: str, accuracy: float
) -> None:
    arguments = ("-m", "practice/large", "--reference", reference, *options)
    assert ok(folder, "ask", "--json", *arguments, "What is 2 + 3?").json["accuracy"] == accuracy
    stored = rows(folder, "SELECT accuracy, accuracy_source, reference, grader FROM rounds")
    assert stored == [(accuracy, "truth", reference, options[1] if options else None)]


def test_nobody_grades_an_answer_without_a_reference(folder: Path) -> None:
    assert ok(folder, "ask", "--json", "What is 2 + 3?").json["accuracy"] is None
    assert rows(folder, "SELECT accuracy, accuracy_source, satisfaction FROM rounds") == [(None, None, None)]
    assert "not graded" in ok(folder, "log", "show").out


def test_standard_input_comes_before_the_prompt(folder: Path) -> None:
    ok(folder, "ask", "second", stdin=b"first\n")
    ok(folder, "ask", stdin=b"alone\n")
    ok(folder, "ask", "two", "words")
    assert rows(folder, "SELECT query FROM outcomes ORDER BY id") == [
        ("first\n\nsecond",),
        ("alone",),
        ("two words",),
    ]


def test_what_was_said_about_the_query_is_kept(folder: Path) -> None:
    ok(folder, "ask", "-s", "be brief", "--task", "sums", "What is 2 + 3?")
    assert rows(folder, "SELECT system, task, run, attempt, status FROM outcomes") == [
        ("be brief", "sums", None, 1, "ok")
    ]


def chosen(folder: Path, *options: str) -> dict[str, float]:
    candidates = ok(folder, "ask", "--dry-run", "--json", *options, "What is 2 + 3?").json["candidates"]
    return {one["model"]: one["probability"] for one in candidates if one["eligible"]}


def test_prefer_changes_what_is_best(folder: Path) -> None:
    best = {
        prefer: max(odds, key=odds.__getitem__)
        for prefer in ("quality", "cheap")
        if (odds := chosen(folder, "--prefer", prefer))
    }
    assert best == {"quality": "practice/large", "cheap": "practice/small"}


def test_limits_leave_models_out_or_nobody(folder: Path) -> None:
    candidates = ok(folder, "ask", "--dry-run", "--json", "hi").json["candidates"]
    costs = {one["model"]: one["cost_usd"] for one in candidates}
    limit = (costs["practice/small"] + costs["practice/medium"]) / 2
    assert chosen(folder, "--max-cost-usd", str(limit)) == {"practice/small": 1.0}
    config = folder / "config.toml"
    text = config.read_text(encoding="utf-8").replace('tags = ["local"]', "", 1)
    config.write_text(text, encoding="utf-8")
    assert set(chosen(folder, "--local-only")) == {"practice/medium", "practice/large"}
    refused(run(folder, "ask", "--max-cost-usd", "0", "hi"), 3)


def test_rate_at_once_and_later_the_latest_of_each_author_wins(folder: Path) -> None:
    first = ok(folder, "ask", "--json", "--rate", "5", "What is 2 + 3?").json["id"]
    last = ok(folder, "ask", "--json", "What is 4 + 5?").json["id"]
    ok(folder, "rate", "2")
    ok(folder, "rate", "4", "--comment", "on second thoughts")
    ok(folder, "rate", first, "3", "--author", "ann")
    ok(folder, "rate", first, "1", "--author", "ann")
    ratings = rows(
        folder,
        "SELECT outcome_id, author, value, comment, source FROM latest_feedback ORDER BY outcome_id, author",
    )
    assert ratings == [
        (first, "ann", 1.0, None, "user"),
        (first, "user", 5.0, None, "user"),
        (last, "user", 4.0, "on second thoughts", "user"),
    ]
    assert len(rows(folder, "SELECT * FROM feedback")) == 5
    assert rows(folder, "SELECT satisfaction FROM rounds ORDER BY id") == [(0.5,), (0.75,)]


def test_thumbs_and_metrics_of_ones_own(folder: Path) -> None:
    ok(folder, "ask", "What is 2 + 3?")
    ok(folder, "rate", "up")
    assert rows(folder, "SELECT satisfaction, accuracy FROM rounds") == [(1.0, None)]
    ok(folder, "rate", "down")
    ok(folder, "rate", "0.25", "--metric", "accuracy")
    ok(folder, "rate", "17", "--metric", "length")
    assert rows(folder, "SELECT satisfaction, accuracy, accuracy_source FROM rounds") == [(0.0, 0.25, "user")]
    assert "id" in refused(run(folder, "rate", "no-such-id", "up"), 2)


def test_rating_what_is_not_kept_is_refused(folder: Path) -> None:
    refused(run(folder, "ask", "-n", "--rate", "5", "What is 2 + 3?"), 2)


def test_log_list_and_show(folder: Path) -> None:
    ids = [
        ok(folder, "ask", "--json", "--task", task, "What is 2 + 3?").json["id"] for task in ("a", "b", "a")
    ]
    listed = ok(folder, "log", "list", "--json").json
    assert [row["id"] for row in listed] == ids[::-1]
    assert [row["id"] for row in ok(folder, "log", "list", "--json", "--limit", "1").json] == ids[2:]
    assert [row["id"] for row in ok(folder, "log", "list", "--json", "--task", "b").json] == [ids[1]]
    assert ok(folder, "log", "list", "--json", "--status", "error").json == []
    shown = ok(folder, "log", "show", ids[0], "--json").json
    assert (shown["id"], shown["query"], len(shown["candidates"])) == (ids[0], "What is 2 + 3?", 3)
    assert sum(shown["pmf"]) == pytest.approx(1)
    assert ids[0] in ok(folder, "log", "show", ids[0]).out
    refused(run(folder, "log", "show", "no-such-id"), 2)


@pytest.fixture
def quick_home(tmp_path: Path) -> Path:
    """A home with one model that answers at once."""
    config = '[ratings]\nask_share = 0\n[[models]]\nid = "practice/small"\nprovider = "practice"\ndelay = 0\n'
    (tmp_path / "config.toml").write_text(config, encoding="utf-8")
    return tmp_path


def test_any_query_is_kept_as_it_was_asked(quick_home: Path) -> None:
    texts = [
        " --help\r\n\t[bold]\x1b[31m",
        "\"; DROP TABLE outcomes; -- '%s' {x} \\n",
        "\u202egnp.exe\u2028e\u0301 \x85\x01\x7f\ufeff",
        "😀👩\u200d👩\u200d👧 \U000e0001 \ufffe ",
    ]
    said = [ok(quick_home, "ask", "--json", "--", text).json for text in texts]
    listed = ok(quick_home, "log", "list", "--json").json
    assert [row["query"] for row in listed] == texts[::-1]
    stored = ok(quick_home, "log", "show", "--json").json
    assert (stored["query"], stored["response"], stored["id"]) == (
        texts[-1],
        said[-1]["answer"],
        said[-1]["id"],
    )


def test_white_space_is_no_query(quick_home: Path) -> None:
    assert run(quick_home, "ask", "--json", "--", " \t\u2003\n").code == 2


@pytest.fixture(scope="module")
def rated_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two hundred rows, as the terminal tests look at it."""
    home = tmp_path_factory.mktemp("rated")
    config = '[[models]]\nid = "practice/small"\nprovider = "practice"\ndelay = 0\n'
    (home / "config.toml").write_text(config, encoding="utf-8")
    ok(home, "practice", "generate", "--rows", "200", "-o", str(home / "q.jsonl"))
    ok(home, "batch", str(home / "q.jsonl"), "--json")
    return home


@pytest.mark.parametrize("no_color", [False, True])
def test_colours_are_for_terminals_that_want_them(rated_home: Path, no_color: bool) -> None:
    env = environment(TERM="xterm-256color") | ({"NO_COLOR": "1"} if no_color else {})
    code, seen = on_terminal(command(rated_home, "ask", "--explain", "What is 2 + 3?"), env)
    assert code == 0
    assert re.search(r"\x1b\[[0-9;]*3[0-7]", seen) is None or not no_color
    assert "practice/small" in seen
    piped = spawn(rated_home, "kpi", env=env)
    assert "\x1b" not in piped.out + piped.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask", "-m", "practice/small", "hello"),
        ("log", "list", "--limit", "200"),
        ("log", "list", "--limit", "200", "--json"),
        ("kpi", "--by", "task"),
        ("practice", "generate", "--rows", "2000"),
    ],
    ids=" ".join,
)
def test_a_reader_that_leaves_early_is_no_error(rated_home: Path, arguments: tuple[str, ...]) -> None:
    process = subprocess.Popen(
        command(rated_home, *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=PATIENCE_S)
    said = err.decode()
    assert process.returncode == 0, said
    assert [line for line in said.splitlines() if not line.startswith("note: practice")] == []


def test_the_row_is_kept_although_the_reader_left(folder: Path) -> None:
    process = subprocess.Popen(
        command(folder, "ask", "hello"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(PATIENCE_S) == 0
    assert rows(folder, "SELECT query FROM outcomes") == [("hello",)]


def test_usage_is_one_line_beside_the_answer(http_folder, server):
    server.reply(says("yes"))
    said = ok(http_folder, "ask", "-u", "-m", "two/m2", "hello")
    assert said.out == "yes\n"
    (line,) = [line for line in said.err.splitlines() if line.startswith("two/m2, ")]
    assert line.startswith("two/m2, 10 tokens in, 5 out, ")
    assert line.endswith(", $0.002")
