"""Looking after the versions of the policy: list, show, verify, promote, roll back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from zetaroute.analysis.canary import canary_standing
from zetaroute.config import Home, Settings
from zetaroute.domain import Arm
from zetaroute.errors import ArtifactError, UsageError
from zetaroute.features import EmbeddedMap
from zetaroute.features.hashed import SPACE
from zetaroute.learn.embeddings import with_embeddings
from zetaroute.lifecycle.canary import begin_canary, end_canary
from zetaroute.lifecycle.retrain import make_current
from zetaroute.log.log import Log
from zetaroute.log.standings import read_state
from zetaroute.policy import LearnedPredictor, Policy, load_policy
from zetaroute.registry import COLD, Registry

REPEATED = 200
"""Logged decisions that a version must be able to repeat."""
SAME = 1e-5
"""How far two accuracies may lie apart that are the same: one was computed for many queries at once."""
_ASKED = "query, task, embedding, embedding_model, store"
_READABLE = "store IS NULL AND forgotten IS NULL"
"""Of rows whose text is there; nobody can decide a hash again."""
LATEST = 1000
"""Logged queries that two versions are compared on."""


def list_versions(home: Home, log: Log) -> list[dict[str, Any]]:
    """Return what is known of every version, oldest first; a damaged one says so."""
    registry = Registry(home.artifacts)
    current = registry.current()
    canary = canary_standing(log)
    with log.open() as connection:
        promoted = dict(
            connection.execute(
                "SELECT version, max(time)::VARCHAR FROM promotions GROUP BY version"
            ).fetchall()
        )
    rows = []
    for version in [COLD, *registry.versions()]:
        manifest: dict[str, Any] = {}
        verdict = "" if version == COLD else "damaged"
        if version != COLD:
            try:
                manifest = registry.manifest(version)
                verdict = manifest["gate"]["verdict"]
            except ArtifactError:
                manifest = {}
        rows.append(
            {
                "version": version,
                "current": _serving(version, current, registry.pinned()),
                "canary": _words(canary) if canary is not None and version == canary["version"] else "",
                "created": manifest.get("created", "")[:19],
                "parent": manifest.get("parent"),
                "verdict": verdict or "the config's priors",
                "training_rows": manifest.get("training", {}).get("rows"),
                "promoted": (promoted.get(version) or "")[:19],
            }
        )
    return rows


def _serving(version: str, current: str, pinned: str | None) -> str:
    if version != current:
        return ""
    return "serves now, pinned" if version == pinned else "serves now"


def _words(canary: Mapping[str, Any]) -> str:
    evidence = canary["evidence"]
    return (
        f"tried on {100 * canary['share']:.0f}%, {canary['graded']} graded: evidence {evidence['gain']:.2g} of "
        f"{evidence['promotes_at']:.0f} for, {evidence['harm']:.2g} of {evidence['rolls_back_at']:.0f} against"
    )


def report_of(home: Home, version: str) -> str:
    """Return the Markdown report of a version."""
    registry = Registry(home.artifacts)
    name = registry.find(version)
    if name == COLD:
        return f"{COLD}: the priors of the config serve; `zetaroute retrain` learns a first version from the log."
    return registry.read(name, "report.md").decode()


def verify(home: Home, log: Log, settings: Settings, version: str | None) -> dict[str, int]:
    """Check every byte of one version or of all, and that it predicts what it once did.

    Returns the names of those that are whole, each with the number of logged decisions that it repeated. Raises
    ArtifactError for the first that is not.
    """
    registry = Registry(home.artifacts)
    names = registry.versions() if version is None else [registry.find(version)]
    repeated = {}
    for name in names:
        if name != COLD:
            registry.verify(name)
        policy = load_policy(registry, name)
        repeated[name] = repeat_decisions(log, policy, settings.arms) if name != COLD else 0
    return repeated


def repeat_decisions(log: Log, policy: Policy, arms: Sequence[Arm]) -> int:
    """Make the last logged predictions of a policy again and return how many there were.

    Raises ArtifactError where the accuracy that it predicts for a model is another one than the log says: then the
    artifact, its loading or a library has changed, and what was proven of it holds no more.
    """
    with log.open() as connection:
        readable = _READABLE
        if policy.reads_hashed:
            readable = f"({_READABLE} OR starts_with(embedding_model, '{SPACE}') AND forgotten IS NULL)"
        last = connection.sql(
            f"SELECT {_ASKED}, candidates FROM outcomes WHERE policy_version = ? AND len(candidates) > 0 "
            f"AND {readable} ORDER BY id DESC LIMIT ?",
            params=[policy.version, REPEATED],
        )
        logged = pl.DataFrame(last)
    predictor = policy.predictor
    if logged.is_empty() or not isinstance(predictor, LearnedPredictor):
        return 0
    parts = _by_what_was_known(predictor, logged, log.home)
    for reader, rows in parts:
        vectors = reader.vectors(rows["query"].to_list(), rows["task"].to_list())
        accuracy = reader.forecast(vectors, arms).accuracy
        for row, candidates in enumerate(rows["candidates"].to_list()):
            then = {candidate["model"]: candidate["accuracy"]["mean"] for candidate in candidates}
            for column, arm in enumerate(arms):
                if arm.id in then and abs(then[arm.id] - accuracy[row, column]) > SAME:
                    raise ArtifactError(
                        f"{policy.version} predicts {accuracy[row, column]:.4f} for {arm.id} where it once predicted "
                        f"{then[arm.id]:.4f}: go back with `zetaroute policies rollback` or retrain."
                    )
    return sum(rows.height for _, rows in parts)


def _by_what_was_known(
    predictor: LearnedPredictor, rows: pl.DataFrame, home: Home
) -> list[tuple[LearnedPredictor, pl.DataFrame]]:
    """Return the rows whose embedding was at hand, each text once, and the others, each with who predicts them."""
    if not isinstance(predictor.map, EmbeddedMap):
        return [(predictor, rows)]
    if predictor.map.reads_hashed:
        return [(with_embeddings(predictor, rows, home), rows)]
    has_one = (pl.col("embedding_model") == predictor.map.space).fill_null(False)
    own = rows.filter(has_one).unique("query", keep="last", maintain_order=True)
    return [(with_embeddings(predictor, own, home), own), (predictor, rows.filter(~has_one))]


def differing(home: Home, log: Log, settings: Settings, old: str, new: str) -> dict[str, Any]:
    """Return how two versions differ: what they were learned from, and whom they ask for the latest queries."""
    registry = Registry(home.artifacts)
    names = [registry.find(version) for version in (old, new)]
    with log.open() as connection:
        last = connection.sql(
            f"SELECT {_ASKED} FROM outcomes WHERE fallback_of IS NULL AND {_READABLE} ORDER BY id DESC LIMIT ?",
            params=[LATEST],
        )
        latest = pl.DataFrame(last)
    arms = settings.arms
    standings = read_state(home).standings
    chosen = [
        _choices(load_policy(registry, name).with_record(standings), latest, settings, home) for name in names
    ]
    moves = Counter((arms[a].id, arms[b].id) for a, b in zip(*chosen, strict=True) if a != b)
    facts = [_facts(registry, name) for name in names]
    return {
        "versions": names,
        "facts": {key: [fact.get(key) for fact in facts] for key in facts[0] | facts[1]},
        "queries": latest.height,
        "moved": [{"from": a, "to": b, "queries": count} for (a, b), count in moves.most_common()],
    }


def _choices(policy: Policy, asked: pl.DataFrame, settings: Settings, home: Home) -> list[int]:
    if asked.is_empty():
        return []
    predictor, arms = policy.predictor, settings.arms
    if isinstance(predictor, LearnedPredictor):
        predictor = with_embeddings(predictor, asked, home)
    vectors = predictor.vectors(asked["query"].to_list(), asked["task"].to_list())
    eligible = np.ones((asked.height, len(arms)), dtype=bool)
    forecast = predictor.forecast(vectors, arms)
    found = policy.exploit(forecast, arms=arms, objective=settings.objective, eligible=eligible)
    return [int(arm) for arm in found]


def _facts(registry: Registry, version: str) -> dict[str, Any]:
    if version == COLD:
        return {"routes": "by each model's record and the config's priors"}
    manifest = registry.manifest(version)
    return {
        "created": manifest["created"][:19],
        "parent": manifest["parent"],
        "verdict": manifest["gate"]["verdict"],
        "training rows": manifest["training"]["rows"],
        "rows until": manifest["training"]["until"][:19],
        "routes": "by query" if manifest["routes"] else f"always {manifest['best_single']}",
        "best single": manifest["best_single"],
        "models": ", ".join(manifest["models"]),
        "objective": ", ".join(f"{name} {value:g}" for name, value in manifest["objective"].items()),
    }


def pin(home: Home, log: Log, version: str, *, author: str = "user") -> str:
    """Let a version serve until a person says otherwise: no retrain and no canary replaces it. Returns its name."""
    registry = Registry(home.artifacts)
    name = promote(home, log, version, reason="pinned", author=author)
    end_canary(log, reason=f"{name} was pinned", author=author)
    registry.pin(name)
    return name


def unpin(home: Home) -> str | None:
    """Let retrains and canaries replace the current version again; return what was pinned, or None."""
    registry = Registry(home.artifacts)
    pinned = registry.pinned()
    registry.pin(None)
    return pinned


def promote(home: Home, log: Log, version: str, *, reason: str, author: str = "user") -> str:
    """Let a version serve from the next decision on; it must be whole. Returns its full name."""
    registry = Registry(home.artifacts)
    name = registry.find(version)
    if name != COLD:
        registry.verify(name)
        load_policy(registry, name)
    if name != registry.current_or_none():
        make_current(registry, log, name, reason=reason, author=author, forced=True)
        registry.pin(None)
    return name


def try_out(home: Home, log: Log, settings: Settings, version: str, *, author: str = "user") -> str:
    """Give a version a share of the queries beside the current one; return its full name.

    Raises UsageError for the version that serves already.
    """
    registry = Registry(home.artifacts)
    name, current = registry.find(version), registry.current()
    if name == current:
        raise UsageError(
            f"{name} serves already: name another version, `zetaroute policies list` shows them."
        )
    if name != COLD:
        registry.verify(name)
        load_policy(registry, name)
    with log.open() as connection:
        rows = connection.execute(
            "SELECT cost_usd, response_s FROM outcomes WHERE status = 'ok'"
        ).fetchnumpy()
    known = {
        key: np.ma.filled(np.ma.asarray(column, dtype=np.float64), np.nan) for key, column in rows.items()
    }
    begin_canary(
        log, settings, version=name, champion=current, **known, reason="tried by hand", author=author
    )
    return name


def rollback(home: Home, log: Log, *, author: str = "user") -> str:
    """Go back to the version that the current one replaced; return the version that serves now.

    A canary that runs is ended, and nothing else changes. Works although the current version is damaged: only the
    one to go back to must be whole.
    """
    registry = Registry(home.artifacts)
    current = registry.current()
    if end_canary(log, reason="rolled back by hand", author=author) is not None:
        return current
    with log.open() as connection:
        row = connection.execute(
            "SELECT previous FROM promotions WHERE version = ? AND author <> 'rollback' ORDER BY id DESC LIMIT 1",
            [current],
        ).fetchone()
    if current == COLD:
        raise UsageError(f"{COLD} serves, the config's priors: there is nothing to go back to.")
    previous = str(row[0]) if row and row[0] else COLD
    if previous != COLD:
        registry.verify(previous)
    make_current(
        registry, log, previous, reason=f"rolled back from {current}", author="rollback", forced=True
    )
    registry.pin(None)
    return previous
