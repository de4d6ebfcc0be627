"""Decisions within one process, and loading a policy, beside a scikit-learn pipeline that predicts the same.

The reference stops at the predictions: it has no standard errors, no limits and no probabilities.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import joblib
from threadpoolctl import threadpool_limits

from benchmarks.speed.homes import ARMS, learned_home
from benchmarks.speed.measuring import Figure, Timed, medians, timed
from benchmarks.speed.reference import fitted
from zetaroute.config import Home, Settings, load_settings
from zetaroute.domain import Query
from zetaroute.policy import Limits, Policy, decide, load_policy
from zetaroute.policy.policy import Expectation
from zetaroute.practice.generator import generate
from zetaroute.registry import Registry
from zetaroute.router.prefetch import Task, prefetching

TOKENS = (200, 4000)
CHARACTERS_PER_TOKEN = 4
TEXTS = 20
REFERENCE, DOUBTING = "scikit-learn, predictions alone", "scikit-learn with standard errors"


def decisions(folder: Path, repeats: int) -> list[Figure]:
    """Return the median times of a decision by text length, and of loading a policy."""
    home = folder / "learned"
    if not home.exists():
        learned_home(home)
    place = Home(home)
    settings = load_settings(None, place.config)
    registry = Registry(place.artifacts)
    version = registry.current()
    policy, reference = load_policy(registry, version), fitted()
    stored = home / "pipeline.joblib"
    joblib.dump(reference, stored)
    figures = []
    with threadpool_limits(limits=1):
        for tokens in TOKENS:
            queries = texts(tokens)
            found = medians(
                {
                    "ours": _each(queries, lambda text: decided(policy, settings, text)),
                    "together": _together(queries, policy, settings),
                    REFERENCE: _each(queries, reference.predict),
                    DOUBTING: _each(queries, reference.doubt),
                },
                repeats,
            )
            what = f"decision, {tokens:,} tokens, {ARMS} models"
            figures += [
                _beside(what, found, REFERENCE),
                _beside(what, found, DOUBTING),
                Figure(
                    what=f"{what}, in blocks as in `batch`",
                    value=found["together"],
                    reference="one by one",
                    beside=found["ours"],
                ),
            ]
        loading = medians(
            {
                "ours": timed(lambda: load_policy(registry, version)),
                REFERENCE: timed(lambda: joblib.load(stored)),
            },
            repeats,
        )
    return [*figures, _beside("loading a policy", loading, REFERENCE)]


def _each(queries: Sequence[str], work: Callable[[str], object]) -> Timed:
    """Return what does some work on every query in a row, as `batch` does, and returns the mean seconds for one."""

    def run() -> float:
        start = time.perf_counter()
        for text in queries:
            work(text)
        return (time.perf_counter() - start) / len(queries)

    return run


def _together(texts: Sequence[str], policy: Policy, settings: Settings) -> Timed:
    """Return what decides blocks of queries as `batch` does, and returns the mean seconds for one."""
    queries: list[Task | None] = [(Query(text=text), None) for text in texts]
    expected: dict[str, Expectation] = {}

    def look(block: Sequence[Query]) -> None:
        if block:
            found = policy.expect(block, settings.arms)
            expected.update((query.text, one) for query, one in zip(block, found, strict=True))

    def run() -> float:
        start = time.perf_counter()
        for task in prefetching(iter(queries), look):
            if task is not None:
                text = task[0].text
                decided(policy, settings, text, {policy.version: expected.pop(text)})
        return (time.perf_counter() - start) / len(queries)

    return run


def texts(tokens: int) -> list[str]:
    """Return TEXTS different texts of about so many tokens, put together from practice queries."""
    size = tokens * CHARACTERS_PER_TOKEN
    queries = iter(generate(rows=TEXTS * (size // 50 + 1), seed=11))
    return [_grown(queries, size) for _ in range(TEXTS)]


def _grown(queries: Iterator[Any], size: int) -> str:
    text = ""
    while len(text) < size:
        text += next(queries).query.text + "\n"
    return text[:size]


def decided(
    policy: Policy, settings: Settings, text: str, expected: Mapping[str, Expectation] = MappingProxyType({})
) -> None:
    """Decide a query, with a chain where the policy has one."""
    decide(
        query=Query(text=text),
        arms=settings.arms,
        policy=policy,
        objective=settings.objective,
        rate=settings.explore.rate,
        standings={},
        limits=Limits(),
        guards=settings.guards,
        seed=1,
        now_s=time.time(),
        chains=True,
        expected=expected,
    )


def _beside(what: str, found: dict[str, float], reference: str) -> Figure:
    return Figure(what=what, value=found["ours"], reference=reference, beside=found[reference])
