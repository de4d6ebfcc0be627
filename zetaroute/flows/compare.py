"""The key figures of what was served, and before against after.

Reads the view `served` (one row per query, all its attempts counted) and hands arrays to `evaluate`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import polars as pl

from zetaroute.config import Home, Settings
from zetaroute.domain import Figure
from zetaroute.errors import ArtifactError, ZetarouteError
from zetaroute.evaluate.confidence import mean_figure
from zetaroute.evaluate.kpi import Served, differences, figures
from zetaroute.policy import LearnedPredictor, Policy, load_policy
from zetaroute.registry import COLD, Registry
from zetaroute.store.log import Log

By = Literal["task", "model", "segment", "day", "version"]

_COLUMNS = (
    "time, policy_version, model, task, query, status, fell_back, response_s, ttft_s, cost_usd, router_s, "
    "accuracy, accuracy_source, satisfaction, rating_simulated, recorded, forced"
)


def kpis(
    *,
    log: Log,
    settings: Settings,
    home: Home,
    since: str | None = None,
    by: By | None = None,
) -> dict[str, Any]:
    """Return the KPIs of everything served since a moment, as the JSON of the contract."""
    frame = _read(log, since=since)
    current = Registry(home.artifacts).current()
    grouped: dict[str, Any] = {}
    if by is not None and frame.height:
        labels = _labels(frame, by, home)
        for label in sorted(set(labels)):
            part = frame.filter(pl.Series([one == label for one in labels]))
            found = figures(_served(part, settings), settings.objective)
            grouped[label] = {"rows": part.height, "kpis": _json(found)}
    return {
        "version": current,
        "rows": frame.height,
        "since": _moment(frame, "min"),
        "until": _moment(frame, "max"),
        "kpis": _json(figures(_served(frame, settings), settings.objective)),
        "exploring_usd": _exploring(log, since=since).json(),
        "by": grouped,
        "provenance": provenance(frame),
        "share": _shares(frame),
    }


def compare(
    *,
    log: Log,
    settings: Settings,
    home: Home,
    before: str | None = None,
    after: str | None = None,
    since: str | None = None,
) -> dict[str, Any]:
    """Return what two versions really served, their difference on one query mix, and the held-out estimate.

    Without names: the current version against the one it replaced. Pinned queries are left out, since no
    version chose their model.
    """
    registry = Registry(home.artifacts)
    new = registry.find(after or "current")
    old = registry.find(before) if before else _predecessor(log, registry, new)
    frame = _read(log, since=since).filter(~pl.col("forced"))
    sides = {name: frame.filter(pl.col("policy_version") == name) for name in (old, new)}
    policy = load_policy(registry, new)
    served = {name: _served(part, settings, _segments(part, policy)) for name, part in sides.items()}
    change = differences(served[old], served[new], settings.objective)
    stored = _stored_result(registry, new)
    if stored.get("parent") != old:
        stored = {"verdict": None, "reasons": [f"{new} was never judged against {old}"]}
    return {
        "before": _side(old, sides[old], served[old], settings),
        "after": _side(new, sides[new], served[new], settings),
        "difference": _json(change),
        "off_policy": stored.get("difference", {}),
        "policies": {"before": stored.get("before", {}), "after": stored.get("after", {})},
        "verdict": stored.get("verdict"),
        "reasons": stored.get("reasons", []),
        "confirmed": _confirmed(change["utility_usd"]),
    }


def provenance(frame: pl.DataFrame) -> dict[str, int]:
    """Return on what the figures stand: rows by kind of model and by source of the judgement."""
    return {
        "recorded": int(frame["recorded"].sum()),
        "practice": sum(1 for model in frame["model"].to_list() if model.startswith("practice/")),
        "truth": int((frame["accuracy_source"] == "truth").sum()),
        "judge": int((frame["accuracy_source"] == "judge").sum()),
        "user": int((frame["accuracy_source"] == "user").sum()),
        "rated": int(frame["satisfaction"].is_not_null().sum()),
        "simulated_ratings": int(frame["rating_simulated"].sum()),
    }


def _read(log: Log, *, since: str | None) -> pl.DataFrame:
    with log.open() as connection:
        return pl.DataFrame(
            connection.sql(
                f"SELECT {_COLUMNS} FROM served WHERE time >= coalesce(?, '-infinity')::TIMESTAMP ORDER BY id",
                params=[since],
            )
        )


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


def _served(frame: pl.DataFrame, settings: Settings, segments: Sequence[str] | None = None) -> Served:
    def column(name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        return frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy().astype(np.float64)

    local = [arm.id for arm in settings.arms if arm.local]
    means = frame.group_by("model").agg(pl.col("cost_usd").mean())["cost_usd"].drop_nulls()
    dearest = float(means.max() or 0.0)  # type: ignore[arg-type]  # the maximum of a float column
    unknown = pl.when(pl.col("model").is_in(local)).then(0.0).otherwise(dearest)
    charged = frame.select(pl.coalesce("cost_usd", unknown))["cost_usd"]
    return Served(
        accuracy=column("accuracy"),
        satisfaction=column("satisfaction"),
        response_s=column("response_s"),
        ttft_s=column("ttft_s"),
        cost_usd=column("cost_usd"),
        charged_usd=charged.to_numpy().astype(np.float64),
        router_s=column("router_s"),
        failed=(frame["status"] != "ok").to_numpy().astype(np.float64),
        fell_back=frame["fell_back"].to_numpy().astype(np.float64),
        segment=np.array(segments if segments is not None else ["all"] * frame.height, dtype=np.str_),
    )


def _segments(frame: pl.DataFrame, policy: Policy) -> list[str]:
    """Return each row's task label, else the cell of the policy's map that it lies in."""
    tasks = frame["task"].to_list()
    bare = [row for row, task in enumerate(tasks) if not task]
    names = [task or "all" for task in tasks]
    if bare and isinstance(policy.predictor, LearnedPredictor):
        predictor = policy.predictor
        queries = frame["query"].to_list()
        cells = predictor.map.cells(predictor.vectors([queries[row] for row in bare])[:, 1:])
        for row, cell in zip(bare, cells.tolist(), strict=True):
            names[row] = f"cell {cell}"
    return names


def _labels(frame: pl.DataFrame, by: By, home: Home) -> list[str]:
    if by == "segment":
        registry = Registry(home.artifacts)
        return _segments(frame, load_policy(registry, registry.current()))
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
        "provenance": provenance(frame),
        "share": _shares(frame),
    }


def _shares(frame: pl.DataFrame) -> dict[str, float]:
    counts = frame.group_by("model").len().sort("model")
    return {model: count / frame.height for model, count in counts.iter_rows()}


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
