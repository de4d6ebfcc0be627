"""How each arm stands: state.json, the part of the log that a decision needs, and the journal's tail on top.

Written at every merge from the last rows of the log, so that `ask` reads one small file instead of importing
DuckDB. It is a summary that can always be made anew, never a source.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zetaroute.config import Home
from zetaroute.domain import ALL_TASKS, DEMOTED, Standing, Tally, query_kind_key
from zetaroute.files.atomic import write_whole
from zetaroute.log.contest_events import RunningContest, event_of, running_contest
from zetaroute.log.journal import Journal
from zetaroute.log.rows import named_rows
from zetaroute.log.views import graded_from

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WINDOW = 10_000
"""Rows of the log, counted from its end, that standings look at; older ones no longer speak for an arm."""
RECENT = 500
"""Rows of one arm (and of one kind of query) among them that its tally counts: what it does now."""
CHANGED_AT = 4.0
"""Standard errors between the accuracy of an arm's recent rows and of all, beyond which older rows count no more."""
_RECORD = "**"
"""Stands for all rows of an arm where a kind of query would stand."""
MOST_TASKS = 200
"""Kinds of query among them that are told apart, the most frequent ones: a state of more would only grow."""
_SCHEMA = 7
_SPENT = """
    SELECT strftime(time, '%Y-%m-%d') AS day, sum(cost_usd), coalesce(sum(cost_usd) FILTER (of_audit), 0) FROM (
        SELECT time, cost_usd, role = 'audit' AS of_audit FROM outcomes WHERE NOT recorded
        UNION ALL SELECT time, router_cost_usd, false FROM outcomes
        UNION ALL SELECT time, cost_usd, outcome_id IN (SELECT id FROM outcomes WHERE role = 'audit') FROM feedback
    )
    WHERE time >= date_trunc('month', current_timestamp AT TIME ZONE 'UTC')::TIMESTAMP AND cost_usd IS NOT NULL
    GROUP BY day ORDER BY day
"""
_ROWS = """
    SELECT count(*), count(*) FILTER (role = 'audit'), coalesce(epoch(max(time) FILTER (role = 'served')), 0)
    FROM outcomes
"""
_PLACE = f"coalesce(nullif(task, ''), '{query_kind_key(None, 'x')[:-1]}' || segment, '')"
"""`query_kind_key` in SQL."""
_FIRST = f"SELECT coalesce(min(id), '') FROM (SELECT id FROM outcomes ORDER BY id DESC LIMIT {WINDOW})"
_TAIL = f"""
    CREATE OR REPLACE TEMP TABLE tail AS
    SELECT id, time, model, {_PLACE} AS task, status, error_kind, response_s, cost_usd, output_tokens,
           -- Asked by a chain alone, a model answers hard queries alone.
           CASE WHEN role <> 'chain' OR audited THEN accuracy END AS accuracy, satisfaction,
           epoch(time) - sum(coalesce(response_s, 0)) OVER (
               PARTITION BY CASE role WHEN 'audit' THEN id ELSE coalesce(fallback_of, id) END ORDER BY attempt
               ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
           ) AS began_s
    FROM ({graded_from("$first")})
    -- What was imported was served elsewhere: it says nothing of how a model stands here.
    WHERE role <> 'import'
"""
_MEANS = {
    "accuracy": ("graded", "accuracy"),
    "satisfaction": ("rated", "satisfaction"),
    "response_s": ("timed", "CASE status WHEN 'ok' THEN response_s END"),
    "cost_usd": ("charged", "cost_usd"),
    "output_tokens": ("counted", "CASE status WHEN 'ok' THEN output_tokens END"),
}
"""Of what a tally holds mean and deviation, with the name of how many rows know it."""
_TALLIES = f"""
    WITH numbered AS (
        SELECT *, row_number() OVER (PARTITION BY model ORDER BY id DESC) AS in_all,
               row_number() OVER (PARTITION BY model, task ORDER BY id DESC) AS in_task
        FROM tail WHERE status <> 'cancelled'
    )
    SELECT model, task, count(*) AS calls, count(*) FILTER (status = 'error') AS errors,
           coalesce(sum(response_s) FILTER (status = 'error'), 0) / count(*) AS lost_s,
           {
    ", ".join(
        f"count({value}) AS {rows}, coalesce(avg({value}), 0) AS {name}, "
        f"coalesce(stddev_samp({value}), 0) AS {name}_sd"
        for name, (rows, value) in _MEANS.items()
    )
},
           list(response_s ORDER BY response_s) FILTER (status = 'ok' AND response_s IS NOT NULL) AS times
    FROM (
        SELECT * REPLACE ('{ALL_TASKS}' AS task) FROM numbered WHERE in_all <= {RECENT}
        UNION ALL BY NAME SELECT * REPLACE ('{_RECORD}' AS task) FROM numbered
        UNION ALL BY NAME SELECT * FROM numbered
        WHERE in_task <= {RECENT} AND task IN (
            SELECT task FROM tail WHERE task NOT IN ('', '{ALL_TASKS}', '{_RECORD}')
            GROUP BY task ORDER BY count(*) DESC, task LIMIT {MOST_TASKS}
        )
    )
    GROUP BY model, task
"""
_DEMOTED = f"""
    SELECT {_PLACE} AS place, [c.model FOR c IN candidates IF starts_with(c.reason, '{DEMOTED}')]
    FROM outcomes WHERE id IN (
        SELECT max(id) FROM outcomes
        WHERE id >= $first AND len(candidates) > 0
        GROUP BY {_PLACE}
    )
"""
_ERRORS = """
    SELECT model, list([epoch(time), began_s] ORDER BY time, id) FROM tail t
    WHERE status = 'error' AND id > coalesce(
        (SELECT max(id) FROM tail s WHERE s.model = t.model AND s.status = 'ok'), '')
    GROUP BY model
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogState:
    """What a decision needs of the log."""

    standings: dict[str, Standing]
    """By model; empty when there is no state yet."""
    spent_usd: dict[str, float]
    """By day (UTC, ISO 8601), this month's; recordings cost nothing."""
    audit_usd: dict[str, float]
    """The part of it that went to audits."""
    audit_rows: int
    """Answers that were ever asked for audits."""
    contest: RunningContest | None
    """The one that runs; None when there is none."""
    rows: int = 0
    """Of the log, without those that wait in the journal."""
    served_s: float = 0.0
    """When a user was answered last (seconds since the epoch); 0 where none was."""


_NOTHING = LogState(standings={}, spent_usd={}, audit_usd={}, audit_rows=0, contest=None)


def write_standings(connection: DuckDBPyConnection, path: Path, *, merged: Sequence[str] = ()) -> None:
    """Compute the standings from the log and replace state.json in one step.

    `merged` names the segments that the log holds by now although the journal may still show them.
    """
    (first,) = connection.execute(_FIRST).fetchone() or ("",)
    connection.execute(_TAIL, {"first": first})
    tallies: dict[str, dict[str, Tally]] = {}
    for values in named_rows(connection.execute(_TALLIES)):
        model, task, times = (values.pop(name) for name in ("model", "task", "times"))
        tally = Tally(**values, p95_low_s=_p95(times or [], z=1.645), p95_s=_p95(times or [], z=0.0))
        tallies.setdefault(model, {})[task] = tally
    demoted: dict[str, list[str]] = {}
    known = {"", *(task for by_task in tallies.values() for task in by_task)}
    for task, models in connection.execute(_DEMOTED, {"first": first}).fetchall():
        for model in models if task in known else ():
            demoted.setdefault(model, []).append(task)
    failing = {model: _after(errors) for model, errors in connection.execute(_ERRORS).fetchall()}
    connection.execute("DROP TABLE tail")
    standings = {
        model: {
            "consecutive_errors": failing[model].consecutive_errors if model in failing else 0,
            "last_error_s": failing[model].last_error_s if model in failing else None,
            "record": _json(_record(by_task.pop(_RECORD), by_task[ALL_TASKS])),
            "tallies": {task: _json(tally) for task, tally in by_task.items()},
            "demoted": demoted.get(model, []),
        }
        for model, by_task in tallies.items()
    }
    spent = connection.execute(_SPENT).fetchall()
    rows, audit_rows, served_s = connection.execute(_ROWS).fetchone() or (0, 0, 0.0)
    running = running_contest(connection)
    state = {
        "schema": _SCHEMA,
        "standings": standings,
        "spent_usd": {day: usd for day, usd, _ in spent},
        "audit_usd": {day: usd for day, _, usd in spent if usd},
        "audit_rows": audit_rows,
        "rows": rows,
        "served_s": served_s,
        "contest": running.json() if running else None,
        "merged": list(merged),
    }
    write_whole(path, json.dumps(state).encode())


def read_state(home: Home) -> LogState:
    """Return what state.json says, with the rows on top that wait in the journal."""
    # The journal first: what is merged between the two readings is then named in the state, and counted once.
    waiting = list(Journal(home.journal).named_lines())
    stored_state = _stored(home)
    past, merged = stored_state or (_NOTHING, frozenset[str]())
    standings, contest, audit_rows = dict(past.standings), past.contest, past.audit_rows
    served_s = past.served_s
    spent_usd, audit_usd = defaultdict(float, past.spent_usd), defaultdict(float, past.audit_usd)
    for segment, entry in waiting:
        if segment in merged:
            continue
        rows = entry.get("outcomes") or ()
        audits = {row.get("id") for row in rows if row.get("role") == "audit"}
        audit_rows += len(audits)
        served_s = max([served_s, *(_moment_s(row) for row in rows if row.get("role") == "served")])
        for day, usd, outcome_id in _spent_in(entry):
            spent_usd[day] += usd
            if outcome_id in audits:
                audit_usd[day] += usd
        for place, row in enumerate(rows):
            if row.get("recorded") and row.get("policy_version") is None:
                continue
            time_s = _moment_s(row)
            standings[row["model"]] = with_outcome(
                standings.get(row["model"]) or Standing(model=row["model"]),
                status=row["status"],
                time_s=time_s,
                began_s=time_s - sum(later.get("response_s") or 0.0 for later in rows[place:]),
            )
        for stored in entry.get("contests") or ():
            event = event_of(stored)
            stands = RunningContest.begun(event) if contest is None else contest.after(event)
            contest = stands if event.running else None
    for model, answered_s in _checked(home).items():
        standing = standings.get(model)
        if standing is not None and (standing.last_error_s or 0.0) <= answered_s:
            standings[model] = replace(standing, consecutive_errors=0)
    return LogState(
        standings=standings,
        spent_usd=dict(spent_usd),
        audit_usd=dict(audit_usd),
        audit_rows=audit_rows,
        contest=contest,
        rows=past.rows,
        served_s=served_s,
    )


def _moment_s(row: Mapping[str, Any]) -> float:
    """Return when a row that waits was written, in seconds since the epoch."""
    return datetime.fromisoformat(row["time"]).replace(tzinfo=UTC).timestamp()


def _spent_in(entry: Mapping[str, Any]) -> Iterator[tuple[str, float, str | None]]:
    """Yield what an entry that waits has cost: the day, USD, and the outcome that it was paid for."""
    for row in entry.get("outcomes") or ():
        usd = (row.get("cost_usd") or 0.0) + (row.get("router_cost_usd") or 0.0)
        if usd and not row.get("recorded"):
            yield row["time"][:10], usd, row.get("id")
    for judged in entry.get("feedback") or ():
        if judged.get("cost_usd"):
            yield judged["time"][:10], judged["cost_usd"], judged.get("outcome_id")


def end_cooldowns(home: Home, models: Iterable[str], *, now_s: float) -> None:
    """Write down that these models answer a check, where they failed before: their errors until now are over."""
    standings = read_state(home).standings
    back = {model: now_s for model in models if model in standings and standings[model].consecutive_errors}
    if back:
        write_whole(home.checks, json.dumps({**_checked(home), **back}).encode())


def _checked(home: Home) -> dict[str, float]:
    """Return when models answered a check that had failed before (seconds since the epoch)."""
    try:
        return {str(model): float(at_s) for model, at_s in json.loads(home.checks.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def is_readable_state(home: Home) -> bool:
    """Return whether state.json is there, whole and of this version."""
    return _stored(home) is not None


def with_outcome(standing: Standing, *, status: str, time_s: float, began_s: float) -> Standing:
    """Return the standing after one more row of this status; both moments are seconds since the epoch.

    Calls that fail side by side are one failure: one that began before the last failure was known adds nothing.
    """
    if status == "ok":
        return replace(standing, consecutive_errors=0, probe_s=None)
    if status == "error" and began_s >= (standing.last_error_s or 0.0):
        errors = standing.consecutive_errors + 1
        return replace(standing, consecutive_errors=errors, last_error_s=time_s, probe_s=None)
    return replace(standing, probe_s=None)


def _after(errors: Iterable[tuple[float, float]]) -> Standing:
    """Return how a model stands after errors in a row: of each the moments when it came and when its call began."""
    standing = Standing(model="")
    for time_s, began_s in errors:
        standing = with_outcome(standing, status="error", time_s=time_s, began_s=began_s)
    return standing


def _stored(home: Home) -> tuple[LogState, frozenset[str]] | None:
    """Return what state.json says and the segments that it holds; None where it is not whole or of this version."""
    try:
        state = json.loads(home.state.read_text(encoding="utf-8"))
        if state["schema"] != _SCHEMA:
            return None
        past = LogState(
            standings={model: _standing(model, stored) for model, stored in state["standings"].items()},
            spent_usd={day: float(usd) for day, usd in state["spent_usd"].items()},
            audit_usd={day: float(usd) for day, usd in state["audit_usd"].items()},
            audit_rows=int(state["audit_rows"]),
            rows=int(state["rows"]),
            served_s=float(state["served_s"]),
            contest=RunningContest.of(state["contest"]) if state["contest"] else None,
        )
        return past, frozenset(state["merged"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _json(tally: Tally) -> dict[str, Any]:
    # `asdict` copies what it finds: with many kinds of query that takes longer than any of the statements.
    return {name: getattr(tally, name) for name in Tally.__slots__}


def _record(whole: Tally, recent: Tally) -> Tally:
    """Return what all rows of an arm tell of it; only the recent ones where it has changed."""
    left = 1.0 / max(recent.graded, 1) - 1.0 / max(whole.graded, 1)
    doubt = whole.accuracy_sd * math.sqrt(max(left, 0.0))
    return recent if abs(recent.accuracy - whole.accuracy) > CHANGED_AT * doubt > 0.0 else whole


def _standing(model: str, stored: Mapping[str, Any]) -> Standing:
    return Standing(
        model=model,
        consecutive_errors=stored["consecutive_errors"],
        last_error_s=stored["last_error_s"],
        record=Tally(**stored["record"]),
        tallies={task: Tally(**tally) for task, tally in stored["tallies"].items()},
        demoted=frozenset(stored["demoted"]),
    )


def _p95(times: list[float], *, z: float) -> float | None:
    """Return the order statistic `z` standard errors under the 95% quantile (normal approximation)."""
    n = len(times)
    rank = math.floor(0.95 * n - z * math.sqrt(n * 0.95 * 0.05))
    return times[rank - 1] if rank >= 1 and n >= 60 else None
