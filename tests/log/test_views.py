"""What the rows of the log say together, and that a few rows asked alone say the same."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from zetaroute.log.schema import migrate
from zetaroute.log.views import GRADED, graded_from, graded_of, judgements_of, latest_of

OUTCOMES = 120
SOME = "SELECT id FROM outcomes WHERE id LIKE '%7' OR fallback_of LIKE '%3'"
SAID = (
    ("accuracy", "truth"),
    ("accuracy", "judge"),
    ("accuracy", "user"),
    ("rating", "user"),
    ("thumbs", "implicit"),
)


@pytest.fixture(scope="module", params=range(3))
def written(request: pytest.FixtureRequest) -> Iterator[duckdb.DuckDBPyConnection]:
    """A log of chance, where many say the same thing twice, some at the same moment."""
    rng = random.Random(request.param)
    with duckdb.connect() as connection:
        migrate(connection)
        for number in range(OUTCOMES):
            failed = rng.random() < 0.2
            later = f"o{number - 1:03}" if number % 5 == 4 else None
            kind = rng.choice(["timeout", "unauthorised"]) if failed else None
            connection.execute(
                "INSERT INTO outcomes (id, time, model, status, error_kind, reference, fallback_of, attempt) "
                "VALUES (?, '2026-01-01', 'm', ?, ?, 'x', ?, 1)",
                [f"o{number:03}", "error" if failed else "ok", kind, later],
            )
        for _ in range(4 * OUTCOMES):
            metric, source = rng.choice(SAID)
            connection.execute(
                "INSERT INTO feedback (id, outcome_id, metric, value, source, author, time, cost_usd, response_s) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, 0.001, 1)",
                [
                    f"f{rng.random()}",
                    f"o{rng.randrange(OUTCOMES):03}",
                    metric,
                    rng.random(),
                    source,
                    rng.choice(["ann", "bob"]),
                    f"2026-01-0{rng.randint(2, 4)}",
                ],
            )
        yield connection


@pytest.fixture
def log(written: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same, and what a test changes in it is undone."""
    written.execute("BEGIN")
    yield written
    written.execute("ROLLBACK")


def same(log: duckdb.DuckDBPyConnection, one: str, other: str) -> bool:
    """Return whether two SELECTs find the same rows, of which there are some."""
    found, wanted = (
        log.execute(f"SELECT * FROM ({select}) ORDER BY ALL").fetchall() for select in (one, other)
    )
    assert found
    return str(found) == str(wanted)


def test_the_last_word_of_each_author_counts(log: duckdb.DuckDBPyConnection) -> None:
    sorted_out = """
        SELECT * FROM feedback
        QUALIFY row_number() OVER (PARTITION BY outcome_id, metric, author ORDER BY time DESC, id DESC) = 1
    """
    assert same(log, "FROM latest_feedback", sorted_out)
    told_twice = "SELECT 1 FROM feedback GROUP BY outcome_id, metric, author HAVING count(*) > 1"
    assert log.execute(told_twice).fetchall()


def test_some_rows_asked_alone_say_what_the_views_say(log: duckdb.DuckDBPyConnection) -> None:
    assert same(log, graded_of(SOME), f"SELECT * FROM graded WHERE id IN ({SOME})")
    assert same(log, judgements_of(SOME), f"SELECT * FROM judgements WHERE outcome_id IN ({SOME})")
    marks = "SELECT * FROM feedback WHERE metric = 'accuracy'"
    assert same(log, latest_of(marks), "SELECT * FROM latest_feedback WHERE metric = 'accuracy'")


def test_graded_rows_are_those_with_an_accuracy(log: duckdb.DuckDBPyConnection) -> None:
    assert same(
        log, f"SELECT id FROM outcomes WHERE {GRADED}", "SELECT id FROM rounds WHERE accuracy IS NOT NULL"
    )


def test_an_answer_is_judged_by_its_last_attempt(log: duckdb.DuckDBPyConnection) -> None:
    replaced = """
        SELECT first.id, last.accuracy FROM outcomes AS first JOIN rounds AS last ON last.fallback_of = first.id
        WHERE first.fallback_of IS NULL AND first.status = 'error'
    """
    ids = f"SELECT id FROM ({replaced})"
    assert same(log, f"SELECT id, accuracy FROM served WHERE id IN ({ids})", replaced)


def test_graded_from_an_id_on_are_those_of_the_view(log: duckdb.DuckDBPyConnection) -> None:
    first = f"o{OUTCOMES - 30:03}"
    ours = log.execute(f"SELECT * FROM ({graded_from('$first')}) ORDER BY id", {"first": first}).fetchall()
    assert ours == log.execute("SELECT * FROM graded WHERE id >= ? ORDER BY id", [first]).fetchall()
    assert len(ours) == 30


def test_graded_from_an_id_on_judge_no_older_row(log: duckdb.DuckDBPyConnection) -> None:
    """Whatever is not scanned away is grouped, sorted or joined: that must not grow with the log."""
    log.execute("INSERT INTO outcomes BY NAME SELECT * REPLACE ('a' || id AS id) FROM outcomes")
    log.execute(
        "INSERT INTO feedback BY NAME SELECT * REPLACE ('a' || outcome_id AS outcome_id) FROM feedback"
    )
    (told,) = log.execute("SELECT count(*) FROM feedback WHERE outcome_id >= 'o'").fetchone() or (0,)

    def worked_on(select: str) -> int:
        ((_, plan),) = log.execute(
            f"EXPLAIN (ANALYZE, FORMAT json) SELECT id, accuracy FROM ({select})"
        ).fetchall()
        return max(_rows(json.loads(plan)))

    assert 0 < worked_on(graded_from("'o'")) <= told
    assert worked_on("SELECT * FROM graded WHERE id >= 'o'") > told, "the view itself judges all rows"


def _rows(plan: dict[str, Any]) -> Iterator[int]:
    """Yield how many rows each step of a plan has handed on."""
    if "operator_cardinality" in plan:
        yield plan["operator_cardinality"]
    for step in plan.get("children", ()):
        yield from _rows(step)
