"""Why this model and no other: the kind of query, the words that weighed most, and what would change the choice."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from zetaroute.analysis.counterfactual import NO_RECORD, Counterfactual, counterfactuals
from zetaroute.domain import Arm, Candidate, Decision, Estimate, Objective, Query
from zetaroute.errors import ArtifactError
from zetaroute.features import EmbeddedMap, Embeddings
from zetaroute.features.text_terms import tokens
from zetaroute.policy import Forecast, Policy
from zetaroute.policy.exploration import CAUTION
from zetaroute.policy.forecast import Predictor
from zetaroute.policy.learned import LearnedPredictor
from zetaroute.registry import COLD, Registry

MOST_WORDS = 60
"""Distinct words of a query that are left out one by one."""
SHOWN = 5
SMALLEST = 0.001
"""Accuracy that a word must move to be named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word of the query, and what it does to the lead of the best model over another one."""

    word: str
    accuracy: float
    """Predicted accuracy (1 = always right) that it adds to the lead."""
    against: str
    """The model over which it changes the lead most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What is said of a decision beside its table."""

    best: str
    """The model that the policy prefers; exploring may have drawn another."""
    second: str | None
    lead_usd: float | None
    """Predicted utility of the best model beyond the second one's."""
    segment: str | None
    words: tuple[Word, ...] = ()
    changes: tuple[Counterfactual, ...] | None = None
    """None where it is not known; `note` then says why."""
    p95_s: Mapping[str, float] | None = None
    """By model: the time that 95 of 100 answers would stay within, where it was learned."""
    note: str | None = None

    def json(self) -> dict[str, Any]:
        """Return the shape that JSON answers use."""
        return {**asdict(self), "words": [asdict(one) for one in self.words]}


def explain(
    decision: Decision, query: Query, *, policy: Policy, arms: Sequence[Arm], registry: Registry
) -> Explanation:
    """Explain a decision that `policy` made of `query` just now."""
    predictor = _knowing(policy.predictor, query)
    found = _explained(
        decision.candidates,
        query,
        version=policy.version,
        objective=decision.objective,
        predictor=predictor,
        registry=registry,
    )
    p95 = _forecast(predictor, [query.text], [query.task], arms).response_p95_s[0]
    known = {arm.id: float(p95[k]) for k, arm in enumerate(arms) if not np.isnan(p95[k])}
    return replace(found, p95_s=known)


def explain_past(row: Mapping[str, Any], *, registry: Registry) -> Explanation | None:
    """Explain a logged decision by its figures and by the version that made it.

    Where that version is gone or damaged, the figures alone speak; None where nothing was decided.
    """
    candidates = [_candidate(one) for one in row["candidates"] or ()]
    if not any(one.eligible for one in candidates):
        return None
    objective = row.get("objective")
    return _explained(
        candidates,
        Query(text=row["query"], task=row["task"]),
        version=row["policy_version"],
        objective=None if objective is None else Objective(**objective),
        predictor=_stored(registry, row["policy_version"]),
        registry=registry,
    )


def _candidate(stored: Mapping[str, Any]) -> Candidate:
    """Return the candidate that a row holds."""
    estimates = ("accuracy", "satisfaction", "response_s", "cost_usd", "utility_usd")
    parts = {name: None if stored[name] is None else Estimate(**stored[name]) for name in estimates}
    return Candidate(**{**stored, **parts})


def _explained(
    candidates: Sequence[Candidate],
    query: Query,
    *,
    version: str,
    objective: Objective | None,
    predictor: Predictor | None,
    registry: Registry,
) -> Explanation:
    """Explain a decision by its figures, and by what predicted them where that is known.

    The rule of a policy gives the same choice for the same figures, so nothing is decided again.
    """
    able = [one for one in candidates if one.eligible] or list(candidates)
    tried = [one for one in able if not one.reason.startswith(NO_RECORD)] or able
    bounds = {one.model: one.utility_usd.mean - CAUTION * one.utility_usd.se for one in able}
    ranked = sorted(able, key=lambda one: (one not in tried, -bounds[one.model]))
    best, second = ranked[0], ranked[1] if len(ranked) > 1 else None
    changes, unknown = counterfactuals(candidates, best.model, objective, version)
    notes = [None if predictor is None else _note(predictor), unknown]
    # Only the heads are asked, and those of what they know alone: nothing of a model's address or price counts.
    arms = [Arm(id=one.model, provider="practice", model="") for one in able]
    return Explanation(
        best=best.model,
        second=second.model if second else None,
        lead_usd=best.utility_usd.mean - second.utility_usd.mean if second else None,
        segment=query.task if predictor is None else _segment(predictor, query, version, registry),
        words=() if predictor is None else _weighing(predictor, query, arms, best.model),
        changes=changes,
        note="; ".join(note for note in notes if note) or None,
    )


def _stored(registry: Registry, version: str | None) -> LearnedPredictor | None:
    from zetaroute.policy import load_policy

    if version is None or version == COLD:
        return None
    try:
        predictor = load_policy(registry, version).predictor
    except ArtifactError:
        return None
    return predictor if isinstance(predictor, LearnedPredictor) else None


def _knowing(predictor: Predictor, query: Query) -> Predictor:
    own = query.embedding
    if own is None or not own.values:
        return predictor
    vector = np.array(own.values, dtype=np.float32)
    return predictor.with_embeddings(Embeddings(space=own.space, by_text={query.text: vector}))


def _forecast(
    predictor: Predictor, texts: Sequence[str], tasks: Sequence[str | None], arms: Sequence[Arm]
) -> Forecast:
    return predictor.forecast(predictor.vectors(texts, tasks), arms)


def _segment(predictor: Predictor, query: Query, version: str, registry: Registry) -> str | None:
    """Return the query's task label, else the name of the learned kind that it is nearest to."""
    if query.task is not None or not isinstance(predictor, LearnedPredictor):
        return query.task
    from zetaroute.features.cluster_names import cell_names

    names = cell_names(registry.manifest(version).get("segments"), len(predictor.map.spaces.coarse))
    return names[int(predictor.map.cells(predictor.vectors([query.text], [None])[:, 1:])[0])]


def _weighing(predictor: Predictor, query: Query, arms: Sequence[Arm], best: str) -> tuple[Word, ...]:
    """Return the words whose absence would change a lead in predicted accuracy most, each left out alone."""
    if not isinstance(predictor, LearnedPredictor) or predictor.centre is not None:
        return ()
    if isinstance(predictor.map, EmbeddedMap) or len(arms) < 2:
        return ()
    words = list(dict.fromkeys(word for word in tokens(query.text) if word in predictor.map.vocabulary))
    words = words[:MOST_WORDS]
    patterns = (rf"(?<!\w){re.escape(word)}(?!\w)" for word in words)
    texts = [query.text, *(re.sub(one, " ", query.text, flags=re.IGNORECASE) for one in patterns)]
    accuracy = _forecast(predictor, texts, [query.task] * len(texts), arms).accuracy
    place = next(index for index, arm in enumerate(arms) if arm.id == best)
    lead = accuracy[:, place : place + 1] - accuracy
    found = []
    for word, change in zip(words, lead[0] - lead[1:], strict=True):
        other = int(np.argmax(np.abs(change)))
        if abs(change[other]) >= SMALLEST:
            found.append(Word(word=word, accuracy=float(change[other]), against=arms[other].id))
    return tuple(sorted(found, key=lambda one: -abs(one.accuracy))[:SHOWN])


def _note(predictor: Predictor) -> str | None:
    if not isinstance(predictor, LearnedPredictor):
        return "nothing was learned yet: each model's record and the config's priors speak, the same for every query"
    if predictor.centre is not None:
        return (
            "the log did not show that telling queries apart pays: every query is forecast as the average one"
        )
    return None
