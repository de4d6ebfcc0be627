"""The candidate of a retrain: what was learned, as it is stored and as it will serve.

Apart from `retrain` because what an artifact consists of is not how it is judged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from zetaroute.config import Settings
from zetaroute.features import AnyMap
from zetaroute.flows.learning import Lesson, Source
from zetaroute.flows.result import manifest_of
from zetaroute.learn.segments import cell_terms
from zetaroute.policy import Policy
from zetaroute.policy.load import policy_from, stored_files
from zetaroute.registry import ARRAYS, VOCABULARY, Artifact, Registry, unpack


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A version that is still to be judged."""

    manifest: dict[str, Any]
    files: dict[str, bytes]
    policy: Policy


def candidate_of(
    lesson: Lesson,
    source: Source,
    settings: Settings,
    registry: Registry,
    *,
    parent: str,
    known: AnyMap | None,
    seed: int,
) -> Candidate:
    """Return the candidate that was learned; on the `known` map its kinds of queries keep their names."""
    fitted = lesson.fitted
    files = stored_files(fitted.predictor) | fitted.statistics.files()
    same_map = known is not None and fitted.map.identity() == known.identity()
    names = registry.manifest(parent).get("segments") if same_map else None
    manifest = manifest_of(lesson.survey, fitted, settings, parent=parent, seed=seed) | {
        "checks": {name: asdict(one) for name, one in source.checks.items()},
        "reliability": {name: asdict(one) for name, one in lesson.reliability.items()},
        "segments": cell_terms(fitted, lesson.training.rows.texts, kept=names),
    }
    policy = _loaded(manifest, files)
    return Candidate(
        manifest=manifest,
        files=files,
        policy=policy if source.given is None else policy.knowing(source.given),
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
