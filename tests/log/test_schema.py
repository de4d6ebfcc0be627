"""The schema of the file: made anew, opened again, refused."""

from __future__ import annotations

import duckdb
import pytest

from zetaroute.config import Home
from zetaroute.errors import StoreError
from zetaroute.log.log import Log
from zetaroute.log.schema import OLDEST, STEPS, migrate


def named(connection: duckdb.DuckDBPyConnection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM migrations ORDER BY name").fetchall()]


def test_a_new_file_has_every_step_and_opens_again() -> None:
    connection = duckdb.connect()
    migrate(connection)
    migrate(connection)
    assert named(connection) == [*OLDEST, *STEPS]
    assert connection.execute("SELECT count(*) FROM served").fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (["0001_tables", "0002_views", "0003_canaries"], "before 0.1.0"),
        ([*OLDEST, *STEPS, "9999_not_known"], "newer zetaroute"),
    ],
)
def test_a_file_of_another_time_is_refused_and_left_alone(steps: list[str], words: str) -> None:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE migrations (name VARCHAR, time TIMESTAMP)")
    connection.executemany("INSERT INTO migrations VALUES (?, NULL)", [[step] for step in steps])
    with pytest.raises(StoreError, match=words):
        migrate(connection)
    assert named(connection) == sorted(steps)


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
