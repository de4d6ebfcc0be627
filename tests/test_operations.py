"""What grows with the work and what does not: counted operations, which a busy machine cannot change."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

import numpy as np
import pytest

from benchmarks.speed.large_log import repeat_rows
from tests.cli.command import ok
from tests.support.worlds import OBJECTIVE, World
from zetaroute.analysis.kpi import compare, kpis
from zetaroute.analysis.served import Scope, read_served
from zetaroute.config import DEFAULT_RULES, Home, load_settings
from zetaroute.domain import Arm, Query
from zetaroute.features import Embeddings, FeatureMap
from zetaroute.features.text_terms import meta, terms
from zetaroute.learn.feature_maps import MOST_TEXTS, TextMap, cached_meta, outgrown
from zetaroute.learn.fit import fit
from zetaroute.log.log import MANY
from zetaroute.policy import Contest, Forecast, Limits, Policy, PriorPredictor, decide
from zetaroute.projections import log_of

WORLD = World(right={"dates": (0.9, 0.4), "sorting": (0.5, 0.9)}, cost_usd=(0.0001, 0.002))


@contextmanager
def counted() -> Iterator[Counter[Any]]:
    """Count the calls of every function of this thread: by its code, or by its name where it is compiled."""
    calls: Counter[Any] = Counter()

    def note(frame: FrameType, event: str, what: Any) -> None:
        if event == "call":
            calls[frame.f_code] += 1
        elif event == "c_call":
            calls[what.__name__] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(before)


@dataclass(slots=True)
class Counting:
    """The priors, and how often they were asked for what."""

    texts: list[str] = field(default_factory=list)
    forecasts: int = 0
    map: None = None

    def vectors(self, texts: Sequence[str], tasks: Sequence[str | None] | None = None) -> np.ndarray:
        self.texts += texts
        return PriorPredictor().vectors(texts, tasks)

    def forecast(self, vectors: np.ndarray, arms: Sequence[Arm]) -> Forecast:
        self.forecasts += 1
        return PriorPredictor().forecast(vectors, arms)

    def with_embeddings(self, given: Embeddings) -> Counting:
        return self


@pytest.mark.parametrize("arms", [2, 40])
@pytest.mark.parametrize("tried", [False, True])
def test_a_decision_reads_its_query_once_per_policy_however_many_the_models(arms: int, tried: bool) -> None:
    champion, candidate = Counting(), Counting()
    contest = Contest(epoch="c", policy=Policy(version="v2", predictor=candidate), share=0.5)
    decision = decide(
        query=Query(text="hello"),
        arms=[Arm(id=f"m/{k}", provider="practice", model="small") for k in range(arms)],
        policy=Policy(version="v1", predictor=champion),
        objective=OBJECTIVE,
        rate=0.05,
        standings={},
        limits=Limits(),
        guards=(),
        rules=DEFAULT_RULES,
        seed=1,
        now_s=0.0,
        contest=contest if tried else None,
    )
    assert len(decision.candidates) == arms
    assert (champion.texts, champion.forecasts) == (["hello"], 1)
    assert (candidate.texts, candidate.forecasts) == ((["hello"], 1) if tried else ([], 0))


def test_a_vector_takes_as_many_calls_however_long_the_text() -> None:
    frozen = TextMap(WORLD.log(300, seed=1).texts, seed=0).frozen
    found = []
    for times_said in (3, 60):
        with counted() as calls:
            frozen.vectors(["What is 12,5 (about) right? " * times_said])
        found.append({code: times for code, times in calls.items() if not isinstance(code, str)})
    assert found[0] == found[1]
    assert sum(found[0].values()) < 100


class Read(FeatureMap):
    """A map that notes what it reads."""

    read: ClassVar[Counter[str]] = Counter()

    def vectors(self, texts: Sequence[str], tasks: Sequence[str | None] | None = None) -> np.ndarray:
        self.read.update(set(texts))
        return super().vectors(texts, tasks)


def test_a_fit_on_a_known_map_reads_every_text_once() -> None:
    rows = WORLD.log(300, seed=1)
    rows = replace(rows, texts=[*rows.texts[:200], *rows.texts[:100]])
    frozen = TextMap(rows.texts, seed=0).frozen
    known = Read(frozen.vocabulary, frozen.spaces, frozen.tasks, frozen.texts)
    Read.read.clear()
    fit(rows, WORLD.arms(), objective=OBJECTIVE, seed=0, known=known)
    assert set(Read.read) == set(rows.texts)
    assert set(Read.read.values()) == {1}


@pytest.mark.parametrize(
    ("fitted_on", "distinct", "renewed"),
    [(300, 599, False), (300, 600, True), (MOST_TEXTS - 1, 10**6, True), (MOST_TEXTS, 10**9, False)],
)
def test_a_map_that_has_read_all_it_may_is_kept_however_large_the_log(
    fitted_on: int, distinct: int, renewed: bool
) -> None:
    assert outgrown(fitted_on, distinct=distinct) is renewed


@pytest.fixture
def folder(tmp_path: Path, instant_config: str) -> Path:
    (tmp_path / "config.toml").write_text(instant_config, encoding="utf-8")
    return tmp_path


def answered(folder: Path, rows: int, seed: int) -> None:
    queries = str(folder / f"q{seed}.jsonl")
    ok(folder, "practice", "generate", "--rows", str(rows), "--seed", str(seed), "-o", queries)
    ok(folder, "batch", queries)


def test_a_retrain_reads_a_text_once_to_learn_from_it(folder: Path) -> None:
    """And once more for the names of kinds, in the version and in its report: of 2,000 texts at most."""
    answered(folder, 150, seed=3)
    cached_meta.cache_clear()
    with counted() as calls:
        ok(folder, "retrain", "--promote", "never")
    assert 150 <= calls[terms.__code__] <= 3 * 150
    assert 150 <= calls[meta.__code__] <= 2 * 150


def test_one_answer_of_many_takes_as_many_statements_whatever_is_in_the_log_and_the_others_none(
    folder: Path,
) -> None:
    found = []
    for seed, rows in ((1, 3), (2, 150)):
        answered(folder, rows, seed)
        for _ in range(MANY):
            with counted() as calls:
                ok(folder, "ask", "What is 2 + 3?")
            found.append(calls["execute"])
    assert found[:MANY] == found[MANY:] == [*[0] * (MANY - 1), found[-1]]
    assert 0 < found[-1] <= 30


def test_key_figures_take_as_many_steps_whatever_is_in_the_log(folder: Path) -> None:
    """DuckDB adds up: four times the rows are no more statements, no more groups and no more calls of ours."""
    answered(folder, 240, seed=5)
    ok(folder, "retrain", "--promote", "force")
    answered(folder, 240, seed=6)
    home = Home(folder)
    log, settings = log_of(home), load_settings(None, home.config)
    found = []
    for rows in (2400, 2400, 9600):
        # The first time loads what is loaded late.
        repeat_rows(folder, rows)
        with counted() as calls, log.open() as connection:
            kpis(connection, home, settings)
            compare(connection, home, settings)
        with log.open() as connection:
            groups = read_served(connection, Scope()).height
        found.append((calls["execute"] + calls["sql"], groups, calls.total()))
    _, small, large = found
    assert large[:2] == small[:2]
    assert 0 < large[2] < 1.5 * small[2]
