"""What the shell offers after a tab: models, versions and answers by their names.

Apart from the commands because it must be quick and must never fail: whatever goes wrong, nothing is offered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from zetaroute.cli.context import Session

LATEST = 30
"""Answers that are offered, the newest first."""

Offers = list[tuple[str, str]]


def models(context: typer.Context, incomplete: str) -> Offers:
    """Offer the configured models with what they cost."""
    return _matching(incomplete, lambda: _models(_run(context)))


def versions(context: typer.Context, incomplete: str) -> Offers:
    """Offer the policy versions, newest first."""
    return _matching(incomplete, lambda: _versions(_run(context)))


def answers(context: typer.Context, incomplete: str) -> Offers:
    """Offer the ids of the latest answers with the beginnings of their queries."""
    return _matching(incomplete, lambda: _answers(_run(context)))


def graders(incomplete: str) -> Offers:
    """Offer the graders."""
    return _matching(incomplete, _graders)


def presets(incomplete: str) -> Offers:
    """Offer the presets."""
    return _matching(incomplete, _presets)


def ratings(context: typer.Context, incomplete: str) -> Offers:
    """Offer what an answer can be rated, and the ids of the latest ones."""
    said = [("up", "good"), ("down", "bad"), *((str(stars), "of 5") for stars in range(1, 6))]
    return [
        *_matching(incomplete, lambda: said),
        *_matching(incomplete, lambda: _answers(_run(context))),
    ]


def _matching(incomplete: str, offers: Callable[[], Iterable[tuple[str, str]]]) -> Offers:
    try:
        return [(name, note) for name, note in offers() if name.startswith(incomplete)]
    except Exception:  # a broken config or a busy log must not write into the line that is typed
        return []


def _run(context: typer.Context) -> Session:
    """Return the session of the line as far as it is typed."""
    said = context.find_root().params
    home, config = said.get("home"), said.get("config")
    return Session(
        home_option=Path(home) if home else None, config_option=Path(config) if config else None, quiet=True
    )


def _models(run: Session) -> Iterable[tuple[str, str]]:
    for arm in run.settings().arms:
        price = (
            "price unknown" if arm.prices is None else f"${arm.prices.input:g}/${arm.prices.output:g} per 1M"
        )
        yield arm.id, price


def _versions(run: Session) -> Iterable[tuple[str, str]]:
    from zetaroute.registry import COLD, Registry

    registry = Registry(run.home.artifacts)
    current = registry.current_or_none()
    for version in (*reversed(registry.versions()), COLD):
        yield version, "serves now" if version == current else ""
    yield "current", ""


def _answers(run: Session) -> Iterable[tuple[str, str]]:
    """Yield the latest answers of the journal and of the file, which is only read and never waited for."""
    from zetaroute.report.terminal import one_line
    from zetaroute.store.journal import Journal

    waiting = [
        row for _, entry in Journal(run.home.journal).named_lines() for row in entry.get("outcomes") or ()
    ]
    found = {row["id"]: row["query"] for row in waiting if row["status"] == "ok"}
    found |= _stored(run.home.database)
    for outcome_id in sorted(found, reverse=True)[:LATEST]:
        yield outcome_id, one_line(found[outcome_id] or "", 40)


def _stored(database: Path) -> dict[str, str]:
    import duckdb

    if not database.exists():
        return {}
    try:
        with duckdb.connect(str(database), read_only=True) as connection:
            latest = f"SELECT id, query FROM outcomes WHERE status = 'ok' ORDER BY id DESC LIMIT {LATEST}"
            return dict(connection.execute(latest).fetchall())
    except duckdb.Error:
        return {}


def _graders() -> Iterable[tuple[str, str]]:
    from zetaroute.grade.graders import grader_names

    return ((name, "") for name in grader_names())


def _presets() -> Iterable[tuple[str, str]]:
    from zetaroute.config import PRESETS

    return ((name, "") for name in PRESETS)
