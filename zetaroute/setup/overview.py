"""Where a home stands: models, log, policy and contest in a line each, and what to do next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from zetaroute.analysis.contest_result import contest_json
from zetaroute.analysis.log_drift import find_drift
from zetaroute.analysis.model_table import model_table
from zetaroute.config import Home, Settings
from zetaroute.lifecycle.staleness import Staleness, staleness
from zetaroute.lifecycle.versions import contest_words
from zetaroute.log.log import Log
from zetaroute.log.views import FIRST, GRADED
from zetaroute.registry import COLD, Registry
from zetaroute.router.router import open_router

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MOST_NAMED = 4
"""Models that are named; of more there is a count."""
_COUNTS = f"""
    SELECT count(*) FILTER ({FIRST}), count(*) FILTER ({GRADED}), max(time),
           (SELECT count(DISTINCT outcome_id) FROM feedback WHERE metric IN ('rating', 'thumbs', 'verdict'))
    FROM outcomes
"""
Line = tuple[str, str]
"""A label, and what there is to say."""


def overview(home: Home, settings: Settings, log: Log) -> list[Line]:
    """Return the lines in their order; the last ones name what to do next. Raises StoreBusyError for a busy log."""
    models = model_table(open_router(home, settings), log)
    config = settings.file or "none: practice models answer, small built-in programs, not language models"
    lines = [("home", str(home.path)), ("config", str(config)), ("models", _models(models))]
    if not home.database.exists() and not log.journal.segments():
        return [
            *lines,
            ("log", "empty"),
            *_next(settings, models, rows=0, graded=0, stale=None, contest=None),
        ]
    with log.open() as connection:
        rows, graded, last, rated = connection.execute(_COUNTS).fetchone() or (0, 0, None, 0)
        contest = contest_json(connection)
        stale = staleness(find_drift(connection, home, settings))
        lines += [
            ("log", f"{rows:,} queries, {graded:,} answers graded, {rated:,} rated{_since(last)}"),
            ("policy", _policy(connection, home)),
        ]
    if contest is not None:
        lines.append(("contest", f"{contest['challenger']}: {contest_words(contest)}"))
    return [*lines, *_next(settings, models, rows=rows, graded=graded, stale=stale, contest=contest)]


def _models(rows: Sequence[Mapping[str, Any]]) -> str:
    asked = sorted(rows, key=lambda row: -(row["share"] or 0.0))
    named = ", ".join(
        row["model"] + (f" {row['share']:.0%}" if row["share"] is not None else "")
        for row in asked[:MOST_NAMED]
    )
    more = f" and {len(rows) - MOST_NAMED} more" if len(rows) > MOST_NAMED else ""
    states = Counter(row["state"] for row in rows if row["state"] not in {"active", "onboarding"})
    return "; ".join(
        [f"{len(rows)}: {named}{more}", *(f"{count} {state}" for state, count in states.items())]
    )


def _since(moment: datetime | None) -> str:
    if moment is None:
        return ""
    seconds = max(0.0, (datetime.now(UTC).replace(tzinfo=None) - moment).total_seconds())
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"; the last {count} {unit}{'s' if count > 1 else ''} ago"
    return "; the last just now"


def _policy(connection: DuckDBPyConnection, home: Home) -> str:
    registry = Registry(home.artifacts)
    current = registry.current_or_none()
    if current is None:
        return "cannot be read: `zetaroute policies rollback` goes back"
    if current == COLD:
        return "the config's priors, with much exploring: nothing learned serves yet"
    found = connection.execute("SELECT max(time) FROM promotions WHERE version = ?", [current]).fetchone()
    since = f", since {found[0]:%Y-%m-%d %H:%M} UTC" if found and found[0] else ""
    return f"{current}{since}" + (", pinned" if current == registry.pinned() else "")


def _next(
    settings: Settings,
    models: Sequence[Mapping[str, Any]],
    *,
    rows: int,
    graded: int,
    stale: Staleness | None,
    contest: Mapping[str, Any] | None,
) -> list[Line]:
    """Return one or two commands, each with its reason."""
    steps = []
    if settings.file is None:
        steps.append("`zetaroute init --detect` connects the models of this machine and of your keys")
    elif all(row["state"] in {"no key", "cooling"} for row in models):
        steps.append("`zetaroute doctor` says why no model can answer")
    if rows == 0:
        steps.append('`zetaroute ask "What is 17 * 23?"` asks the first query')
    elif graded == 0:
        steps.append(
            "nothing is graded: `zetaroute batch` with references, `zetaroute grade` or `zetaroute rate up`"
        )
    elif stale is not None and stale.stale:
        steps.append(f"`zetaroute retrain` ({stale.words})")
    elif contest is not None:
        steps.append(
            "go on asking: the evidence grows with every graded query; `zetaroute retrain` judges it"
        )
    elif stale is not None:
        steps.append(
            f"go on asking ({stale.words.partition(';')[0]} to learn again); `zetaroute kpi` shows the figures"
        )
    return [("next", step) for step in steps[:2]]
