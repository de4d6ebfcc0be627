"""Looking after the versions of the policy: list, show, verify, promote, roll back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from zetaroute.config import Home, Settings
from zetaroute.errors import ArtifactError, UsageError
from zetaroute.flows.canary import begin_canary, canary_standing, end_canary
from zetaroute.flows.retrain import make_current
from zetaroute.policy import load_policy
from zetaroute.registry import COLD, Registry
from zetaroute.store.log import Log


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
                "current": _role(version, current, canary),
                "created": manifest.get("created", "")[:19],
                "parent": manifest.get("parent"),
                "verdict": verdict or "the config's priors",
                "training_rows": manifest.get("training", {}).get("rows"),
                "promoted": (promoted.get(version) or "")[:19],
            }
        )
    return rows


def _role(version: str, current: str, canary: Mapping[str, Any] | None) -> str:
    if version == current:
        return "serves now"
    if canary is None or version != canary["version"]:
        return ""
    evidence = canary["evidence"]
    return (
        f"canary on {100 * canary['share']:.0f}%, {canary['graded']} graded: evidence {evidence['gain']:.2g} of "
        f"{evidence['promotes_at']:.0f} for, {evidence['harm']:.2g} of {evidence['rolls_back_at']:.0f} against"
    )


def report_of(home: Home, version: str) -> str:
    """Return the Markdown report of a version."""
    registry = Registry(home.artifacts)
    name = registry.find(version)
    if name == COLD:
        return f"{COLD}: the priors of the config serve; `zetaroute retrain` learns a first version from the log."
    return registry.read(name, "report.md").decode()


def verify(home: Home, version: str | None) -> list[str]:
    """Check every byte of one version or of all; return the names of those that are whole."""
    registry = Registry(home.artifacts)
    names = registry.versions() if version is None else [registry.find(version)]
    for name in names:
        if name != COLD:
            registry.verify(name)
            load_policy(registry, name)
    return names


def promote(home: Home, log: Log, version: str, *, reason: str, author: str = "user") -> str:
    """Let a version serve from the next decision on; it must be whole. Returns its full name."""
    registry = Registry(home.artifacts)
    name = registry.find(version)
    if name != COLD:
        registry.verify(name)
        load_policy(registry, name)
    if name != registry.current_or_none():
        make_current(registry, log, name, reason=reason, author=author, forced=True)
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
    return previous
