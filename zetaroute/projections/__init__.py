"""The log of a home with what is derived from it at every merge."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from zetaroute.config import DEFAULT_PRIVACY, Home, Privacy
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def log_of(
    home: Home, privacy: Privacy = DEFAULT_PRIVACY, *, on_derived: Callable[[Entry], None] | None = None
) -> Log:
    """Return the log of a home, whose contest is judged whenever rows come in.

    `privacy` is that of the config wherever rows are appended; `on_derived` is told what a merge has concluded.
    """
    return Log(home, privacy, projections=(_judge_contest,), on_derived=on_derived)


def _judge_contest(connection: DuckDBPyConnection, home: Home) -> Entry | None:
    from zetaroute.projections.contest_standing import judge_contest

    return judge_contest(connection, home)
