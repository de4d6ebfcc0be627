"""A file of an earlier version becomes one of now, with its rows."""

from __future__ import annotations

import duckdb
import pytest

from zetaroute.config import Home
from zetaroute.log.log import Log
from zetaroute.log.schema import STEPS, migrate

NEW = {"outcomes": ("ask_probability", "asked"), "feedback": ("label", "prompted", "cost_usd", "response_s")}
VIEWS = ("served", "rounds", "judgements", "latest_feedback")


def earlier(last: str) -> duckdb.DuckDBPyConnection:
    """Return a log as it was after the step `last`, with one rated row."""
    connection = duckdb.connect()
    migrate(connection)
    connection.execute("INSERT INTO outcomes (id, time, model, status) VALUES ('a', '2026-01-01', 'm', 'ok')")
    connection.execute(
        "INSERT INTO feedback (id, outcome_id, metric, value, source, author, time) "
        "VALUES ('f', 'a', 'rating', 4, 'user', 'user', '2026-01-02')"
    )
    for view in VIEWS:
        connection.execute(f"DROP VIEW {view}")
    for table, columns in NEW.items():
        for column in columns:
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    if last < "0003":
        connection.execute("DROP TABLE canaries")
        connection.execute("ALTER TABLE outcomes DROP COLUMN duel")
    for view, table in zip(VIEWS, ("outcomes", "outcomes", "feedback", "feedback"), strict=True):
        connection.execute(f"CREATE VIEW {view} AS SELECT * FROM {table}")
    connection.execute("DELETE FROM migrations WHERE name > ?", [last])
    return connection


@pytest.mark.parametrize("last", ["0002_views", "0003_canaries"])
def test_earlier_file_gets_the_columns_of_now_and_keeps_its_rows(last):
    connection = earlier(last)
    migrate(connection)
    assert connection.execute("SELECT name FROM migrations ORDER BY name").fetchall() == [
        (name,) for name in STEPS
    ]
    assert connection.execute(
        "SELECT rating, satisfaction, satisfaction_source, asked, prompted FROM served"
    ).fetchall() == [(4.0, 0.75, "user", None, False)]
    connection.execute("INSERT INTO feedback (id, label, prompted) VALUES ('g', 'failed', true)")
    migrate(connection)
    assert connection.execute("SELECT count(*) FROM feedback").fetchall() == [(2,)]


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
