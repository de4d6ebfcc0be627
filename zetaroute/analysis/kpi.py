"""The key figures of what was served, and before against after."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import polars as pl

from zetaroute.analysis.contest_result import contest_result, stored_result
from zetaroute.analysis.earned import earned
from zetaroute.analysis.judges import read_judges
from zetaroute.analysis.kpi_result import AskedToLearn, ComparedVersion, Comparison, KpiGroup, KpiReport
from zetaroute.analysis.log_drift import find_drift
from zetaroute.analysis.promotion_forecasts import forecasts
from zetaroute.analysis.query_kinds import read_kinds
from zetaroute.analysis.served import (
    Scope,
    as_served,
    model_shares,
    provenance,
    read_served,
    size,
    sources,
)
from zetaroute.analysis.timeline import by_segment, over_time, read_course, read_examples
from zetaroute.config import Home, Settings
from zetaroute.domain import Figure, Role
from zetaroute.errors import UsageError, ZetarouteError
from zetaroute.evaluate.intervals import NOTHING, Moments
from zetaroute.evaluate.key_figures import Served, figures, on_one_mix, unrated
from zetaroute.evaluate.nonresponse import ODDS_RATIO
from zetaroute.log.contest_events import proven_versions
from zetaroute.log.log import OF_ONE
from zetaroute.log.rows import SINCE
from zetaroute.policy import load_policy
from zetaroute.registry import COLD, Registry

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

By = Literal["task", "model", "segment", "day", "version"]
BY: tuple[By, ...] = get_args(By)
_COLUMNS = {"task": "task", "model": "model", "segment": "kind", "day": "day", "version": "policy_version"}
_KIND = (
    pl.when(pl.col("policy_version").is_null() & pl.col("recorded"))
    .then(pl.lit("imported"))
    .otherwise(pl.when(pl.col("forced")).then(pl.lit("pinned")).otherwise(pl.lit("policy")))
)
"""Who chose the model of a query."""


def kpis(
    connection: DuckDBPyConnection,
    home: Home,
    settings: Settings,
    scope: Scope | None = None,
    *,
    by: By | None = None,
    course: bool = False,
) -> KpiReport:
    """Return the KPIs of everything served, or of what lies in the scope.

    With `course` also how they went over time, as a report shows it: of everything alone. What the loop has earned is
    nothing that one version or run has. Raises UsageError for a part that there is not.
    """
    if by not in {None, *BY}:
        raise UsageError(f"by is {by!r}: choose one of {', '.join(BY)}.")
    registry, scope = Registry(home.artifacts), scope or Scope()
    current, since = registry.current(), scope.since
    if scope.version is not None:
        scope = replace(scope, version=registry.find(scope.version))
    kinds = None
    if by == "segment":
        kinds = read_kinds(connection, load_policy(registry, current), registry, since=since)
    went = read_course(connection, since=since) if course and scope.whole else None
    edges = went.edges if went is not None else ()
    frame = read_served(connection, scope, by_day=by == "day", kinds=kinds, edges=edges)
    served = as_served(frame, settings)
    audits = _asked(connection, "audit")
    return KpiReport(
        version=scope.version or current,
        rows=size(frame),
        since=_moment(frame["since"].min()),
        until=_moment(frame["until"].max()),
        kpis=figures(served, settings.objective),
        exploring_usd=_exploring(connection),
        audits=audits,
        seeding=_asked(connection, "seed"),
        earned=earned(connection, since=since, audits_usd=audits.cost_usd) if scope.whole else NOTHING,
        kinds=_groups(frame, _KIND, settings),
        by={} if by is None else _groups(frame, pl.col(_COLUMNS[by]), settings),
        sources=sources(frame),
        judges=read_judges(connection, since=since),
        provenance=provenance(frame),
        share=model_shares(frame),
        over_time=None if went is None else over_time(frame, served, settings.objective, went.marks),
        drift=find_drift(connection, home, settings),
    )


def _groups(frame: pl.DataFrame, by: pl.Expr, settings: Settings) -> dict[str, KpiGroup]:
    labels = frame.select(by).to_series().fill_null("").replace("", "(none)")
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
    frame = read_served(connection, Scope(since=since), kinds=kinds, edges=went.edges).filter(
        ~pl.col("forced")
    )
    sides = {name: frame.filter(pl.col("policy_version") == name) for name in (old, new)}
    served = {name: as_served(part, settings) for name, part in sides.items()}
    stored = stored_result(registry, new) | (contest_result(connection, new, settings.objective) or {})
    if (why := proven_versions(connection).get(new)) is not None:
        stored |= {"verdict": "PROMOTE", "reasons": [why]}
    if stored.get("parent") != old:
        stored = {"verdict": None, "reasons": [f"{new} was never judged against {old}"]}
    told = by_segment((sides[old], served[old]), (sides[new], served[new]))
    rated = unrated(served[old], served[new])
    return Comparison(
        before=_side(old, sides[old], served[old], settings),
        after=_side(new, sides[new], served[new], settings),
        one_mix=on_one_mix(served[old], served[new], settings.objective),
        satisfaction=None if rated is None else {**asdict(rated), "gamma": ODDS_RATIO},
        retrain=stored,
        forecasts=forecasts(connection, registry=registry, objective=settings.objective),
        over_time=over_time(frame, as_served(frame, settings), settings.objective, went.marks),
        segments=told,
        examples=read_examples(connection, new, told, kinds, since=since) if examples else None,
        drift=find_drift(connection, home, settings),
    )


def _exploring(connection: DuckDBPyConnection) -> Figure:
    """Return what exploring cost per routed query in utility, as the policies predicted it when they decided.

    The best eligible model's predicted utility minus the mean over the probabilities that were drawn from.
    """
    sums = connection.execute(
        f"""
        WITH explored AS (
            SELECT list_max([c.utility_usd.mean FOR c IN candidates IF c.eligible])
                   - list_sum([c.probability * c.utility_usd.mean FOR c IN candidates]) AS usd
            FROM outcomes
            WHERE propensity IS NOT NULL AND fallback_of IS NULL
              AND time >= {SINCE} AND {OF_ONE}
        )
        SELECT count(usd) AS n, avg(usd) AS mean, var_pop(usd) * count(usd) AS squares
        FROM explored WHERE usd IS NOT NULL
        """
    ).fetchnumpy()
    return Moments(
        **{name: np.ma.filled(column.astype(np.float64), 0.0) for name, column in sums.items()}
    ).figure()


def _asked(connection: DuckDBPyConnection, role: Role) -> AskedToLearn:
    """Return what the rows of a role took, of those that `read_served` was asked for, their judges included."""
    (rows, cost_usd, response_s) = connection.execute(
        f"""
        WITH asked AS (SELECT * REPLACE (false AS forced) FROM outcomes WHERE role = ?),
        those AS (FROM asked WHERE time >= {SINCE} AND {OF_ONE}),
        costs AS (
            SELECT cost_usd FROM those WHERE NOT recorded
            UNION ALL SELECT cost_usd FROM feedback WHERE outcome_id IN (SELECT id FROM those)
        )
        SELECT count(*), (SELECT coalesce(sum(cost_usd), 0) FROM costs), coalesce(sum(response_s), 0) FROM those
        """,
        [role],
    ).fetchall()[0]
    return AskedToLearn(rows=rows, cost_usd=cost_usd, response_s=response_s)


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
