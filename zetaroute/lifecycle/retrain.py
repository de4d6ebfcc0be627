"""Retrain: read the log, fit, compare with the policy in use on held-out rows, store, and promote if proven."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Literal, get_args

from zetaroute.analysis.canary import canary_standing
from zetaroute.config import Home, Settings
from zetaroute.errors import ArtifactError
from zetaroute.evaluate.gate import Verdict, collapsed_model, judge
from zetaroute.evaluate.log_checks import LogFault
from zetaroute.evaluate.satisfaction import satisfaction_json
from zetaroute.features.cluster_names import cell_names
from zetaroute.learn.fit import Fitted
from zetaroute.learn.incremental.readers import on_cluster
from zetaroute.learn.incremental.train import (
    PARTITION_ROWS,
    TrainingResult,
    TrainingSource,
    open_source,
    opener,
    train,
)
from zetaroute.learn.samples import take
from zetaroute.lifecycle.canary import begin_canary, deserves_trial, may_succeed
from zetaroute.lifecycle.candidate import CandidatePolicy, candidate_of
from zetaroute.lifecycle.holdout import Evaluation, evaluate, margins_of
from zetaroute.lifecycle.log_faults import all_faults, faults_of_log
from zetaroute.lifecycle.report_data import report_data
from zetaroute.lifecycle.result import RetrainRecord, RetrainResult
from zetaroute.lifecycle.versions import make_current
from zetaroute.log.log import Log
from zetaroute.log.standings import read_state
from zetaroute.policy import LearnedPredictor, Policy, load_policy
from zetaroute.registry import Registry
from zetaroute.report import html
from zetaroute.report.markdown import markdown
from zetaroute.report.retrain import retrain_report

Promote = Literal["auto", "canary", "never", "force"]
PROMOTE: tuple[Promote, ...] = get_args(Promote)


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
) -> RetrainResult:
    """Fit a candidate from the log, judge it against the policy in use, store it, and promote it when proven.

    A candidate that is hopeful and not proven is tried by a canary, unless one runs already. With `sources` (see
    `open_sources`) their rows are learned from and judged by, in place of the home's own. The workers of the Dask
    cluster at the address `cluster` do what is done with rows. A large log is read `partition_rows` at a time. `page`
    decides whether the report is also drawn as HTML.

    Raises ZetarouteError when the log holds too little to learn from.
    """
    start = time.perf_counter()
    registry = Registry(home.artifacts)
    source, of_the_log, canary = _opened(
        log, registry, settings, since=since, sources=sources, cluster=cluster, partition_rows=partition_rows
    )
    # Only now: what came in at the opening may have ended a canary.
    parent = registry.current()
    incumbent = load_policy(registry, parent).with_record(read_state(home).standings)
    if source.given is not None:
        incumbent = incumbent.with_embeddings(source.given)
    known = incumbent.predictor.map if isinstance(incumbent.predictor, LearnedPredictor) else None
    with on_cluster(cluster) if cluster is not None else nullcontext():
        lesson = train(source, settings, log, known=known, seed=seed, jobs=jobs)
        made = candidate_of(lesson, source, settings, registry, parent=parent, known=known, seed=seed)
        evaluation = _tried(lesson, made, incumbent, settings, jobs=jobs)
    trial = evaluation.trial
    faults = all_faults(of_the_log, trained=lesson.training.rows, judged=trial.rows, compared=trial.compared)
    verdict = _judged(lesson, evaluation, settings, registry, faults)
    pinned = registry.pinned()
    promoted = promote == "force" or (promote == "auto" and verdict.word == "PROMOTE" and pinned is None)
    tried = (
        not (promoted or pinned or any(fault.refuses for fault in faults))
        and deserves_trial(promote, verdict, evaluation.differences["utility_usd"], evaluation.support)
        and may_succeed(canary, registry, lesson.survey.rows["train"])
    )
    notes = _notes(pinned, source, faults)
    record = _record(
        lesson, made, evaluation, verdict, settings, parent=parent, promoted=promoted, notes=notes
    )
    version = _published(registry, made, lesson, evaluation, verdict, record, page=page)
    if promoted or tried:
        canary = _put_in_use(
            log, registry, settings, lesson, record, version=version, forced=promote == "force", author=author
        )
    elapsed_s, report = time.perf_counter() - start, registry.folder / version / "report.md"
    return RetrainResult(version=version, record=record, canary=canary, elapsed_s=elapsed_s, report=report)


def _opened(
    log: Log,
    registry: Registry,
    settings: Settings,
    *,
    since: str | None,
    sources: Sequence[str],
    cluster: str | None,
    partition_rows: int,
) -> tuple[TrainingSource, list[LogFault], dict[str, Any] | None]:
    """Return what to learn from, the faults of that log, and how the home's canary stands."""
    with opener(log, sources)() as connection:
        source = open_source(
            connection,
            log,
            settings,
            since=since,
            sources=sources,
            cluster=cluster is not None,
            partition_rows=partition_rows,
        )
        faults = faults_of_log(connection, registry, since=since)
        if source.own:
            return source, faults, canary_standing(connection)
    with log.open() as connection:
        return source, faults, canary_standing(connection)


def _put_in_use(
    log: Log,
    registry: Registry,
    settings: Settings,
    lesson: TrainingResult,
    record: RetrainRecord,
    *,
    version: str,
    forced: bool,
    author: str,
) -> dict[str, Any] | None:
    """Let a version serve, or a canary try it when it is not promoted; return how the canary stands then."""
    if record.promoted:
        reason = f"{record.verdict}: {record.reasons[0]}"
        log.append([make_current(registry, version, reason=reason, author=author, forced=forced)])
    with log.open() as connection:
        if not record.promoted:
            begin_canary(
                log,
                connection,
                settings,
                version=version,
                champion=record.parent,
                cost_usd=lesson.training.rows.cost_usd,
                response_s=lesson.training.rows.response_s,
                reason=record.reasons[0],
                author=author,
            )
        return canary_standing(connection)


def _record(
    lesson: TrainingResult,
    made: CandidatePolicy,
    evaluation: Evaluation,
    verdict: Verdict,
    settings: Settings,
    *,
    parent: str,
    promoted: bool,
    notes: Sequence[str],
) -> RetrainRecord:
    """Return what a retrain found; `notes` are said behind the reasons of the verdict."""
    fitted, utility = lesson.fitted, evaluation.differences["utility_usd"]
    changes = {name: change.figure() for name, change in evaluation.differences.items()}
    return RetrainRecord(
        parent=parent,
        verdict=verdict.word,
        promoted=promoted,
        reasons=[*verdict.reasons, *_of_the_fit(fitted), *notes],
        rows={**lesson.survey.rows, "holdout": len(evaluation.trial.rows.arm)},
        before=evaluation.before,
        after=evaluation.after,
        difference=changes | {"p95_response_s": evaluation.p95_response_s},
        estimators={
            "ips": utility.ips,
            "snips": utility.snips,
            "dr": utility.mean,
            "model": utility.model,
        },
        support=evaluation.support,
        satisfaction=satisfaction_json(evaluation.rated),
        harm=[
            {"name": one.name, "tested": one.tested, "harmed": one.harmed, **one.difference.figure().json()}
            for one in evaluation.segments
        ],
        baselines=evaluation.baselines,
        share={"before": dict(evaluation.share_before), "after": dict(evaluation.share_after)},
        best_single=fitted.best_single,
        routes=fitted.routes,
        detectable_usd=verdict.detectable_usd,
        rows_needed=verdict.rows_needed,
        reliability=made.manifest["reliability"],
        shown=report_data(evaluation.trial, objective=settings.objective, feature_map=fitted.map),
    )


def _of_the_fit(fitted: Fitted) -> list[str]:
    words = []
    if not fitted.routes:
        words.append(
            f"routing was not shown to beat the best single model on the training rows, so the candidate "
            f"always uses {fitted.best_single}: do not route"
        )
    for drift in fitted.drifts:
        words.append(
            f"{fitted.predictor.models[drift.arm]} got {'worse' if drift.z < 0 else 'better'} (z {drift.z:+.1f}): "
            "its older rows hardly count any more, and only newer rows are judged"
        )
    return words


def _notes(pinned: str | None, source: TrainingSource, faults: Sequence[LogFault]) -> list[str]:
    """Return what is to be said beside the reasons of the verdict."""
    goes_on = f"{pinned} is pinned and goes on serving: `zetaroute policies pin --off` ends that"
    return [
        *([] if pinned is None else [goes_on]),
        *source.notes,
        *(fault.words for fault in faults if not fault.refuses),
    ]


def _published(
    registry: Registry,
    made: CandidatePolicy,
    lesson: TrainingResult,
    evaluation: Evaluation,
    verdict: Verdict,
    record: RetrainRecord,
    *,
    page: bool,
) -> str:
    """Store the candidate with what was found of it, and return the name of the version."""
    gate = {
        "tested": verdict.tested,
        "level": verdict.level,
        "holdout_rows": _holdout_rows(lesson, evaluation),
        "verdict": verdict.word,
        "promoted": record.promoted,
    }
    result = record.json()
    files = {
        **made.files,
        "kpi.json": json.dumps(result, indent=2, allow_nan=False).encode(),
        "report.md": markdown(retrain_report(result)).encode(),
    }
    if page:
        files["report.html"] = html.page(retrain_report(result)).encode()
    return registry.publish({**made.manifest, "gate": gate}, files)


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
