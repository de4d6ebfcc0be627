"""Retrain: read the log, fit, compare with the policy in use on held-out rows, store, and promote if proven."""

from __future__ import annotations

import importlib.metadata
import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from zetaroute.config import Home, Settings
from zetaroute.domain import Promotion, new_id
from zetaroute.errors import ArtifactError, ZetarouteError
from zetaroute.evaluate.gate import FEWEST_HITS, Verdict, judge
from zetaroute.flows.canary import begin_canary, canary_standing
from zetaroute.flows.portrait import portrait
from zetaroute.flows.round import utc_now
from zetaroute.flows.trial import Evaluation, evaluate, margins_of
from zetaroute.learn.fit import Fitted, fit
from zetaroute.learn.frame import Sample, read_frame, sample, take
from zetaroute.learn.segments import cell_terms
from zetaroute.policy import LearnedPredictor, Policy, load_policy
from zetaroute.policy.load import policy_from, stored_files
from zetaroute.registry import ARRAYS, VOCABULARY, Artifact, Registry, unpack
from zetaroute.report.html import retrain_html
from zetaroute.report.markdown import retrain_report
from zetaroute.store.journal import Entry
from zetaroute.store.log import Log

Promote = Literal["auto", "canary", "never", "force"]

FEWEST_ROWS = 20
"""Training rows below which a fit would be noise."""


OUTDATED = 1.5
"""Times as many training rows as a candidate on trial learned from make it worth trying a new one instead."""


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
    promote: Promote = "auto",
    author: str = "retrain",
    page: bool = True,
) -> Retrained:
    """Fit a candidate from the log, judge it against the policy in use, store it, and promote it when proven.

    A candidate that is hopeful and not proven is tried by a canary, unless one runs already. `page` decides
    whether the report is also drawn as HTML.

    Raises ZetarouteError when the log holds too little to learn from.
    """
    start = time.perf_counter()
    registry = Registry(home.artifacts)
    parent = registry.current()
    incumbent = load_policy(registry, parent)
    with log.open() as connection:
        frame = read_frame(connection, since=since)
    arms = settings.arms
    training = sample(frame.filter(~pl.col("holdout")), arms)
    held_out = sample(frame.filter(pl.col("holdout")), arms)
    _require_rows(frame, training)
    known = incumbent.predictor.map if isinstance(incumbent.predictor, LearnedPredictor) else None
    fitted = fit(training, arms, objective=settings.objective, seed=seed, jobs=jobs, known=known)
    files = stored_files(fitted.predictor)
    manifest = _manifest(frame, training, fitted, settings, parent=parent, seed=seed)
    names = registry.manifest(parent).get("segments") if fitted.map is known else None
    manifest["segments"] = cell_terms(fitted, training.texts, kept=names)
    candidate = _loaded(manifest, files)
    changed_s = max((drift.since_s for drift in fitted.drifts), default=0.0)
    usable = take(held_out, ~np.isnan(held_out.pmf[:, 0]) & (held_out.time_s >= changed_s))
    evaluation = evaluate(usable, arms, settings, fitted, incumbent=incumbent, candidate=candidate)
    tests, tested_rows = _tests_before(registry)
    verdict = judge(
        utility=evaluation.differences["utility_usd"],
        margins=margins_of(settings.gate, evaluation),
        support=evaluation.support,
        tests_before=tests,
        # A change in a model is judged at once, on the rows since then; the level still shrinks with every test.
        tested_rows=0 if fitted.drifts else tested_rows,
        holdout_rows=len(usable.arm),
    )
    pinned = registry.pinned()
    promoted = promote == "force" or (promote == "auto" and verdict.word == "PROMOTE" and pinned is None)
    tried = (
        not promoted
        and pinned is None
        and _deserves_trial(promote, verdict, evaluation)
        and _may_succeed(canary_standing(log), registry, training)
    )
    rows = _row_counts(frame, training, held_out, usable)
    result = _result(evaluation, verdict, fitted, rows, parent=parent, promoted=promoted)
    if pinned is not None:
        result["reasons"].append(
            f"{pinned} is pinned and goes on serving: `zetaroute policies pin --off` ends that"
        )
    result |= portrait(
        evaluation.trial,
        objective=settings.objective,
        feature_map=fitted.map,
        named=manifest["segments"],
    )
    manifest["gate"] = {
        "tested": verdict.tested,
        "level": verdict.level,
        "holdout_rows": len(usable.arm),
        "verdict": verdict.word,
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


def _deserves_trial(promote: Promote, verdict: Verdict, evaluation: Evaluation) -> bool:
    """Return whether a candidate that was not promoted is tried on a share of the queries.

    Its estimate must be positive, from rows that show what it would do differently, and no harm proven; who asks
    for a canary by name gets one unless harm is proven.
    """
    support = evaluation.support
    if verdict.word == "REJECT" or support.disagreement == 0.0 or promote not in {"auto", "canary"}:
        return False
    if promote == "canary":
        return True
    hopeful = evaluation.differences["utility_usd"].mean > 0
    return hopeful and support.propensities_consistent and support.hits >= FEWEST_HITS


def _may_succeed(running: Mapping[str, Any] | None, registry: Registry, training: Sample) -> bool:
    """Return whether a new candidate may take the place of the one that a canary tries.

    Only where it has learned from half as many rows again, and while the evidence for the other has not come
    halfway: a restart costs rows and a level, and so does waiting for a verdict on what is outdated.
    """
    if running is None:
        return True
    evidence = running["evidence"]
    try:
        learned_from = registry.manifest(running["version"])["training"]["rows"]
    except ArtifactError:
        return True
    halfway = math.sqrt(evidence["promotes_at"])
    return bool(len(training.arm) >= OUTDATED * learned_from and evidence["gain"] < halfway)


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
            spent += gate["verdict"] != "PROMOTE"
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


def _manifest(
    frame: pl.DataFrame, training: Sample, fitted: Fitted, settings: Settings, *, parent: str, seed: int
) -> dict[str, Any]:
    seen = frame.filter(~pl.col("holdout"))
    libraries = ("numpy", "polars", "scikit-learn", "duckdb", "zetaroute")
    return {
        "created": utc_now(),
        "parent": parent,
        "models": list(fitted.predictor.models),
        "routes": fitted.routes,
        "best_single": fitted.best_single,
        "priced": {model: asdict(priced) for model, priced in fitted.predictor.priced.items()},
        "objective": asdict(settings.objective),
        "features": {
            "terms": len(fitted.map.vocabulary),
            "dimensions": int(fitted.map.spaces.components.shape[1]),
            "size": fitted.map.size,
            "tasks": list(fitted.map.tasks),
            "texts": fitted.map.texts,
        },
        "training": {
            "rows": len(training.arm),
            "since": str(seen["time"].min()),
            "until": str(seen["time"].max()),
            "hash": str(seen["id"].sort().hash(seed=0).sum()),
        },
        "seed": seed,
        "libraries": {name: importlib.metadata.version(name) for name in libraries},
    }


def _row_counts(frame: pl.DataFrame, training: Sample, held_out: Sample, usable: Sample) -> dict[str, int]:
    return {
        "train": len(training.arm),
        "holdout": len(usable.arm),
        "without_propensity": int(frame["propensity"].is_null().sum()),
        "rated": int(frame["satisfaction"].is_not_null().sum()),
        "simulated_ratings": int(frame["rating_simulated"].sum()),
        "graded": int(frame["accuracy"].is_not_null().sum()),
        "recorded": int(frame["recorded"].sum()),
        "practice": sum(1 for model in frame["model"].to_list() if model.startswith("practice/")),
    }


def _result(
    evaluation: Evaluation,
    verdict: Verdict,
    fitted: Fitted,
    rows: Mapping[str, int],
    *,
    parent: str,
    promoted: bool,
) -> dict[str, Any]:
    utility = evaluation.differences["utility_usd"]
    reasons = list(verdict.reasons)
    if not fitted.routes:
        reasons.append(
            f"routing was not shown to beat the best single model on the training rows, so the candidate "
            f"always uses {fitted.best_single}: do not route"
        )
    for drift in fitted.drifts:
        reasons.append(
            f"{fitted.predictor.models[drift.arm]} got {'worse' if drift.z < 0 else 'better'} (z {drift.z:+.1f}): "
            "its older rows hardly count any more, and only newer rows are judged"
        )
    return {
        "parent": parent,
        "verdict": verdict.word,
        "promoted": promoted,
        "reasons": reasons,
        "rows": dict(rows),
        "before": {name: figure.json() for name, figure in evaluation.before.items()},
        "after": {name: figure.json() for name, figure in evaluation.after.items()},
        "difference": {name: change.figure().json() for name, change in evaluation.differences.items()},
        "estimators": {
            "ips": utility.ips,
            "snips": utility.snips,
            "dr": utility.mean,
            "model": utility.model,
        },
        "support": asdict(evaluation.support),
        "baselines": {name: figure.json() for name, figure in evaluation.baselines.items()},
        "share": {"before": dict(evaluation.share_before), "after": dict(evaluation.share_after)},
        "best_single": fitted.best_single,
        "routes": fitted.routes,
        "detectable_usd": verdict.detectable_usd,
        "rows_needed": verdict.rows_needed,
    }
