"""The versions of the policy: list, show, compare, verify, promote, pin and roll back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from zetaroute.analysis.contest_result import contest_json
from zetaroute.config import Home, Settings
from zetaroute.domain import Arm, ContestStep, Promotion, new_id, utc_now
from zetaroute.errors import ArtifactError, UsageError
from zetaroute.features import EmbeddedMap
from zetaroute.features.hashed import SPACE
from zetaroute.learn.embeddings import with_embeddings
from zetaroute.lifecycle.contests import take_step
from zetaroute.log.contest_events import proven_versions, running_event
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.log.standings import read_state
from zetaroute.policy import Policy, load_policy
from zetaroute.policy.learned import LearnedPredictor
from zetaroute.registry import COLD, Registry

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

REPEATED = 200
"""Logged decisions that a version must be able to repeat."""
SAME = 1e-5
"""How far two accuracies may lie apart that are the same: one was computed for many queries at once."""
_ASKED = "query, task, embedding, embedding_model, store"
_READABLE = "store IS NULL AND forgotten IS NULL"
"""Of rows whose text is there; a hash cannot be decided again."""
LATEST = 1000
"""Logged queries that two versions are compared on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSummary:
    """What is known of a version."""

    version: str
    current: str
    """That it serves, in words; empty where it does not."""
    contest: str
    """How it stands as a challenger, in words; empty where it is none."""
    created: str
    parent: str | None
    verdict: str
    training_rows: int | None
    promoted: str
    """When it was made current last; empty where it never was."""

    def json(self) -> dict[str, Any]:
        """Return the shape that JSON answers use."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDifference:
    """How two versions differ."""

    versions: tuple[str, str]
    facts: Mapping[str, Sequence[Any]]
    """What is known of both, by name: the older one's and the newer one's."""
    queries: int
    """The latest queries that both were asked about."""
    moved: Sequence[Mapping[str, Any]]
    """How many of them would go `from` a model `to` another one."""

    def json(self) -> dict[str, Any]:
        """Return the shape that JSON answers use."""
        return asdict(self)


def list_versions(connection: DuckDBPyConnection, home: Home) -> list[VersionSummary]:
    """Return what is known of every version, oldest first; a damaged one says so."""
    registry = Registry(home.artifacts)
    current = registry.current()
    contest = contest_json(connection)
    promoted = dict(
        connection.execute("SELECT version, max(time)::VARCHAR FROM promotions GROUP BY version").fetchall()
    )
    proven = proven_versions(connection)
    rows = []
    for version in [COLD, *registry.versions()]:
        manifest: dict[str, Any] = {}
        verdict = "" if version == COLD else "damaged"
        if version != COLD:
            try:
                manifest = registry.manifest(version)
                verdict = "PROMOTE" if version in proven else manifest["gate"]["verdict"]
            except ArtifactError:
                manifest = {}
        rows.append(
            VersionSummary(
                version=version,
                current=_serving(version, current, registry.pinned()),
                contest=contest_words(contest)
                if contest is not None and version == contest["challenger"]
                else "",
                created=manifest.get("created", "")[:19],
                parent=manifest.get("parent"),
                verdict=verdict or "the config's priors",
                training_rows=manifest.get("training", {}).get("rows"),
                promoted=(promoted.get(version) or "")[:19],
            )
        )
    return rows


def _serving(version: str, current: str, pinned: str | None) -> str:
    if version != current:
        return ""
    return "serves now, pinned" if version == pinned else "serves now"


def contest_words(contest: Mapping[str, Any]) -> str:
    """Return how a contest that `contest_json` tells of stands."""
    evidence = contest["evidence"]
    against = f"{evidence['harm']:.2g} of {evidence['rolls_back_at']:.0f} against"
    scored = f"{evidence['rows']} queries scored"
    if contest["step"] in {"rejected", "paused"}:
        return f"{contest['step']}: challenges on 0%, {scored}: evidence {against}"
    if contest["step"] == "promoted":
        return f"tested for harm on {100 * contest['share']:.0f}%, {scored}: evidence {against}"
    return (
        f"challenges on {100 * contest['share']:.0f}%, {scored}: evidence {evidence['e_value']:.2g} of "
        f"{evidence['promotes_at']:.0f} for, {against}"
    )


def report_of(home: Home, version: str) -> str:
    """Return the Markdown report of a version."""
    registry = Registry(home.artifacts)
    name = registry.find(version)
    if name == COLD:
        return f"{COLD}: the priors of the config serve; `zetaroute retrain` learns a first version from the log."
    return registry.read(name, "report.md").decode()


def promotions_of(connection: DuckDBPyConnection, name: str) -> tuple[str, ...]:
    """Return in words when the version of this name came to serve or was replaced, and by what, in order of time."""
    found = connection.execute(
        "SELECT strftime(time, '%Y-%m-%d %H:%M:%S'), author, reason, version, coalesce(previous, $cold) "
        "FROM promotions WHERE version = $name OR coalesce(previous, $cold) = $name ORDER BY time, id",
        {"name": name, "cold": COLD},
    ).fetchall()
    return tuple(
        f"{version} was promoted at {time} UTC by {author} in place of {previous}: {reason}"
        for time, author, reason, version, previous in found
    )


def verify(
    connection: DuckDBPyConnection | None, home: Home, settings: Settings, version: str | None
) -> dict[str, int]:
    """Check every byte of one version or of all, and that it predicts what it once did, where the log can be read.

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
        repeated[name] = 0
        if name != COLD and connection is not None:
            repeated[name] = repeat_decisions(connection, home, policy, settings.arms)
    return repeated


def repeat_decisions(connection: DuckDBPyConnection, home: Home, policy: Policy, arms: Sequence[Arm]) -> int:
    """Make the last logged predictions of a policy again and return how many there were.

    Raises ArtifactError where the accuracy that it predicts for a model is another one than the log says: then the
    artifact, its loading or a library has changed, and what was proven of it holds no more.
    """
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
    learned = predictor.graded_models()
    parts = _by_what_was_known(predictor, logged, home)
    for reader, rows in parts:
        vectors = reader.vectors(rows["query"].to_list(), rows["task"].to_list())
        accuracy = reader.forecast(vectors, arms).accuracy
        for row, candidates in enumerate(rows["candidates"].to_list()):
            then = {candidate["model"]: candidate["accuracy"]["mean"] for candidate in candidates}
            for column, arm in enumerate(arms):
                # What is expected of other models changes with the config and says nothing of the version.
                if arm.id in learned & then.keys() and abs(then[arm.id] - accuracy[row, column]) > SAME:
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


def differing(
    connection: DuckDBPyConnection, home: Home, settings: Settings, old: str, new: str
) -> VersionDifference:
    """Return how two versions differ: what they were learned from, and whom they ask for the latest queries."""
    registry = Registry(home.artifacts)
    names = registry.find(old), registry.find(new)
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
    return VersionDifference(
        versions=names,
        facts={key: [fact.get(key) for fact in facts] for key in facts[0] | facts[1]},
        queries=latest.height,
        moved=[{"from": a, "to": b, "queries": count} for (a, b), count in moves.most_common()],
    )


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
        "best single": manifest.get("anchor") or manifest.get("best_single"),
        "models": ", ".join(manifest["models"]),
        "objective": ", ".join(f"{name} {value:g}" for name, value in manifest["objective"].items()),
    }


def pin(home: Home, log: Log, version: str, *, author: str = "user") -> str:
    """Let a version serve until a person says otherwise: no challenger is given a query. Returns its name."""
    registry = Registry(home.artifacts)
    name = _whole(registry, version)
    if name != registry.current_or_none():
        log.append([make_current(registry, name, reason="pinned", author=author, forced=True)])
    with log.open() as connection:
        running = running_event(connection)
        if running is not None:
            # A version that is still tested for harm serves alone once it is pinned.
            step: ContestStep = "ended" if running.step == "promoted" else "paused"
            take_step(log, connection, step, reason=f"{name} was pinned", author=author)
    registry.pin(name)
    return name


def unpin(home: Home, log: Log, *, author: str = "user") -> str | None:
    """Let challengers replace the current version again; return what was pinned, or None."""
    registry = Registry(home.artifacts)
    pinned = registry.pinned()
    registry.pin(None)
    with log.open() as connection:
        running = running_event(connection)
        if pinned and running is not None and running.step == "paused" and running.author != "evidence":
            take_step(log, connection, "resumed", reason=f"{pinned} is pinned no more", author=author)
    return pinned


def promote(home: Home, log: Log, version: str, *, reason: str, author: str = "user") -> str:
    """Let a version serve from the next decision on; it must be whole. Returns its full name."""
    registry = Registry(home.artifacts)
    name = _whole(registry, version)
    if name != registry.current_or_none():
        log.append([make_current(registry, name, reason=reason, author=author, forced=True)])
        log.merge()
        registry.pin(None)
    return name


def _whole(registry: Registry, version: str) -> str:
    """Return the full name of a version that can be loaded; raise ArtifactError for one that cannot."""
    name = registry.find(version)
    if name != COLD:
        registry.verify(name)
        load_policy(registry, name)
    return name


def make_current(
    registry: Registry, version: str, *, reason: str, author: str, forced: bool = False
) -> Entry:
    """Let `version` serve from the next decision on; return what the log is to say of it: when, why and by whom."""
    previous = registry.current_or_none()
    registry.make_current(version)
    promotion = Promotion(
        id=new_id(),
        time=utc_now(),
        version=version,
        previous=previous,
        reason=reason,
        author=author,
        forced=forced,
    )
    return Entry(promotions=(promotion,))


def rollback(home: Home, log: Log, *, author: str = "user") -> str:
    """Go back to the version that the current one replaced; return the version that serves now.

    A contest that runs is ended, and where it did not make the current version serve, nothing else changes. Works
    although the current version is damaged: only the one to go back to must be whole.
    """
    registry = Registry(home.artifacts)
    with log.open() as connection:
        current = registry.current()
        ended = take_step(log, connection, "ended", reason="rolled back by hand", author=author)
        if ended is not None and ended.challenger != current:
            return current
        if current == COLD:
            raise UsageError(f"{COLD} serves, the config's priors: there is nothing to go back to.")
        row = connection.execute(
            "SELECT previous FROM promotions WHERE version = ? AND author <> 'rollback' ORDER BY id DESC LIMIT 1",
            [current],
        ).fetchone()
        previous = str(row[0]) if row and row[0] else COLD
        if previous != COLD:
            registry.verify(previous)
        reason = f"rolled back from {current}"
        log.write(connection, make_current(registry, previous, reason=reason, author="rollback", forced=True))
    registry.pin(None)
    return previous
