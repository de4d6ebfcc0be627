"""The key figures of what was served, and before against after.

Takes the frame of what was served and hands arrays to `evaluate`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import polars as pl

from zetaroute.config import Home, Settings
from zetaroute.domain import Figure
from zetaroute.errors import ArtifactError, ZetarouteError
from zetaroute.evaluate.confidence import mean_figure
from zetaroute.evaluate.kpi import Served, differences, figures, unrated
from zetaroute.flows.canary import canary_difference
from zetaroute.flows.course import by_segment, examples_of, over_time, read_promotions
from zetaroute.flows.forecasts import forecasts
from zetaroute.flows.judges import read_judges
from zetaroute.flows.result import satisfaction_json
from zetaroute.flows.served import as_served, kinds_of, model_shares, provenance, read_served, sources
from zetaroute.policy import load_policy
from zetaroute.registry import COLD, Registry
from zetaroute.store.log import Log

By = Literal["task", "model", "segment", "day", "version"]

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
    frame = read_served(log, since=since, texts=by == "segment")
    current = Registry(home.artifacts).current()
    grouped: dict[str, Any] = {}
    if by is not None and frame.height:
        labels = _labels(frame, by, home)
        for label in sorted(set(labels)):
            part = frame.filter(pl.Series([one == label for one in labels]))
            found = figures(as_served(part, settings), settings.objective)
            grouped[label] = {"rows": part.height, "kpis": _json(found)}
    served = as_served(frame, settings)
    result = {
        "version": current,
        "rows": frame.height,
        "since": _moment(frame, "min"),
        "until": _moment(frame, "max"),
        "kpis": _json(figures(served, settings.objective)),
        "exploring_usd": _exploring(log, since=since).json(),
        "by": grouped,
        "sources": sources(frame),
        "judges": [judge.json() for judge in read_judges(log, since=since)],
        "provenance": provenance(frame),
        "share": model_shares(frame),
    }
    if course:
        result["over_time"] = over_time(frame, served, settings.objective, read_promotions(log))
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
    frame = read_served(log, since=since).filter(~pl.col("forced"))
    sides = {name: frame.filter(pl.col("policy_version") == name) for name in (old, new)}
    policy = load_policy(registry, new)
    served = {
        name: as_served(part, settings, kinds_of(part, policy, registry)) for name, part in sides.items()
    }
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
        "forecasts": forecasts(
            frame, kinds_of(frame, policy, registry), log=log, registry=registry, settings=settings
        ),
        "confirmed": _confirmed(change["utility_usd"]),
        "over_time": over_time(frame, as_served(frame, settings), settings.objective, read_promotions(log)),
        "segments": told,
        "held_out": {name: stored[name] for name in _HELD_OUT if name in stored},
    }
    if examples:
        result["examples"] = examples_of(sides[new], served[new].segment, told)
    return result


def _exploring(log: Log, *, since: str | None) -> Figure:
    """Return what exploring cost per routed query in utility, as the policies predicted it when they decided.

    The best eligible model's predicted utility minus the mean over the probabilities that were drawn from.
    """
    with log.open() as connection:
        rows = connection.execute(
            """
            SELECT list_max([c.utility_usd.mean FOR c IN candidates IF c.eligible])
                   - list_sum([c.probability * c.utility_usd.mean FOR c IN candidates])
            FROM outcomes
            WHERE propensity IS NOT NULL AND fallback_of IS NULL
              AND time >= coalesce(?, '-infinity')::TIMESTAMP
            """,
            [since],
        ).fetchnumpy()
    (column,) = rows.values()
    return mean_figure(np.ma.filled(np.ma.asarray(column, dtype=np.float64), np.nan))


def _labels(frame: pl.DataFrame, by: By, home: Home) -> list[str]:
    if by == "segment":
        registry = Registry(home.artifacts)
        return kinds_of(frame, load_policy(registry, registry.current()), registry)
    if by == "day":
        return frame["time"].dt.strftime("%Y-%m-%d").to_list()
    column = {"task": "task", "model": "model", "version": "policy_version"}[by]
    return [label or "(none)" for label in frame[column].to_list()]


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
        "rows": frame.height,
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


def _moment(frame: pl.DataFrame, which: Literal["min", "max"]) -> str | None:
    moment = frame["time"].min() if which == "min" else frame["time"].max()
    return None if moment is None else str(moment)


def _json(found: Mapping[str, Figure]) -> dict[str, dict[str, float | int | None]]:
    return {name: figure.json() for name, figure in found.items()}
