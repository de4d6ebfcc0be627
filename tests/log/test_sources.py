"""Many logs read as one: every row once, whatever mix of files and exports it comes from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from tests.log.test_log import CANDIDATE, feedback, outcome
from tests.support.waiting import PATIENCE_S
from zetaroute.config import Home
from zetaroute.errors import StoreBusyError, StoreError, UsageError
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.log.sources import open_sources
from zetaroute.transfer.export import export


def a_log(folder: Path, rows: int) -> Log:
    """A log of one host with half of its rows graded, over two days."""
    log = Log(Home(folder))
    for number in range(rows):
        day = f"2026-01-0{1 + number % 2}"
        row = outcome(time=f"{day}T03:04:05", query=f"{folder.name} {number}", candidates=(CANDIDATE,))
        row = replace(row, embedding=(0.5, number / 8), propensity=1.0)
        labels = (feedback(row.id, 1.0, time=f"{day}T05:00:00"),) if number % 2 else ()
        log.append([Entry(outcomes=(row,), feedback=labels)])
    assert log.merge()
    return log


def seen(*patterns: Path | str) -> tuple[int, int, int, float]:
    with open_sources([str(pattern) for pattern in patterns]) as connection:
        found = connection.execute(
            "SELECT count(*), count(DISTINCT id), count(accuracy), sum(embedding[2] + pmf[1]) FROM rounds"
        ).fetchone()
    assert found is not None
    return found


@pytest.fixture
def two(tmp_path: Path) -> tuple[Log, Log]:
    return a_log(tmp_path / "one", 6), a_log(tmp_path / "two", 4)


def test_files_and_exports_in_any_mix_hold_the_same_rows(two, tmp_path):
    one, other = two
    both = (10, 10, 5, pytest.approx(sum(n / 8 + 1 for n in [*range(6), *range(4)])))
    assert seen(one.home.database, other.home.database) == both
    assert seen(tmp_path / "*" / "zetaroute.duckdb") == both
    for log, host in ((one, "h1"), (other, "h2")):
        done = export(log, str(tmp_path / "out"), host=host)
    assert (done.files, done.rows) == (3, 6), "two days of outcomes, one of feedback"
    assert seen(tmp_path / "out") == both
    assert seen(tmp_path / "out" / "**" / "*.parquet") == both
    assert seen(tmp_path / "out" / "*", other.home.database, one.home.database) == both
    assert seen(tmp_path / "out" / "outcomes" / "day=2026-01-01")[:3] == (5, 5, 0)
    one_only = seen(tmp_path / "out" / "*" / "*" / "host=h1" / "*.parquet")
    assert one_only[:3] == (6, 6, 3)


def test_exporting_again_doubles_nothing_and_takes_what_came_late(two, tmp_path):
    log, _ = two
    export(log, str(tmp_path / "out"), host="h1")
    late = outcome(time="2026-01-02T23:59:59", query="late")
    log.append([Entry(outcomes=(late,), feedback=(feedback(late.id, 0.0),))])
    export(log, str(tmp_path / "out"), host="h1", since="2026-01-02")
    assert seen(tmp_path / "out")[:3] == (7, 7, 4)


def test_host_name_that_would_leave_the_folder_is_refused(two, tmp_path):
    with pytest.raises(UsageError, match="host name"):
        export(two[0], str(tmp_path / "out"), host="../x")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_read_is_named(two, tmp_path):
    (tmp_path / "empty").mkdir()
    strange = tmp_path / "strange.duckdb"
    with duckdb.connect(str(strange)) as connection:
        connection.execute("CREATE TABLE other (x INTEGER)")
    (tmp_path / "text.parquet").write_text("no")
    for pattern, error, words in (
        (tmp_path / "nowhere*", UsageError, "no such file"),
        (tmp_path / "empty", UsageError, "no Parquet file"),
        (strange, StoreError, "is not a log of zetaroute"),
        (tmp_path / "text.parquet", StoreError, "cannot be read"),
    ):
        with pytest.raises(error, match=words):
            seen(pattern)


def test_file_that_a_process_writes_is_busy(two, tmp_path):
    import subprocess
    import sys

    path = str(two[0].home.database)
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(StoreBusyError), open_sources([path], patience_s=0.3):
            pass
    finally:
        holder.communicate(b"\n", timeout=PATIENCE_S)


def test_files_of_an_older_version_lack_columns_and_are_read_all_the_same(two, tmp_path):
    path = tmp_path / "old.parquet"
    with open_sources([str(two[0].home.database)]) as connection:
        connection.execute(f"COPY (SELECT * EXCLUDE (embedding, contest, pmf) FROM outcomes) TO '{path}'")
    assert seen(path)[:3] == (6, 6, 0)


def test_object_store_is_read_through_fsspec(two, tmp_path):
    import fsspec

    export(two[0], str(tmp_path / "out"), host="h1")
    store = fsspec.filesystem("memory")
    store.put(str(tmp_path / "out"), "/zetaroute-test/out", recursive=True)
    try:
        assert seen("memory://zetaroute-test/out")[:3] == (6, 6, 3)
    finally:
        store.rm("/zetaroute-test", recursive=True)
    with pytest.raises(UsageError, match="another package"):
        seen("nosuchstore://x/y")
