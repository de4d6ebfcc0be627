"""Files of earlier versions: they get the columns that they lack, and keep every row."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from zetaroute.config import Home
from zetaroute.store.log import Log
from zetaroute.store.migrations import FEEDBACK_COLUMNS, OUTCOME_COLUMNS, STEPS

NEW_COLUMNS = {"feedback": ("cost_usd", "response_s"), "outcomes": ("duel",)}
VIEWS = ("served", "rounds", "judgements", "latest_feedback")


def old_file(path: Path, steps: list[str]) -> None:
    """Write a file as a version with these steps left it: without the columns that came later."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE migrations (name VARCHAR, time TIMESTAMP)")
        for name in steps:
            STEPS[name](connection)
            connection.execute("INSERT INTO migrations VALUES (?, now()::TIMESTAMP)", [name])
        for view in VIEWS:
            connection.execute(f"DROP VIEW {view}")
        for table, columns in NEW_COLUMNS.items():
            for column in columns:
                connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        for view in reversed(VIEWS):
            connection.execute(f"CREATE VIEW {view} AS SELECT 1 AS stale")
        connection.execute(
            "INSERT INTO outcomes (id, time, model, status) VALUES ('o', '2026-01-01', 'a/b', 'ok')"
        )
        connection.execute(
            "INSERT INTO feedback VALUES ('f', 'o', 'accuracy', 1, 'judge', 'x', '2026-01-01', NULL)"
        )


@pytest.mark.parametrize(
    "steps", [["0001_tables", "0002_views"], ["0001_tables", "0002_views", "0003_canaries"]]
)
def test_an_old_file_is_brought_up(home: Home, steps: list[str]) -> None:
    home.make()
    old_file(home.database, steps)
    with Log(home).open() as connection:
        tables = {
            table: {name for (name, *_) in connection.execute(f"DESCRIBE {table}").fetchall()}
            for table in ("outcomes", "feedback")
        }
        rows = connection.execute(
            "SELECT id, accuracy, accuracy_source, judge_cost_usd FROM served"
        ).fetchall()
        applied = connection.execute("SELECT name FROM migrations ORDER BY name").fetchall()
    assert tables["outcomes"] == {*OUTCOME_COLUMNS, "pmf"}
    assert tables["feedback"] == set(FEEDBACK_COLUMNS)
    assert rows == [("o", 1.0, "judge", 0.0)]
    assert [name for (name,) in applied] == sorted(STEPS)


def test_a_journal_line_of_an_earlier_version_is_read(home: Home) -> None:
    home.make()
    home.journal.mkdir(exist_ok=True)
    line = (
        '{"feedback": [{"id": "f", "outcome_id": "o", "metric": "accuracy", "value": 1.0, "source": "truth", '
        '"author": "x", "time": "2026-01-01T00:00:00", "comment": null}]}\n'
    )
    (home.journal / "0001.jsonl").write_text(line)
    with Log(home).open() as connection:
        found = connection.execute("SELECT id, cost_usd, response_s FROM feedback").fetchall()
    assert found == [("f", None, None)]
