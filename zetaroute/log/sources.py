"""The logs of many hosts read as one: DuckDB files and exported Parquet in any mix, each row once."""

from __future__ import annotations

import glob
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zetaroute.errors import StoreBusyError, StoreError, UsageError
from zetaroute.log.log import PATIENCE_S, is_busy
from zetaroute.log.schema import FEEDBACK_COLUMNS, OUTCOME_COLUMNS, columns_of
from zetaroute.log.views import make_views

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TABLES = {
    "outcomes": columns_of(OUTCOME_COLUMNS) + ", pmf DOUBLE[]",
    "feedback": columns_of(FEEDBACK_COLUMNS),
}
WAIT_S = 0.05
"""Between two attempts to open a file that another process holds."""
_FIRST = {"outcomes": "forgotten IS NULL, time", "feedback": "time"}
"""Of several copies of a row the one that counts: what one log has forgotten, no export brings back."""
_MARK = "outcome_id"
"""The column by which a Parquet file of feedback is distinguished from one of outcomes."""


@contextmanager
def open_sources(patterns: Sequence[str], *, patience_s: float = PATIENCE_S) -> Iterator[DuckDBPyConnection]:
    """Yield a connection with the tables and views of the log over everything that the patterns name.

    A pattern is a DuckDB file, a folder that `log export` wrote, or a Parquet file; each may hold `*` and `**`, and
    may lie in an object store (`s3://...`, read through fsspec). What was exported twice, or is in a file and its
    export, counts once by its id. What waits in the journal of another home is not seen. Raises UsageError where a
    pattern names nothing, StoreError for what cannot be read, StoreBusyError while another process holds a file.
    """
    import duckdb

    files, exported = _found(patterns)
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        try:
            databases = [_attached(connection, number, file, patience_s) for number, file in enumerate(files)]
            _register(connection, exported)
            parquet = _by_table(connection, exported)
            for table, columns in TABLES.items():
                connection.execute(f"CREATE TABLE no_{table} ({columns})")
                parts = [f"SELECT * FROM no_{table}"]
                parts += [f"SELECT * FROM {name}.{table}" for name in databases]
                if parquet[table]:
                    listed = ", ".join("'" + name.replace("'", "''") + "'" for name in parquet[table])
                    options = "union_by_name = true, hive_partitioning = false"
                    parts.append(f"SELECT * FROM read_parquet([{listed}], {options})")
                connection.execute(
                    f"CREATE VIEW {table} AS SELECT * FROM ({' UNION ALL BY NAME '.join(parts)}) "
                    f"QUALIFY row_number() OVER (PARTITION BY id ORDER BY {_FIRST[table]}) = 1"
                )
            make_views(connection)
            yield connection
        except duckdb.Error as error:
            reason = str(error).partition("\n")[0]
            raise StoreError(f"what --from names cannot be read as one log ({reason}).") from error


def _found(patterns: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the DuckDB files and the Parquet files that the patterns name."""
    databases: dict[str, None] = {}
    parquet: dict[str, None] = {}
    for pattern in patterns:
        literal = "://" in pattern or Path(pattern).exists()
        names = [pattern] if literal else sorted(glob.glob(pattern, recursive=True))
        if not names:
            raise UsageError(f"--from {pattern}: there is no such file or folder.")
        for name in names:
            if "://" in name:
                parquet[name if name.endswith(".parquet") else f"{name.rstrip('/')}/**/*.parquet"] = None
            elif Path(name).is_dir():
                inside = sorted(map(str, Path(name).rglob("*.parquet")))
                if not inside:
                    raise UsageError(f"--from {name}: the folder holds no Parquet file.")
                parquet |= dict.fromkeys(inside)
            elif name.endswith(".parquet"):
                parquet[name] = None
            else:
                databases[name] = None
    return list(databases), list(parquet)


def _attached(connection: DuckDBPyConnection, number: int, file: str, patience_s: float) -> str:
    import duckdb

    name, quoted = f"source_{number}", file.replace("'", "''")
    deadline = time.monotonic() + patience_s
    while True:
        try:
            connection.execute(f"ATTACH IF NOT EXISTS '{quoted}' AS {name} (READ_ONLY)")
            connection.execute(f"SELECT id FROM {name}.outcomes LIMIT 0")
        except duckdb.Error as error:
            if not is_busy(error):
                reason = str(error).partition("\n")[0]
                raise StoreError(f"--from {file}: is not a log of zetaroute ({reason}).") from error
            if time.monotonic() > deadline:
                raise StoreBusyError(
                    f"{file} is in use by another process: try again in a moment."
                ) from error
            time.sleep(WAIT_S)
        else:
            return name


def _register(connection: DuckDBPyConnection, names: Sequence[str]) -> None:
    """Let DuckDB read object stores through fsspec, which needs no extension to be downloaded."""
    protocols = {name.partition("://")[0] for name in names if "://" in name}
    if not protocols:
        return
    try:
        import fsspec

        for protocol in sorted(protocols):
            connection.register_filesystem(fsspec.filesystem(protocol))
    except (ImportError, ValueError) as error:
        raise UsageError(
            f"--from {sorted(protocols)[0]}://: needs another package ({error}): pip install 'zetaroute[s3]'."
        ) from error


def _by_table(connection: DuckDBPyConnection, names: Sequence[str]) -> dict[str, list[str]]:
    """Return the Parquet files of each table, told apart by their columns."""
    found: dict[str, list[str]] = {"outcomes": [], "feedback": []}
    if names:
        rows = connection.execute(
            "SELECT file_name, bool_or(name = ?) FROM parquet_schema(?) GROUP BY file_name ORDER BY file_name",
            [_MARK, list(names)],
        ).fetchall()
        for name, is_feedback in rows:
            found["feedback" if is_feedback else "outcomes"].append(name)
    return found
