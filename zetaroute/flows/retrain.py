"""Retrain: read the log, fit, compare with the policy in use on held-out rows, store, and promote if proven."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from zetaroute.config import Home, Settings
from zetaroute.domain import Promotion, new_id, utc_now
from zetaroute.errors import ArtifactError, ZetarouteError
from zetaroute.evaluate.gate import Verdict, collapsed_model, judge
from zetaroute.features import Embeddings
from zetaroute.features.kinds import cell_names
from zetaroute.flows.canary import begin_canary, canary_standing, deserves_trial, may_succeed
from zetaroute.flows.findings import findings
from zetaroute.flows.portrait import portrait
from zetaroute.flows.result import manifest_of, result_of, row_counts
from zetaroute.flows.trial import evaluate, margins_of
from zetaroute.flows.vectors import logged_vectors
from zetaroute.learn.checks import MeasuredCheck, measured_checks
from zetaroute.learn.embedded import enough_embedded
from zetaroute.learn.fit import fit
from zetaroute.learn.frame import Sample, forgotten_rows, learnable, read_frame, sample, take
from zetaroute.learn.reliability import reliabilities, trust_in
from zetaroute.learn.segments import cell_terms
from zetaroute.learn.statistics import kept_statistics
from zetaroute.policy import LearnedPredictor, Policy, load_policy
from zetaroute.policy.load import policy_from, stored_files
from zetaroute.registry import ARRAYS, VOCABULARY, Artifact, Registry, unpack
from zetaroute.report.html import retrain_html
from zetaroute.report.markdown import retrain_report
from zetaroute.store.journal import Entry
from zetaroute.store.log import Log
from zetaroute.store.sources import open_sources

Promote = Literal["auto", "canary", "never", "force"]

FEWEST_ROWS = 20
"""Training rows below which a fit would be noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrained:
    """What a retrain did; `result` is the JSON of the contract."""

    version: str
    verdict: Verdict
    promoted: bool
    result: Mapping[str, Any]
    report: Path


def retrain(
    *,
    home: Home,
    settings: Settings,
    log: Log,
    seed: int = 0,
    jobs: int = 2,
    since: str | None = None,
    sources: Sequence[str] = (),
    promote: Promote = "auto",
    author: str = "retrain",
    page: bool = True,
) -> Retrained:
    """Fit a candidate from the log, judge it against the policy in use, store it, and promote it when proven.

    A candidate that is hopeful and not proven is tried by a canary, unless one runs already. With `sources` (see
    `open_sources`) their rows are learned from and judged by, in place of the home's own. `page` decides whether the
    report is also drawn as HTML.

    Raises ZetarouteError when the log holds too little to learn from.
    """
    start = time.perf_counter()
    registry = Registry(home.artifacts)
    parent = registry.current()
    incumbent, arms = load_policy(registry, parent), settings.arms
    frame, given, checks, notes = _read(log, settings, since=since, sources=sources)
    if given is not None:
        incumbent = incumbent.knowing(given)
    believed = reliabilities(frame.filter(~pl.col("holdout")))
    training = sample(frame.filter(~pl.col("holdout")), arms, trust=trust_in(believed))
    held_out = sample(frame.filter(pl.col("holdout")), arms)
    _require_rows(frame, training)
    known = incumbent.predictor.map if isinstance(incumbent.predictor, LearnedPredictor) else None
    fitted = fit(
        training,
        arms,
        objective=settings.objective,
        seed=seed,
        jobs=jobs,
        known=known,
        given=given,
        kept=lambda feature_map: kept_statistics(registry, feature_map),
    )
    files = stored_files(fitted.predictor) | fitted.statistics.files()
    manifest = manifest_of(frame, training, fitted, settings, parent=parent, seed=seed)
    same_map = known is not None and fitted.map.identity() == known.identity()
    names = registry.manifest(parent).get("segments") if same_map else None
    manifest |= {
        "checks": {name: asdict(one) for name, one in checks.items()},
        "reliability": {source: asdict(one) for source, one in believed.items()},
    }
    manifest["segments"] = cell_terms(fitted, training.texts, kept=names)
    candidate = _loaded(manifest, files)
    if given is not None:
        candidate = candidate.knowing(given)
    changed_s = max((drift.since_s for drift in fitted.drifts), default=0.0)
    usable = take(held_out, ~np.isnan(held_out.pmf[:, 0]) & (held_out.time_s >= changed_s))
    evaluation = evaluate(
        usable,
        arms,
        settings,
        fitted,
        incumbent=incumbent,
        candidate=candidate,
        names=cell_names(manifest["segments"], len(fitted.map.spaces.coarse)),
    )
    faults = findings(
        log, frame, registry, trained=training, judged=usable, compared=evaluation.trial.compared
    )
    tests, tested_rows = _tests_before(registry)
    verdict = judge(
        utility=evaluation.differences["utility_usd"],
        margins=margins_of(settings.gate, evaluation),
        support=evaluation.support,
        tests_before=tests,
        # A change in a model is judged at once, on the rows since then; the level still shrinks with every test.
        tested_rows=0 if fitted.drifts else tested_rows,
        holdout_rows=len(usable.arm),
        segments=evaluation.segments,
        findings=faults,
        collapse=collapsed_model(evaluation.share_before, evaluation.share_after) if fitted.routes else None,
        satisfaction_usd=evaluation.satisfaction_usd(settings.objective),
    )
    pinned = registry.pinned()
    promoted = promote == "force" or (promote == "auto" and verdict.word == "PROMOTE" and pinned is None)
    tried = (
        not promoted
        and pinned is None
        and not any(fault.refuses for fault in faults)
        and deserves_trial(promote, verdict, evaluation.differences["utility_usd"], evaluation.support)
        and may_succeed(canary_standing(log), registry, len(training.arm))
    )
    rows = row_counts(frame, training, held_out, usable)
    result = result_of(evaluation, verdict, fitted, rows, parent=parent, promoted=promoted)
    if pinned is not None:
        result["reasons"].append(
            f"{pinned} is pinned and goes on serving: `zetaroute policies pin --off` ends that"
        )
    result["reasons"] += [*notes, *(fault.words for fault in faults if not fault.refuses)]
    result["reliability"] = manifest["reliability"]
    result |= portrait(evaluation.trial, objective=settings.objective, feature_map=fitted.map)
    manifest["gate"] = {
        "tested": verdict.tested,
        "level": verdict.level,
        "holdout_rows": len(usable.arm),
        "verdict": verdict.word,
        "promoted": promoted,
    }
    files |= {
        "kpi.json": json.dumps(result, indent=2, allow_nan=False).encode(),
        "report.md": retrain_report(result).encode(),
    }
    if page:
        files["report.html"] = retrain_html(result).encode()
    version = registry.publish(manifest, files)
    if promoted:
        make_current(
            registry,
            log,
            version,
            reason=f"{verdict.word}: {verdict.reasons[0]}",
            author=author,
            forced=promote == "force",
        )
    if tried:
        begin_canary(
            log,
            settings,
            version=version,
            champion=parent,
            cost_usd=training.cost_usd,
            response_s=training.response_s,
            reason=verdict.reasons[0],
            author=author,
        )
    canary = canary_standing(log)
    result = {"artifact": version, **result, "canary": canary, "elapsed_s": time.perf_counter() - start}
    return Retrained(
        version=version,
        verdict=verdict,
        promoted=promoted,
        result=result,
        report=registry.folder / version / "report.md",
    )


def _read(
    log: Log, settings: Settings, *, since: str | None, sources: Sequence[str]
) -> tuple[pl.DataFrame, Embeddings | None, dict[str, MeasuredCheck], list[str]]:
    """Return the rows to learn from, the vectors to read them by if enough, what checks are worth, and notes."""
    with open_sources(sources) if sources else log.open() as connection:
        frame = read_frame(connection, since=since)
        notes = forgotten_rows(connection, since=since)
        checks = measured_checks(connection)
    given = logged_vectors(frame, settings, log.home)
    if given is not None and not enough_embedded(frame.filter(~pl.col("holdout"))["query"].to_list(), given):
        given = None
    frame, unread = learnable(frame, given)
    return frame, given, checks, notes + unread


def make_current(
    registry: Registry, log: Log, version: str, *, reason: str, author: str, forced: bool = False
) -> Promotion:
    """Let `version` serve from the next decision on, and write down when, why and by whom."""
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
    log.append([Entry(promotions=(promotion,))])
    log.merge()
    return promotion


def _require_rows(frame: pl.DataFrame, training: Sample) -> None:
    if frame.height == 0:
        raise ZetarouteError(
            "there are no rows to learn from yet: `zetaroute batch` or `zetaroute ask` bring some."
        )
    graded = int((~np.isnan(training.accuracy)).sum())
    if graded < FEWEST_ROWS:
        raise ZetarouteError(
            f"only {graded} training rows have a known accuracy, at least {FEWEST_ROWS} are needed: "
            "ask with --reference, or run a batch with references."
        )


def _tests_before(registry: Registry) -> tuple[int, int]:
    """Return how many tests earlier retrains have spent, and the largest holdout they looked at.

    A version that was damaged since counts as a test, so that damage never makes the gate easier.
    """
    spent, largest = 0, 0
    for version in registry.versions():
        try:
            gate = registry.manifest(version)["gate"]
        except ArtifactError:
            spent += 1
            continue
        if gate["tested"]:
            # A test that promoted has spent nothing: it was right, or the one error that is allowed was made.
            spent += not (gate["verdict"] == "PROMOTE" and gate.get("promoted", False))
            largest = max(largest, gate["holdout_rows"])
    return spent, largest


def _loaded(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Policy:
    """Return the candidate as it will be loaded, so that what is judged is what will serve."""
    artifact = Artifact(
        version="candidate",
        manifest=manifest,
        arrays=unpack(files[ARRAYS]),
        vocabulary=tuple(json.loads(files[VOCABULARY])),
    )
    return policy_from(artifact)
