"""Retrain: read the log, fit, compare with the policy in use on held-out rows, store, and promote if proven."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from zetaroute.config import Home, Settings
from zetaroute.domain import Promotion, new_id, utc_now
from zetaroute.errors import ArtifactError
from zetaroute.evaluate.gate import Verdict, collapsed_model, judge
from zetaroute.features.kinds import cell_names
from zetaroute.flows.canary import begin_canary, canary_standing, deserves_trial, may_succeed
from zetaroute.flows.cluster import on_cluster
from zetaroute.flows.findings import findings
from zetaroute.flows.learning import learn, open_source
from zetaroute.flows.portrait import portrait
from zetaroute.flows.reading import BLOCK
from zetaroute.flows.result import manifest_of, result_of
from zetaroute.flows.trial import evaluate, margins_of
from zetaroute.learn.frame import take
from zetaroute.learn.segments import cell_terms
from zetaroute.policy import LearnedPredictor, Policy, load_policy
from zetaroute.policy.load import policy_from, stored_files
from zetaroute.registry import ARRAYS, VOCABULARY, Artifact, Registry, unpack
from zetaroute.report.html import retrain_html
from zetaroute.report.markdown import retrain_report
from zetaroute.store.journal import Entry
from zetaroute.store.log import Log
from zetaroute.store.standing import read_past

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
    block: int = BLOCK,
    promote: Promote = "auto",
    author: str = "retrain",
    page: bool = True,
) -> Retrained:
    """Fit a candidate from the log, judge it against the policy in use, store it, and promote it when proven.

    A candidate that is hopeful and not proven is tried by a canary, unless one runs already. With `sources` (see
    `open_sources`) their rows are learned from and judged by, in place of the home's own. The workers of the Dask
    cluster at the address `cluster` do what is done with rows. A large log is read `block` rows at a time. `page`
    decides whether the report is also drawn as HTML.

    Raises ZetarouteError when the log holds too little to learn from.
    """
    start = time.perf_counter()
    registry = Registry(home.artifacts)
    parent = registry.current()
    incumbent, arms = load_policy(registry, parent).remembering(read_past(home).standings), settings.arms
    with on_cluster(cluster) if cluster else nullcontext():
        source = open_source(
            log, settings, since=since, sources=sources, cluster=cluster is not None, block=block
        )
        if source.given is not None:
            incumbent = incumbent.knowing(source.given)
        known = incumbent.predictor.map if isinstance(incumbent.predictor, LearnedPredictor) else None
        lesson = learn(source, settings, registry, log, known=known, seed=seed, jobs=jobs)
        fitted, training, seen = lesson.fitted, lesson.training.rows, lesson.survey
        files = stored_files(fitted.predictor) | fitted.statistics.files()
        manifest = manifest_of(seen, fitted, settings, parent=parent, seed=seed)
        same_map = known is not None and fitted.map.identity() == known.identity()
        names = registry.manifest(parent).get("segments") if same_map else None
        manifest |= {
            "checks": {name: asdict(one) for name, one in source.checks.items()},
            "reliability": {name: asdict(one) for name, one in lesson.reliability.items()},
        }
        manifest["segments"] = cell_terms(fitted, training.texts, kept=names)
        candidate = _loaded(manifest, files)
        if source.given is not None:
            candidate = candidate.knowing(source.given)
        changed_s = max((drift.since_s for drift in fitted.drifts), default=0.0)
        current = lesson.held_out.rows.time_s >= changed_s
        usable = take(lesson.held_out.rows, current)
        evaluation = evaluate(
            usable,
            lesson.held_out.x[current].astype(np.float64),
            arms,
            settings,
            fitted,
            incumbent=incumbent,
            candidate=candidate,
            names=cell_names(manifest["segments"], len(fitted.map.spaces.coarse)),
            jobs=jobs,
        )
    # Of a log so large that only its newest rows are judged by, all that there are count towards the next test.
    holdout_rows = len(usable.arm) if fitted.drifts else seen.held_rows
    with source.open() as connection:
        faults = findings(
            log,
            connection,
            registry,
            trained=training,
            judged=usable,
            compared=evaluation.trial.compared,
            since=since,
        )
    tests, tested_rows = _tests_before(registry)
    verdict = judge(
        utility=evaluation.differences["utility_usd"],
        margins=margins_of(settings.gate, evaluation),
        support=evaluation.support,
        tests_before=tests,
        # A change in a model is judged at once, on the rows since then; the level still shrinks with every test.
        tested_rows=0 if fitted.drifts else tested_rows,
        holdout_rows=holdout_rows,
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
        and may_succeed(canary_standing(log), registry, seen.rows["train"])
    )
    result = result_of(
        evaluation,
        verdict,
        fitted,
        {**seen.rows, "holdout": len(usable.arm)},
        parent=parent,
        promoted=promoted,
    )
    if pinned is not None:
        result["reasons"].append(
            f"{pinned} is pinned and goes on serving: `zetaroute policies pin --off` ends that"
        )
    result["reasons"] += [*source.notes, *(fault.words for fault in faults if not fault.refuses)]
    result["reliability"] = manifest["reliability"]
    result |= portrait(evaluation.trial, objective=settings.objective, feature_map=fitted.map)
    manifest["gate"] = {
        "tested": verdict.tested,
        "level": verdict.level,
        "holdout_rows": holdout_rows,
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
