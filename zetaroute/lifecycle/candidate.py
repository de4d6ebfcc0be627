"""The candidate that a retrain has learned, and the manifest of its artifact."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from zetaroute.config import Settings, graders_hash
from zetaroute.domain import utc_now
from zetaroute.features import EmbeddedMap
from zetaroute.learn.clusters import cell_terms
from zetaroute.learn.fit import Fitted
from zetaroute.learn.incremental.survey import Survey
from zetaroute.learn.incremental.train import TrainingResult, TrainingSource
from zetaroute.learn.kept_chain import LearnedChain
from zetaroute.policy import Policy
from zetaroute.policy.chain.files import chain_manifest
from zetaroute.policy.learned import LearnedPredictor
from zetaroute.policy.serialise import policy_from, priced_json, stored_files
from zetaroute.registry import ARRAYS, VOCABULARY, Artifact, Registry, unpack


def manifest_of(
    survey: Survey, fitted: Fitted, settings: Settings, *, parent: str, seed: int
) -> dict[str, Any]:
    libraries = ("numpy", "polars", "scikit-learn", "duckdb", "zetaroute")
    return {
        "created": utc_now(),
        "parent": parent,
        "models": list(fitted.predictor.models),
        "routes": fitted.routes,
        "anchor": fitted.anchor,
        "priced": {model: priced_json(priced) for model, priced in fitted.predictor.priced.items()},
        "objective": asdict(settings.objective),
        "graders": graders_hash(settings.graders, settings.arms),
        "features": {
            "terms": len(fitted.map.vocabulary),
            "dimensions": int(fitted.map.spaces.components.shape[1]),
            "size": fitted.map.size,
            "tasks": list(fitted.map.tasks),
            "texts": fitted.map.texts,
            "embedding": fitted.map.space if isinstance(fitted.map, EmbeddedMap) else None,
        },
        "training": {
            "rows": survey.rows["train"],
            "since": str(survey.since),
            "until": str(survey.until),
            "hash": str(survey.hash),
        },
        "seed": seed,
        "libraries": {name: importlib.metadata.version(name) for name in libraries},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidatePolicy:
    """A version that is still to be judged."""

    manifest: dict[str, Any]
    files: dict[str, bytes]
    policy: Policy
    predictor: LearnedPredictor


def candidate_of(
    fitted: Fitted,
    lesson: TrainingResult,
    source: TrainingSource,
    settings: Settings,
    registry: Registry,
    *,
    parent: str,
    known: Policy,
    seed: int,
    chain: LearnedChain,
) -> CandidatePolicy:
    """Return what was fitted as a candidate; on the map of `known` its kinds of queries keep their names."""
    files = stored_files(fitted.predictor, fitted.average, chain.plan)
    names = None
    if (
        isinstance(known.predictor, LearnedPredictor)
        and fitted.map.identity() == known.predictor.map.identity()
    ):
        names = registry.manifest(known.version).get("segments")
    manifest = manifest_of(lesson.survey, fitted, settings, parent=parent, seed=seed) | {
        "checks": {name: asdict(one) for name, one in source.checks.items()},
        "reliability": {name: asdict(one) for name, one in lesson.reliability.items()},
        "segments": cell_terms(fitted, lesson.newest.rows.texts, kept=names),
        "chain": chain_manifest(chain.plan),
        "chain_fitted_on": asdict(chain.fitted_on),
    }
    policy = _loaded(manifest, files)
    return CandidatePolicy(
        manifest=manifest,
        files=files,
        predictor=fitted.predictor,
        policy=policy if source.given is None else policy.with_embeddings(source.given),
    )


def _loaded(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Policy:
    """Return the candidate as it will be loaded, so that what is judged is what will serve."""
    artifact = Artifact(
        version="candidate",
        manifest=manifest,
        arrays=unpack(files[ARRAYS]),
        vocabulary=tuple(json.loads(files[VOCABULARY])),
    )
    return policy_from(artifact)
