"""The key figures of what was served, and before against after.

Takes the frame of what was served and hands arrays to `evaluate`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import polars as pl

from zetaroute.analysis.canary import canary_difference
from zetaroute.analysis.judges import read_judges
from zetaroute.analysis.promised import forecasts
from zetaroute.analysis.query_kinds import read_kinds
from zetaroute.analysis.served import as_served, model_shares, provenance, read_served, size, sources
from zetaroute.analysis.timeline import by_segment, over_time, read_course, read_examples
from zetaroute.config import Home, Settings
from zetaroute.domain import Figure
from zetaroute.errors import ArtifactError, ZetarouteError
from zetaroute.evaluate.intervals import Moments
from zetaroute.evaluate.kpi import Served, differences, figures, unrated
from zetaroute.evaluate.satisfaction import satisfaction_json
from zetaroute.log.log import Log
from zetaroute.policy import load_policy
from zetaroute.registry import COLD, Registry

By = Literal["task", "model", "segment", "day", "version"]
_COLUMNS = {"task": "task", "model": "model", "segment": "kind", "day": "day", "version": "policy_version"}

_HELD_OUT = (
    "verdict",
    "rows",
    "difference",
    "estimators",
    "support",
    "satisfaction",
    "baselines",
    "share",
    "segments",
    "frontier",
    "break_even",
    "best_single",
    "detectable_usd",
    "rows_needed",
)
"""What a report shows again of the stored result of a retrain."""


def kpis(
    *,
    log: Log,
    settings: Settings,
    home: Home,
    since: str | None = None,
    by: By | None = None,
    course: bool = False,
) -> dict[str, Any]:
    """Return the KPIs of everything served since a moment, as the JSON of the contract.

    With `course` also how they went over time, as a report shows it.
    """
    registry = Registry(home.artifacts)
    current = registry.current()
    kinds = (
        read_kinds(log, load_policy(registry, current), registry, since=since) if by == "segment" else None
    )
    went = read_course(log, since=since) if course else None
    frame = read_served(
        log, since=since, by_day=by == "day", kinds=kinds, edges=went.edges if went is not None else ()
    )
    grouped: dict[str, Any] = {}
    if by is not None:
        labels = frame[_COLUMNS[by]].fill_null("").replace("", "(none)")
        for label in sorted(labels.unique()):
            part = frame.filter(labels == label)
            found = figures(as_served(part, settings), settings.objective)
            grouped[label] = {"rows": size(part), "kpis": _json(found)}
    served = as_served(frame, settings)
    result = {
        "version": current,
        "rows": size(frame),
        "since": _moment(frame["since"].min()),
        "until": _moment(frame["until"].max()),
        "kpis": _json(figures(served, settings.objective)),
        "exploring_usd": _exploring(log, since=since).json(),
        "by": grouped,
        "sources": sources(frame),
        "judges": _judges(log, since=since),
        "provenance": provenance(frame),
        "share": model_shares(frame),
    }
    if went is not None:
        result["over_time"] = over_time(frame, served, settings.objective, went.marks)
    return result


def compare(
    *,
    log: Log,
    settings: Settings,
    home: Home,
    before: str | None = None,
    after: str | None = None,
    since: str | None = None,
    examples: bool = False,
) -> dict[str, Any]:
    """Return what two versions really served, their difference on one query mix, and the held-out estimate.

    Without names: the current version against the one it replaced. Pinned queries are left out, since no
    version chose their model. `examples` adds some of the queries themselves.
    """
    registry = Registry(home.artifacts)
    new = registry.find(after or "current")
    old = registry.find(before) if before else _predecessor(log, registry, new)
    kinds = read_kinds(log, load_policy(registry, new), registry, since=since)
    went = read_course(log, since=since, chosen=True)
    frame = read_served(log, since=since, kinds=kinds, edges=went.edges).filter(~pl.col("forced"))
    sides = {name: frame.filter(pl.col("policy_version") == name) for name in (old, new)}
    served = {name: as_served(part, settings) for name, part in sides.items()}
    change = differences(served[old], served[new], settings.objective)
    stored = _stored_result(registry, new)
    if stored.get("parent") != old:
        stored = {"verdict": None, "reasons": [f"{new} was never judged against {old}"]}
    told = by_segment((sides[old], served[old]), (sides[new], served[new]))
    result = {
        "before": _side(old, sides[old], served[old], settings),
        "after": _side(new, sides[new], served[new], settings),
        "difference": _json(change),
        "satisfaction": satisfaction_json(unrated(served[old], served[new])),
        "off_policy": stored.get("difference", {}),
        "policies": {"before": stored.get("before", {}), "after": stored.get("after", {})},
        "verdict": stored.get("verdict"),
        "reasons": stored.get("reasons", []),
        "canary": canary_difference(log, new, old),
        "forecasts": forecasts(frame, log=log, registry=registry, settings=settings),
        "confirmed": _confirmed(change["utility_usd"]),
        "over_time": over_time(frame, as_served(frame, settings), settings.objective, went.marks),
        "segments": told,
        "held_out": {name: stored[name] for name in _HELD_OUT if name in stored},
    }
    if examples:
        result["examples"] = read_examples(log, new, told, kinds, since=since)
    return result


def _judges(log: Log, *, since: str | None) -> list[dict[str, Any]]:
    with log.open() as connection:
        return [judge.json() for judge in read_judges(connection, since=since)]


def _exploring(log: Log, *, since: str | None) -> Figure:
    """Return what exploring cost per routed query in utility, as the policies predicted it when they decided.

    The best eligible model's predicted utility minus the mean over the probabilities that were drawn from.
    """
    with log.open() as connection:
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


def _predecessor(log: Log, registry: Registry, version: str) -> str:
    with log.open() as connection:
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


def _side(version: str, frame: pl.DataFrame, served: Served, settings: Settings) -> dict[str, Any]:
    return {
        "version": version,
        "rows": size(frame),
        "kpis": _json(figures(served, settings.objective)),
        "sources": sources(frame),
        "provenance": provenance(frame),
        "share": model_shares(frame),
    }


def _confirmed(utility: Figure) -> bool | None:
    """Return whether what was served agrees that the newer version is better; None where it cannot tell."""
    if utility.low is None or utility.high is None:
        return None
    if utility.low > 0:
        return True
    return False if utility.high < 0 else None


def _moment(moment: object) -> str | None:
    return None if moment is None else str(moment)


def _json(found: Mapping[str, Figure]) -> dict[str, dict[str, float | int | None]]:
    return {name: figure.json() for name, figure in found.items()}
