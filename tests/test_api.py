"""`zetaroute.open`: what Python and notebooks do with a home."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import zetaroute
from tests.cli.command import ok, read_lines, write_lines
from zetaroute.api import Session
from zetaroute.errors import ConfigError, UsageError


@pytest.fixture
def opened(tmp_path: Path, instant_config: str) -> Session:
    """A home with practice models that do not wait."""
    path = tmp_path / "home"
    path.mkdir()
    (path / "config.toml").write_text(instant_config, encoding="utf-8")
    return zetaroute.open(path)


def test_an_answer_is_kept_and_rated(opened: Session) -> None:
    answer = opened.ask(
        "What is 17 * 23?", model="practice/large", reference="391", grader="number", task="sums"
    )
    assert "391" in str(answer)
    assert (answer.model, answer.accuracy, answer.propensity) == ("practice/large", 1.0, None)
    opened.feedback(answer.id, 4, comment="quick")
    opened.feedback(answer.id, True, author="second")
    opened.feedback(answer.id, 0.25, metric="tone")
    (row,) = opened.frame().to_dicts()
    assert (row["id"], row["task"], row["forced"]) == (answer.id, "sums", True)
    assert (row["accuracy"], row["rating"], row["thumbs"]) == (1.0, 4.0, 1.0)


def test_a_routed_answer_says_how_it_was_drawn(opened: Session) -> None:
    again = opened.ask("What is 2 + 3?", seed=7, keep=False)
    answer = opened.ask("What is 2 + 3?", seed=7)
    assert answer.propensity is not None
    assert 0 < answer.propensity <= 1
    assert {one.model for one in answer.candidates} == {"practice/small", "practice/medium", "practice/large"}
    assert (again.model, again.propensity) == (answer.model, answer.propensity)
    assert opened.frame()["id"].to_list() == [answer.id]


def test_an_answer_has_its_decision_and_its_json(opened: Session) -> None:
    answer = opened.ask("What is 2 + 3?", model="practice/large", options={"temperature": 0}, keep=False)
    assert isinstance(answer, zetaroute.Answer)
    assert isinstance(answer.decision, zetaroute.Decision)
    assert answer.decision.forced
    assert answer.json()["id"] == answer.id


def test_what_goes_with_a_query_is_read_as_the_command_reads_it(opened: Session, tmp_path: Path) -> None:
    schema, note = tmp_path / "s.json", tmp_path / "note.txt"
    schema.write_text('{"type": "object"}', encoding="utf-8")
    note.write_text("a note", encoding="utf-8")
    answer = opened.ask(
        "hello",
        model="practice/large",
        schema=schema,
        grader="json",
        attach=[note],
        check="json",
        tags=["private"],
    )
    assert answer.query.reference == '{"type": "object"}'
    assert answer.query.options["response_format"]["type"] == "json_schema"
    assert [file.note.name for file in answer.query.attachments] == ["note.txt"]
    assert (answer.query.tags, answer.check is None) == (("private",), False)
    with pytest.raises(UsageError, match="cannot read"):
        opened.ask("hello", attach=[tmp_path / "none.txt"])
    with pytest.raises(UsageError, match="model"):
        opened.ask("hello", options={"model": "other"})


def queries(path: Path, count: int) -> Path:
    lines = [
        {"query": f"What is {n} + 3?", "custom_id": f"c{n}", "reference": str(n + 3)} for n in range(count)
    ]
    return write_lines(path / "q.jsonl", lines)


def test_a_batch_yields_what_it_answers_and_goes_on_where_it_stopped(opened: Session, tmp_path: Path) -> None:
    source = queries(tmp_path, 5)
    first = list(opened.batch(source, model="practice/large", limit=3))
    assert {answer.outcome.custom_id for answer in first} == {"c0", "c1", "c2"}
    assert all(answer.accuracy == 1.0 for answer in first)
    assert len(list(opened.batch(source, model="practice/large"))) == 2
    assert list(opened.batch(source, model="practice/large")) == []
    assert len(read_lines(tmp_path / "q.jsonl.answers.jsonl")) == 5
    assert opened.frame().height == 5
    again = opened.batch(source, all_models=True, output=tmp_path / "all.jsonl")
    assert len(list(again)) == 15


def test_a_batch_that_is_left_ends_and_keeps_what_it_has(opened: Session, tmp_path: Path) -> None:
    reading = opened.batch(queries(tmp_path, 400), concurrency=1)
    next(reading)
    reading.close()
    kept = opened.frame().height
    assert 1 <= kept < 400
    assert len(read_lines(tmp_path / "q.jsonl.answers.jsonl")) == kept


def test_what_stops_a_batch_is_raised(opened: Session, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        list(opened.batch(tmp_path / "none.jsonl"))
    with pytest.raises(UsageError, match="exclude each other"):
        opened.batch(tmp_path / "none.jsonl", model="practice/large", all_models=True)


def test_answers_are_graded_later(opened: Session) -> None:
    opened.ask("What is 2 + 3?", model="practice/large", reference="5", grader="number", task="sums")
    done = opened.grade(grader="contains", task="sums")
    assert (done.rows, done.graded, done.no_grade) == (1, 1, 0)
    assert opened.grade(grader="contains").rows == 0
    assert opened.grade(grader="contains", again=True, limit=1).graded == 1
    assert opened.grade(since=datetime.now(UTC) + timedelta(minutes=5), again=True).rows == 0


def practised(opened: Session, tmp_path: Path, *, seed: int) -> None:
    """Ask 160 practice queries whose answers can be graded."""
    file = tmp_path / f"practice{seed}.jsonl"
    ok(opened.home.path, "practice", "generate", "--rows", "160", "--seed", str(seed), "-o", str(file))
    assert len(list(opened.batch(file))) == 160


def test_the_loop_from_a_retrain_to_before_and_after(opened: Session, tmp_path: Path) -> None:
    practised(opened, tmp_path, seed=1)
    result = opened.retrain(promote="never", seed=3)
    assert isinstance(result, zetaroute.RetrainResult)
    assert (result.promoted, result.record.parent, result.share) == (False, "v0000", 0.0)
    assert result.report.read_text(encoding="utf-8").startswith(f"# {result.verdict}")
    assert result.json()["reasons"] == list(result.reasons) != []
    assert result.record.rows["train"] == 160
    assert 0 < result.record.rows["scored"] < 160

    policies = opened.policies
    assert policies.report(result.version) == result.report.read_text(encoding="utf-8")
    assert policies.promote(result.version, reason="a try") == result.version
    practised(opened, tmp_path, seed=2)
    assert policies.verify() == {result.version: 160}
    assert [one.current for one in policies.list()] == ["", "serves now"]
    difference = policies.diff("v0")
    assert (difference.versions, difference.queries) == (("v0000", result.version), 320)

    compared = opened.compare(examples=True)
    assert isinstance(compared, zetaroute.Comparison)
    assert (compared.before.version, compared.before.rows) == ("v0000", 160)
    assert (compared.after.version, compared.after.rows) == (result.version, 160)
    assert compared.verdict == result.verdict
    assert compared.json()["drift"]["version"] == result.version

    assert policies.pin() == result.version
    assert policies.unpin() == result.version
    assert policies.rollback() == "v0000"


def test_an_answer_is_explained(opened: Session) -> None:
    assert opened.ask("What is 2 + 3?", seed=1).decision is not None
    explained = opened.explain()
    assert isinstance(explained, zetaroute.Explanation)
    assert explained.best in {"practice/small", "practice/medium", "practice/large"}
    assert explained.json()["best"] == explained.best
    with pytest.raises(UsageError, match="no outcome has the id"):
        opened.explain("nothing")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda z: z.retrain(promote="perhaps"), "auto, never, force"),
        (lambda z: z.kpi(by="mood"), "task, model, segment, day, version"),
    ],
)
def test_a_wrong_choice_names_the_others(
    opened: Session, call: Callable[[Session], object], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        call(opened)


def test_it_works_where_an_event_loop_runs(opened: Session) -> None:
    async def cell() -> str:
        return opened.ask("What is 2 + 3?", model="practice/large").text

    assert "5" in asyncio.run(cell())


def test_errors_come_through_a_running_loop(opened: Session) -> None:
    async def cell() -> None:
        opened.ask("  ")

    with pytest.raises(UsageError, match="the query is empty"):
        asyncio.run(cell())


def test_a_conversation_keeps_its_model(opened: Session) -> None:
    first = opened.ask("What is 2 + 3?", conversation="talk")
    second = opened.ask("What is 4 + 4?", conversation="talk")
    assert second.model == first.model
    assert opened.frame()["conversation"].to_list() == ["talk", "talk"]


def test_the_frame_is_polars_even_when_empty(opened: Session) -> None:
    empty = opened.frame()
    assert isinstance(empty, pl.DataFrame)
    assert empty.is_empty()
    assert {"query", "model", "propensity", "accuracy", "satisfaction"} <= set(empty.columns)


def test_since_leaves_older_rows_out(opened: Session) -> None:
    opened.ask("What is 2 + 3?")
    now = datetime.now(UTC)
    assert opened.frame(since=now - timedelta(minutes=5)).height == 1
    assert opened.frame(since=now + timedelta(minutes=5)).height == 0
    assert opened.kpi(since=now + timedelta(minutes=5)).rows == 0


def test_key_figures_by_model(opened: Session) -> None:
    opened.ask("What is 2 + 3?", model="practice/large", reference="5", grader="number")
    found = opened.kpi(by="model")
    assert found.rows == 1
    assert found.by["practice/large"].kpis["accuracy_rate"].value == 1.0


@pytest.mark.parametrize(
    ("wrong", "error"),
    [({"prefer": "best"}, "prefer is 'best'"), ({"model": "nobody"}, "no model is called 'nobody'")],
)
def test_wrong_arguments_name_the_choices(opened: Session, wrong: dict[str, str], error: str) -> None:
    with pytest.raises(UsageError, match=error):
        opened.ask("What is 2 + 3?", **wrong)  # type: ignore[arg-type]  # one of several options by name


def test_an_unknown_id_is_refused(opened: Session) -> None:
    with pytest.raises(UsageError, match="no answer has the id"):
        opened.feedback("nothing", 3)


def test_a_broken_config_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("surprise = 1", encoding="utf-8")
    with pytest.raises(ConfigError, match="names no model"):
        zetaroute.open(tmp_path)


def loaded(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has after some code, beyond those it starts with."""
    told = "print(json.dumps(sorted(set(sys.modules) - before)))"
    script = f"import sys, json; before = set(sys.modules)\n{code}\n{told}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=60)
    return set(json.loads(done.stdout))


def test_importing_loads_nothing_else() -> None:
    assert loaded("import zetaroute") <= {"zetaroute", "zetaroute.version", "__future__"}


def test_every_public_name_is_there_once_it_is_asked_for() -> None:
    assert set(dir(zetaroute)) == set(zetaroute.__all__)
    for name in zetaroute.__all__:
        assert getattr(zetaroute, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        zetaroute.nothing  # noqa: B018  - asking for it is what fails


def test_public_names_load_nothing_that_learns() -> None:
    found = loaded(f"from zetaroute import {', '.join(zetaroute.__all__)}")
    assert found & {"sklearn", "scipy", "polars", "duckdb", "httpx"} == set()


def test_opening_loads_nothing_heavy(opened: Session) -> None:
    found = loaded(f"import zetaroute; zetaroute.open({str(opened.home.path)!r})")
    heavy = {
        "numpy",
        "polars",
        "duckdb",
        "httpx",
        "aiohttp",
        "sklearn",
        "scipy",
        "matplotlib",
        "rich",
        "typer",
    }
    assert found & heavy == set()


def test_limits_of_a_turn_hold_for_the_model_that_goes_on(opened: Session) -> None:
    opened.ask("What is 2 + 3?", model="practice/large", conversation="sums")
    assert opened.ask("And plus 1?", conversation="sums").model == "practice/large"
    limited = opened.ask("And plus 1?", conversation="sums", max_cost_usd=1e-4)
    assert limited.model != "practice/large"
    assert limited.propensity is not None
