"""Outcomes by what people call them: an id, the beginning of one, or the word `last`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zetaroute.errors import UsageError
from zetaroute.log.views import GIVEN

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LAST = "last"
ASKED = f"status = 'ok' AND run IS NULL AND {GIVEN} AND NOT (recorded IS TRUE AND policy_version IS NULL)"
"""Which rows are answers of `ask`: no batch, no server, no audit and no import."""
_SHORTEST, _WHOLE = 4, 36
"""Characters of the beginning of an id, and of an id."""
_BEGUN = """
    SELECT given, min(id), max(id) FROM (SELECT unnest($given::VARCHAR[]) AS given)
    JOIN outcomes ON id >= given AND id < given || '~' GROUP BY given
"""


def outcomes_named(connection: DuckDBPyConnection, given: Sequence[str]) -> dict[str, list[str]]:
    """Return by each name the id that it means, or two of them where it is the beginning of several."""
    exact = connection.execute("SELECT id FROM outcomes WHERE id IN (SELECT unnest($1::VARCHAR[]))", [given])
    found = {one: [one] for (one,) in exact.fetchall()}
    begun = [one for one in set(given) - found.keys() if _SHORTEST <= len(one) < _WHOLE]
    if LAST in given:
        last = connection.execute(f"SELECT max(id) FROM outcomes WHERE {ASKED}").fetchone()
        if last is not None and last[0] is not None:
            found[LAST] = [last[0]]
    if begun:
        rows = connection.execute(_BEGUN, {"given": begun}).fetchall()
        found |= {name: sorted({first, second}) for name, first, second in rows}
    return found


def outcome_named(connection: DuckDBPyConnection, given: str, *, what: str = "outcome") -> str:
    """Return the id that a name means; raise UsageError, which calls it `what`, for none and for several."""
    return one_of(outcomes_named(connection, [given]).get(given, []), given, what=what)


def one_of(meant: Sequence[str], given: str, *, what: str = "outcome") -> str:
    """Return the one id that a name means; raise UsageError, which calls it `what`, for none and for several."""
    if not meant:
        none = f"there is no {what} of `ask` yet" if given == LAST else f"no {what} has the id {given!r}"
        raise UsageError(f"{none}: `zetaroute log list` shows what there is.")
    if len(meant) > 1:
        raise UsageError(
            f"several ids begin with {given!r}, such as {meant[0]} and {meant[1]}: give more of it."
        )
    return meant[0]
