"""What is served just now: figures of the last day, who answered, the latest decisions, and the last retrain."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zetaroute.analysis.contest_result import contest_json, stored_result
from zetaroute.analysis.earned import earned
from zetaroute.analysis.model_table import model_table, state_notes
from zetaroute.config import Home, Settings
from zetaroute.evaluate.key_figures import Served, figures
from zetaroute.evaluate.satisfaction import as_it_comes
from zetaroute.log.log import Log
from zetaroute.log.partitions import Span, narrow
from zetaroute.log.rows import named_rows
from zetaroute.log.views import GIVEN, graded_of
from zetaroute.registry import Registry
from zetaroute.router.router import open_router

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


HOURS = 24
MOST_ROWS = 20_000
"""Of the last hours; older ones are left out of the figures."""
LATEST = 25
"""Decisions that are shown."""
_COLUMNS = (
    *("accuracy", "satisfaction", "response_s", "ttft_s", "cost_usd"),
    *("router_s", "router_cost_usd", "judge_cost_usd", "escalated"),
)
_SERVED = f"""
    SELECT {", ".join(f"{name}::DOUBLE AS {name}" for name in _COLUMNS)}, model,
           (status <> 'ok')::DOUBLE AS failed, fell_back::DOUBLE AS fell_back
    FROM served WHERE time >= ? ORDER BY id DESC LIMIT {MOST_ROWS}
"""
_FIRST = f"""
    SELECT coalesce(min(id), '~') FROM (SELECT id FROM outcomes WHERE time >= ? ORDER BY id DESC LIMIT {MOST_ROWS})
"""
"""A tilde comes after every id."""
_LATEST_IDS = f"SELECT id FROM outcomes WHERE {GIVEN} ORDER BY id DESC LIMIT {LATEST}"
_LATEST = f"""
    SELECT id, strftime(time, '%Y-%m-%d %H:%M:%S') AS time,
           coalesce(query, '(forgotten)') AS query, model, status, error_kind, policy_version,
           propensity, explored, forced, fallback_of, seed, accuracy, satisfaction, response_s, cost_usd, candidates
    FROM ({graded_of(_LATEST_IDS)}) ORDER BY id DESC
"""
_ASKS = """
    SELECT coalesce(fallback_of, id) AS first, model, cost_usd, response_s, unnest(chain)
    FROM outcomes WHERE chain IS NOT NULL AND coalesce(fallback_of, id) IN (SELECT unnest($1::VARCHAR[]))
    ORDER BY attempt, id
"""
_AUDITS = """
    SELECT count(*), coalesce(sum(cost_usd), 0) FROM outcomes WHERE role = 'audit' AND time >= ?
"""


def snapshot(home: Home, log: Log, settings: Settings) -> dict[str, Any]:
    """Return what a page of this moment shows; raise StoreBusyError when others keep the log."""
    since = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=HOURS)
    with log.open(patience_s=2.0) as connection:
        latest = named_rows(connection.execute(_LATEST))
        asks = _asks(connection, [row["fallback_of"] or row["id"] for row in latest])
        (rows,) = connection.execute("SELECT count(*) FROM outcomes").fetchone() or (0,)
        contest = contest_json(connection)
        audits, audits_usd = connection.execute(_AUDITS, [since]).fetchone() or (0, 0.0)
        gained = earned(connection, since=since.isoformat(), audits_usd=audits_usd)
        (first,) = connection.execute(_FIRST, [since]).fetchone() or ("",)
        narrow(connection, Span(first, None))
        columns = connection.execute(_SERVED, [since]).fetchnumpy()
    models = np.asarray(columns.pop("model"), dtype=object)
    served = _served(columns, models, settings)
    registry = Registry(home.artifacts)
    table = model_table(open_router(home, settings), log)
    return {
        "time": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "hours": HOURS,
        "version": registry.current_or_none() or "unreadable",
        "rows_in_log": rows,
        "rows": len(models),
        "kpis": {name: figure.json() for name, figure in figures(served, settings.objective).items()},
        "models": table,
        "states": state_notes(table),
        "contest": contest,
        "audits": {"rows": audits, "cost_usd": audits_usd},
        "earned": gained.json(),
        "provenance": {"practice": sum(model.startswith("practice/") for model in models)},
        "latest": [{**row, "asks": asks.get(row["fallback_of"] or row["id"], [])} for row in latest],
        "retrain": _last_retrain(registry),
    }


def _served(columns: dict[str, Any], models: NDArray[Any], settings: Settings) -> Served:
    arrays = {
        name: np.ma.filled(np.ma.asarray(column, dtype=np.float64), math.nan)
        for name, column in columns.items()
    }
    cost = arrays["cost_usd"]
    local = np.isin(models.astype(str), [arm.id for arm in settings.arms if arm.local])
    means = [
        float(np.nanmean(part))
        for model in set(models)
        if (part := cost[(models == model) & ~np.isnan(cost)]).size
    ]
    charged = np.where(np.isnan(cost), np.where(local, 0.0, max(means, default=0.0)), cost)
    satisfaction = arrays.pop("satisfaction")
    return Served.of_rows(
        **arrays,
        opinion=as_it_comes(satisfaction, could=arrays["failed"] == 0.0),
        rated=(~np.isnan(satisfaction)).astype(np.float64),
        charged_usd=charged,
        segment=np.full(len(models), "all", dtype=np.str_),
    )


def _asks(connection: DuckDBPyConnection, first: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Return what chains asked, in turn, by the id of the first answer."""
    asks: dict[str, list[dict[str, Any]]] = {}
    for ask in named_rows(connection.execute(_ASKS, [first])):
        asks.setdefault(ask["first"], []).append(ask)
    return asks


def _last_retrain(registry: Registry) -> dict[str, Any] | None:
    """Return what the newest version's retrain said; None where there is none that can be read."""
    versions = registry.versions()
    stored = stored_result(registry, versions[-1]) if versions else {}
    if not stored:
        return None
    return {
        "version": versions[-1],
        "verdict": stored.get("verdict"),
        "reasons": stored.get("reasons", []),
        "difference": stored.get("difference", {}),
    }
