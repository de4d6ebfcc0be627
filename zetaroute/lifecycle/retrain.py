"""Retrain: read the log, fit, compare with the policy in use on held-out rows, store, and promote if proven."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from zetaroute.analysis.canary import canary_standing
from zetaroute.config import Home, Settings
from zetaroute.domain import Promotion, new_id, utc_now
from zetaroute.errors import ArtifactError
from zetaroute.evaluate.gate import Verdict, collapsed_model, judge
from zetaroute.evaluate.log_checks import LogFault
from zetaroute.features.cluster_names import cell_names
from zetaroute.learn.incremental.readers import on_cluster
from zetaroute.learn.incremental.train import (
    PARTITION_ROWS,
    TrainingResult,
    TrainingSource,
    open_source,
    train,
)
from zetaroute.learn.samples import take
from zetaroute.lifecycle.canary import begin_canary, deserves_trial, may_succeed
from zetaroute.lifecycle.candidate import CandidatePolicy, candidate_of, result_of
from zetaroute.lifecycle.holdout import Evaluation, evaluate, margins_of
from zetaroute.lifecycle.log_faults import findings
from zetaroute.lifecycle.report_data import report_data
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.log.standings import read_state
from zetaroute.policy import LearnedPredictor, Policy, load_policy
from zetaroute.registry import Registry
from zetaroute.report import html
from zetaroute.report.markdown import markdown
from zetaroute.report.retrain import retrain_report

Promote = Literal["auto", "canary", "never", "force"]


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
    cluster: str | None = None,
    partition_rows: int = PARTITION_ROWS,
    promote: Promote = "auto",
    author: str = "retrain",
    page: bool = True,
) -> Retrained:
    """Fit a candidate from the log, judge it against the policy in use, store it, and promote it when proven.

    A candidate that is hopeful and not proven is tried by a canary, unless one runs already. With `sources` (see
    `open_sources`) their rows are learned from and judged by, in place of the home's own. The workers of the Dask
    cluster at the address `cluster` do what is done with rows. A large log is read `partition_rows` at a time. `page`
    decides whether the report is also drawn as HTML.

    Raises ZetarouteError when the log holds too little to learn from.
    """
    start = time.perf_counter()
    registry = Registry(home.artifacts)
    parent = registry.current()
    incumbent = load_policy(registry, parent).with_record(read_state(home).standings)
    source = open_source(
        log,
        settings,
        since=since,
        sources=sources,
        cluster=cluster is not None,
        partition_rows=partition_rows,
    )
    if source.given is not None:
        incumbent = incumbent.with_embeddings(source.given)
    known = incumbent.predictor.map if isinstance(incumbent.predictor, LearnedPredictor) else None
    with on_cluster(cluster) if cluster is not None else nullcontext():
        lesson = train(source, settings, log, known=known, seed=seed, jobs=jobs)
        made = candidate_of(lesson, source, settings, registry, parent=parent, known=known, seed=seed)
        evaluation = _tried(lesson, made, incumbent, settings, jobs=jobs)
    faults = _faults(source, registry, lesson, evaluation, since=since)
    verdict = _judged(lesson, evaluation, settings, registry, faults)
    pinned = registry.pinned()
    promoted = promote == "force" or (promote == "auto" and verdict.word == "PROMOTE" and pinned is None)
    tried = (
        not promoted
        and pinned is None
        and not any(fault.refuses for fault in faults)
        and deserves_trial(promote, verdict, evaluation.differences["utility_usd"], evaluation.support)
        and may_succeed(canary_standing(log), registry, lesson.survey.rows["train"])
    )
    rows = {**lesson.survey.rows, "holdout": len(evaluation.trial.rows.arm)}
    result = result_of(evaluation, verdict, lesson.fitted, rows, parent=parent, promoted=promoted)
    if pinned is not None:
        result["reasons"].append(
            f"{pinned} is pinned and goes on serving: `zetaroute policies pin --off` ends that"
        )
    result["reasons"] += [*source.notes, *(fault.words for fault in faults if not fault.refuses)]
    result["reliability"] = made.manifest["reliability"]
    result |= report_data(evaluation.trial, objective=settings.objective, feature_map=lesson.fitted.map)
    gate = {
        "tested": verdict.tested,
        "level": verdict.level,
        "holdout_rows": _holdout_rows(lesson, evaluation),
        "verdict": verdict.word,
        "promoted": promoted,
    }
    files = {
        **made.files,
        "kpi.json": json.dumps(result, indent=2, allow_nan=False).encode(),
        "report.md": markdown(retrain_report(result)).encode(),
    }
    if page:
        files["report.html"] = html.page(retrain_report(result)).encode()
    version = registry.publish({**made.manifest, "gate": gate}, files)
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
            cost_usd=lesson.training.rows.cost_usd,
            response_s=lesson.training.rows.response_s,
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


def _tried(
    lesson: TrainingResult, made: CandidatePolicy, incumbent: Policy, settings: Settings, *, jobs: int
) -> Evaluation:
    """Compare the candidate with the incumbent on the held-out rows since the last change in a model."""
    changed_s = max((drift.since_s for drift in lesson.fitted.drifts), default=0.0)
    current = lesson.held_out.rows.time_s >= changed_s
    return evaluate(
        take(lesson.held_out.rows, current),
        lesson.held_out.x[current],
        settings.arms,
        settings,
        lesson.fitted,
        incumbent=incumbent,
        candidate=made.policy,
        names=cell_names(made.manifest["segments"], len(lesson.fitted.map.spaces.coarse)),
        jobs=jobs,
    )


def _faults(
    source: TrainingSource,
    registry: Registry,
    lesson: TrainingResult,
    evaluation: Evaluation,
    *,
    since: str | None,
) -> list[LogFault]:
    """Return what is wrong with the rows that were learned from and judged by."""
    with source.open() as connection:
        return findings(
            connection,
            registry,
            trained=lesson.training.rows,
            judged=evaluation.trial.rows,
            compared=evaluation.trial.compared,
            since=since,
        )


def _judged(
    lesson: TrainingResult,
    evaluation: Evaluation,
    settings: Settings,
    registry: Registry,
    faults: Sequence[LogFault],
) -> Verdict:
    fitted = lesson.fitted
    shares = (evaluation.share_before, evaluation.share_after)
    tests, tested_rows = _tests_before(registry)
    return judge(
        utility=evaluation.differences["utility_usd"],
        margins=margins_of(settings.gate, evaluation),
        support=evaluation.support,
        tests_before=tests,
        # A change in a model is judged at once, on the rows since then; the level still shrinks with every test.
        tested_rows=0 if fitted.drifts else tested_rows,
        holdout_rows=_holdout_rows(lesson, evaluation),
        segments=evaluation.segments,
        findings=faults,
        collapse=collapsed_model(*shares) if fitted.routes else None,
        satisfaction_usd=evaluation.satisfaction_usd(settings.objective),
    )


def _holdout_rows(lesson: TrainingResult, evaluation: Evaluation) -> int:
    """Return how many held-out rows there are.

    Of a log so large that only its newest rows are judged by, all of them count towards the next test.
    """
    return len(evaluation.trial.rows.arm) if lesson.fitted.drifts else lesson.survey.held_rows


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
