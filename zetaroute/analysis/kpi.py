"""The key figures of what was served, and before against after."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import polars as pl

from zetaroute.analysis.contest import contest_result
from zetaroute.analysis.drift import find_drift
from zetaroute.analysis.earned import earned
from zetaroute.analysis.judges import read_judges
from zetaroute.analysis.promised import forecasts
from zetaroute.analysis.query_kinds import read_kinds
from zetaroute.analysis.reports import Audited, ComparedVersion, Comparison, KpiGroup, KpiReport
from zetaroute.analysis.served import as_served, model_shares, provenance, read_served, size, sources
from zetaroute.analysis.timeline import by_segment, over_time, read_course, read_examples
from zetaroute.config import Home, Settings
from zetaroute.domain import Figure
from zetaroute.errors import ArtifactError, ZetarouteError
from zetaroute.evaluate.intervals import Moments
from zetaroute.evaluate.kpi import Served, figures, on_one_mix, unrated
from zetaroute.evaluate.satisfaction import satisfaction_json
from zetaroute.policy import load_policy
from zetaroute.registry import COLD, Registry

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

By = Literal["task", "model", "segment", "day", "version"]
BY: tuple[By, ...] = get_args(By)
_COLUMNS = {"task": "task", "model": "model", "segment": "kind", "day": "day", "version": "policy_version"}


def kpis(
    connection: DuckDBPyConnection,
    home: Home,
    settings: Settings,
    *,
    since: str | None = None,
    by: By | None = None,
    course: bool = False,
) -> KpiReport:
    """Return the KPIs of everything served since a moment (ISO 8601, UTC).

    With `course` also how they went over time, as a report shows it.
    """
    registry = Registry(home.artifacts)
    current = registry.current()
    kinds = None
    if by == "segment":
        kinds = read_kinds(connection, load_policy(registry, current), registry, since=since)
    went = read_course(connection, since=since) if course else None
    edges = went.edges if went is not None else ()
    frame = read_served(connection, since=since, by_day=by == "day", kinds=kinds, edges=edges)
    served = as_served(frame, settings)
    audits = _audits(connection, since=since)
    return KpiReport(
        version=current,
        rows=size(frame),
        since=_moment(frame["since"].min()),
        until=_moment(frame["until"].max()),
        kpis=figures(served, settings.objective),
        exploring_usd=_exploring(connection, since=since),
        audits=audits,
        earned=earned(connection, since=since, audits_usd=audits.cost_usd),
        by={} if by is None else _groups(frame, by, settings),
        sources=sources(frame),
        judges=read_judges(connection, since=since),
        provenance=provenance(frame),
        share=model_shares(frame),
        over_time=None if went is None else over_time(frame, served, settings.objective, went.marks),
        drift=find_drift(connection, home, settings),
    )


def _groups(frame: pl.DataFrame, by: By, settings: Settings) -> dict[str, KpiGroup]:
    labels = frame[_COLUMNS[by]].fill_null("").replace("", "(none)")
    parts = {label: frame.filter(labels == label) for label in sorted(labels.unique())}
    return {
        label: KpiGroup(rows=size(part), kpis=figures(as_served(part, settings), settings.objective))
        for label, part in parts.items()
    }


def compare(
    connection: DuckDBPyConnection,
    home: Home,
    settings: Settings,
    *,
    before: str | None = None,
    after: str | None = None,
    since: str | None = None,
    examples: bool = False,
) -> Comparison:
    """Return what two versions really served, their difference on one query mix, and what their contest has measured.

    Without names: the current version against the one it replaced. Pinned queries are left out, since no
    version chose their model. `examples` adds some of the queries themselves.
    """
    registry = Registry(home.artifacts)
    new = registry.find(after or "current")
    old = registry.find(before) if before else _predecessor(connection, registry, new)
    kinds = read_kinds(connection, load_policy(registry, new), registry, since=since)
    went = read_course(connection, since=since, chosen=True)
    frame = read_served(connection, since=since, kinds=kinds, edges=went.edges).filter(~pl.col("forced"))
    sides = {name: frame.filter(pl.col("policy_version") == name) for name in (old, new)}
    served = {name: as_served(part, settings) for name, part in sides.items()}
    stored = _stored_result(registry, new) | (contest_result(connection, new, settings.objective) or {})
    if stored.get("parent") != old:
        stored = {"verdict": None, "reasons": [f"{new} was never judged against {old}"]}
    told = by_segment((sides[old], served[old]), (sides[new], served[new]))
    return Comparison(
        before=_side(old, sides[old], served[old], settings),
        after=_side(new, sides[new], served[new], settings),
        one_mix=on_one_mix(served[old], served[new], settings.objective),
        satisfaction=satisfaction_json(unrated(served[old], served[new])),
        retrain=stored,
        forecasts=forecasts(connection, registry=registry),
        over_time=over_time(frame, as_served(frame, settings), settings.objective, went.marks),
        segments=told,
        examples=read_examples(connection, new, told, kinds, since=since) if examples else None,
        drift=find_drift(connection, home, settings),
    )


def _exploring(connection: DuckDBPyConnection, *, since: str | None) -> Figure:
    """Return what exploring cost per routed query in utility, as the policies predicted it when they decided.

    The best eligible model's predicted utility minus the mean over the probabilities that were drawn from.
    """
    sums = connection.execute(
        """
        WITH explored AS (
            SELECT list_max([c.utility_usd.mean FOR c IN candidates IF c.eligible])
                   - list_sum([c.probability * c.utility_usd.mean FOR c IN candidates]) AS usd
            FROM outcomes
            WHERE propensity IS NOT NULL AND fallback_of IS NULL
              AND time >= coalesce(?, '-infinity')::TIMESTAMP
        )
        SELECT count(usd) AS n, avg(usd) AS mean, var_pop(usd) * count(usd) AS squares
        FROM explored WHERE usd IS NOT NULL
        """,
        [since],
    ).fetchnumpy()
    return Moments(
        **{name: np.ma.filled(column.astype(np.float64), 0.0) for name, column in sums.items()}
    ).figure()


def _audits(connection: DuckDBPyConnection, *, since: str | None) -> Audited:
    """Return what audits took since a moment, their judges included."""
    (rows, cost_usd, response_s) = connection.execute(
        """
        WITH audits AS (FROM outcomes WHERE role = 'audit' AND time >= coalesce(?, '-infinity')::TIMESTAMP),
        costs AS (
            SELECT cost_usd FROM audits WHERE NOT recorded
            UNION ALL SELECT cost_usd FROM feedback WHERE outcome_id IN (SELECT id FROM audits)
        )
        SELECT count(*), (SELECT coalesce(sum(cost_usd), 0) FROM costs), coalesce(sum(response_s), 0) FROM audits
        """,
        [since],
    ).fetchall()[0]
    return Audited(rows=rows, cost_usd=cost_usd, response_s=response_s)


def _predecessor(connection: DuckDBPyConnection, registry: Registry, version: str) -> str:
    row = connection.execute(
        "SELECT previous FROM promotions WHERE version = ? ORDER BY id DESC LIMIT 1", [version]
    ).fetchone()
    if row and row[0]:
        return str(row[0])
    if version == COLD:
        raise ZetarouteError(
            "no policy was promoted yet, so there is nothing to compare: run `zetaroute retrain` first."
        )
    return str(registry.manifest(version)["parent"])


def _stored_result(registry: Registry, version: str) -> dict[str, Any]:
    if version == COLD:
        return {}
    try:
        stored: dict[str, Any] = json.loads(registry.read(version, "kpi.json"))
    except ArtifactError:
        return {}
    return stored


def _side(version: str, frame: pl.DataFrame, served: Served, settings: Settings) -> ComparedVersion:
    return ComparedVersion(
        version=version,
        rows=size(frame),
        kpis=figures(served, settings.objective),
        sources=sources(frame),
        provenance=provenance(frame),
        share=model_shares(frame),
    )


def _moment(moment: object) -> str | None:
    return None if moment is None else str(moment)
