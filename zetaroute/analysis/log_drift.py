"""What has changed since the newest version was learned; nothing is fitted, and only the latest rows are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from zetaroute.analysis.query_kinds import kinds_of
from zetaroute.config import Home, Settings
from zetaroute.domain import unit_of
from zetaroute.errors import ArtifactError
from zetaroute.evaluate.period_shift import Period, Shift, find_shifts
from zetaroute.log.rows import SINCE
from zetaroute.log.views import GRADED, graded_of
from zetaroute.policy import load_policy
from zetaroute.policy.serialise import stored_prices
from zetaroute.registry import Registry

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LATEST = 2000
"""Rows of either period that are looked at."""
FEWEST_SERVED = 3
"""Answers under a new name before the name counts as changed."""
_IDS = f"""
    SELECT id FROM outcomes WHERE status <> 'cancelled' AND fallback_of IS NULL AND time {{side}} {SINCE}
    ORDER BY id DESC LIMIT {LATEST}
"""
_ROWS = """
    SELECT id, query, store, forgotten, task, conversation, model, status, accuracy, propensity, served_model,
           embedding, embedding_model, pmf, list_transform(candidates, lambda c: c.model) AS models
    FROM ({graded}) ORDER BY id DESC
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogDrift:
    """What has changed since a version was learned."""

    version: str | None
    """None: nothing was learned yet."""
    new_graded: int = 0
    """Rows with a known accuracy that it has never seen."""
    learned_from: int = 0
    reasons: tuple[str, ...] = field(default=())

    @property
    def line(self) -> str:
        """The whole in one line."""
        if self.version is None:
            return f"drift: nothing was learned yet; {self.new_graded} graded rows wait"
        if not self.reasons:
            return f"drift: none seen since {self.version} ({self.new_graded} graded rows since)"
        return f"drift since {self.version}: {'; '.join(self.reasons)}"

    def json(self) -> dict[str, Any]:
        """Return the shape that JSON answers use."""
        return {**asdict(self), "reasons": list(self.reasons), "line": self.line}


def find_drift(connection: DuckDBPyConnection, home: Home, settings: Settings) -> LogDrift:
    """Hold the latest rows, prices and served names against those that the newest version was learned from."""
    registry = Registry(home.artifacts)
    version, manifest = _newest(registry)
    since = manifest.get("created")
    connection.execute("SET VARIABLE since = ?", [since])
    (graded,) = connection.execute(
        f"SELECT count(*) FROM outcomes WHERE time > {SINCE} AND {GRADED}"
    ).fetchall()[0]
    if version is None:
        return LogDrift(version=None, new_graded=graded)
    old, new = (
        pl.DataFrame(connection.sql(_ROWS.format(graded=graded_of(_IDS.format(side=side)))))
        for side in ("<=", ">")
    )
    reasons = [*_shifted(registry, version, settings, old, new), *_repriced(settings, manifest)]
    return LogDrift(
        version=version,
        new_graded=graded,
        learned_from=manifest["training"]["rows"],
        reasons=(*reasons, *_renamed(old, new)),
    )


def _newest(registry: Registry) -> tuple[str | None, Mapping[str, Any]]:
    """Return the newest version that can be read, with its manifest."""
    for version in reversed(registry.versions()):
        try:
            return version, registry.manifest(version)
        except ArtifactError:
            continue
    return None, {}


def _shifted(
    registry: Registry, version: str, settings: Settings, old: pl.DataFrame, new: pl.DataFrame
) -> list[str]:
    if old.is_empty() or new.is_empty():
        return []
    try:
        policy = load_policy(registry, version)
    except ArtifactError:
        return []
    arms = {arm.id: index for index, arm in enumerate(settings.arms)}
    sides = [_period(_distinct(frame), arms, policy, registry) for frame in (old, new)]
    names = list(arms)
    return [_words(shift, names) for shift in find_shifts(*sides)]


def _distinct(frame: pl.DataFrame) -> pl.DataFrame:
    """Return one row per conversation or text: the others would count what happened once several times."""
    pairs = frame.select("conversation", "query", "id").iter_rows()
    # What a forgotten row asked is unknown: it stands for itself.
    groups = pl.Series(
        "group", [unit_of(group, query or row) for group, query, row in pairs], dtype=pl.UInt64
    )
    return frame.with_columns(groups).unique("group", keep="first", maintain_order=True)


def _period(frame: pl.DataFrame, arms: Mapping[str, int], policy: Any, registry: Registry) -> Period:
    pmf = np.full((frame.height, len(arms)), np.nan)
    drawn = frame.select("models", "pmf", "propensity").iter_rows()
    for row, (models, chances, propensity) in enumerate(drawn):
        if propensity is not None and set(models) <= arms.keys():
            pmf[row] = 0.0
            pmf[row, [arms[model] for model in models]] = chances
    return Period(
        kind=kinds_of(frame, policy, registry),
        arm=np.array([arms.get(model, -1) for model in frame["model"].to_list()], dtype=np.int64),
        accuracy=frame["accuracy"].cast(pl.Float64).fill_null(float("nan")).to_numpy(),
        pmf=pmf,
    )


def _words(shift: Shift, names: list[str]) -> str:
    if shift.arm is None:
        return f"{shift.change:.0%} of the queries are of other kinds, most of all {shift.kind}"
    way = "better" if shift.change > 0 else "worse"
    return f"{names[shift.arm]} got {way} by {abs(shift.change):.0%} of accuracy, most of all on {shift.kind}"


def _repriced(settings: Settings, manifest: Mapping[str, Any]) -> list[str]:
    """Return the models whose price in the config is another one than the version was learned with."""
    words = []
    for arm in settings.arms:
        known = manifest["priced"].get(arm.id)
        if known is None or arm.prices is None or stored_prices(known["prices"]) == arm.prices.flat():
            continue
        old, new = known["prices"], arm.prices
        words.append(
            f"{arm.id} costs ${new.input:g}/${new.output:g} per 1M tokens, it was "
            f"${old['input']:g}/${old['output']:g}"
        )
    return words


def _renamed(old: pl.DataFrame, new: pl.DataFrame) -> list[str]:
    """Return the models that their provider now serves under a name which it never used before."""
    words = []
    for (model,), rows in new.filter(pl.col("served_model").is_not_null()).group_by(["model"]):
        known = set(old.filter(pl.col("model") == model)["served_model"].drop_nulls().to_list())
        counts = rows["served_model"].value_counts().iter_rows()
        for name, count in counts if known else ():
            if name not in known and count >= FEWEST_SERVED:
                words.append(f"{model} is served as {name}, it was {', '.join(sorted(known))}")
    return sorted(words)
