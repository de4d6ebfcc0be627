"""Statistics brought up to date equal those counted afresh, whatever happened to the log in between."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.worlds import OBJECTIVE, World, together
from zetaroute.features.text_map import CONSTANT
from zetaroute.learn.fit import fit
from zetaroute.learn.frame import group_of
from zetaroute.learn.incremental.update import (
    STATISTICS,
    Statistics,
    count,
    kept_statistics,
    statistics_from,
)
from zetaroute.learn.ridge import solve
from zetaroute.learn.samples import Sample, at
from zetaroute.registry import Registry

SIZE = 7
VECTORS = np.column_stack([np.random.default_rng(0).normal(size=(40, SIZE - 1)), np.full(40, CONSTANT)])
"""The vectors of "text 0" to "text 39"."""
WORLD = World(right={"dates": (0.9, 0.4), "sorting": (0.5, 0.9)}, cost_usd=(0.0001, 0.002))


@dataclass(slots=True)
class Written:
    """One row as a log holds it."""

    text: str
    moment: float
    model: str
    accuracy: float | None = None
    satisfaction: float | None = None
    response_s: float | None = None
    tokens: float = 100.0
    weight: float = 1.0
    trust: float = 1.0


@dataclass(slots=True)
class Diary:
    """A log that things happen to."""

    rng: np.random.Generator
    models: list[str] = field(default_factory=lambda: ["a", "b", "c"])
    price: dict[str, float] = field(default_factory=dict)
    rows: list[Written] = field(default_factory=list)
    written: int = 0

    def add(self, number: int) -> None:
        for _ in range(number):
            self.written += 1
            answered = self.rng.random() > 0.1
            self.rows.append(
                Written(
                    text=f"text {self.rng.integers(len(VECTORS))}",
                    moment=float(self.written),
                    model=self.any_model(),
                    accuracy=float(self.rng.random()) if self.rng.random() > 0.3 else None,
                    response_s=float(self.rng.exponential()) if answered else None,
                    tokens=float(self.rng.integers(1, 500)),
                )
            )

    def any_model(self) -> str:
        return self.models[int(self.rng.integers(len(self.models)))]

    def some(self, share: float) -> list[Written]:
        return [row for row in self.rows if self.rng.random() < share]

    def happen(self, event: str) -> None:  # noqa: PLR0912  - one branch for everything that can happen
        match event:
            case "rows":
                self.add(int(self.rng.integers(1, 30)))
            case "repeated row" if self.rows:
                self.rows.append(replace(self.rows[-1]))
            case "late label":
                for row in self.some(0.1):
                    row.accuracy = float(self.rng.integers(2))
            case "label withdrawn":
                for row in self.some(0.05):
                    row.accuracy = None
            case "rating":
                for row in self.some(0.1):
                    row.satisfaction = float(self.rng.random())
            case "deleted":
                self.rows = [row for row in self.rows if self.rng.random() > 0.1]
            case "price":
                self.price[self.any_model()] = float(self.rng.exponential())
            case "new model":
                self.written += 1
                self.models.insert(int(self.rng.integers(len(self.models))), f"new {self.written}")
            case "model gone" if len(self.models) > 1:
                self.models.remove(self.any_model())
            case "weight":
                for row in self.some(0.05):
                    row.weight = 0.25
            case "trust":
                measured = float(self.rng.integers(1, 8)) / 8
                for row in self.some(0.1):
                    row.trust = measured

    def sample(self) -> Sample:
        rows = [row for row in self.rows if row.model in self.models]

        def floats(values: list[float | None]) -> np.ndarray:
            return np.array(values, dtype=np.float64)

        n, arms = len(rows), len(self.models)
        return Sample(
            texts=[row.text for row in rows],
            tasks=[None] * n,
            key=np.array([group_of(None, f"{row.text} {row.moment}") for row in rows], dtype=np.uint64),
            arm=np.array([self.models.index(row.model) for row in rows], dtype=np.int64),
            accuracy=floats([row.accuracy for row in rows]),
            satisfaction=floats([row.satisfaction for row in rows]),
            response_s=floats([row.response_s for row in rows]),
            cost_usd=floats([row.tokens * self.price.get(row.model, 1.0) for row in rows]),
            tokens=np.full((n, 2), np.nan),
            time_s=floats([row.moment for row in rows]),
            answered=np.array([row.response_s is not None for row in rows], dtype=bool),
            pmf=np.full((n, arms), 1.0 / arms),
            eligible=np.ones((n, arms), dtype=bool),
            fold=np.array([len(row.text) % 5 for row in rows], dtype=np.int64),
            stratum=np.ones(n, dtype=np.int64),
            group=np.arange(n, dtype=np.uint64),
            weight=floats([row.weight for row in rows]),
            trust=floats([row.trust for row in rows]),
            ask_chance=np.full(n, np.nan),
            asked=np.zeros(n, dtype=bool),
            prompted=np.zeros(n, dtype=bool),
        )

    def statistics(self, kept: Statistics | None = None, feature_map: str = "map") -> Statistics:
        rows = self.sample()

        def vectors(index: np.ndarray) -> np.ndarray:
            return VECTORS[[int(rows.texts[row].split()[1]) for row in index]]

        return count(rows, self.models, vectors, feature_map=feature_map, size=SIZE, kept=kept)


EVENTS = (
    "rows",
    "repeated row",
    "late label",
    "label withdrawn",
    "rating",
    "deleted",
    "price",
    "new model",
    "model gone",
    "weight",
    "trust",
)


def assert_same(one: Statistics, other: Statistics) -> None:
    """Every head of every fold left out, and of all, forecasts the same."""
    x = np.column_stack([np.random.default_rng(9).normal(size=(20, SIZE - 1)), np.full(20, CONSTANT)])
    for left_out in range(-1, 5):
        heads = []
        for statistics in (one, other):
            total = statistics.folds[0]
            for sums in statistics.folds[1:]:
                total = total + sums
            heads.append(solve(total if left_out < 0 else total - statistics.folds[left_out]))
        for mine, theirs in zip(*heads, strict=True):
            assert (mine is None) == (theirs is None)
            if mine is not None and theirs is not None:
                np.testing.assert_allclose(mine.mean(x), theirs.mean(x), rtol=1e-8, atol=1e-10)
                # The noise is a difference of sums: of a target that does not vary only its smallness is exact.
                np.testing.assert_allclose(mine.se(x), theirs.se(x), rtol=1e-6, atol=1e-6)
                np.testing.assert_array_equal(mine.rows, theirs.rows)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    course=st.lists(st.lists(st.sampled_from(EVENTS), max_size=4), min_size=1, max_size=8),
)
def test_any_course_of_events_ends_with_the_sums_of_a_full_count(seed, course):
    diary = Diary(np.random.default_rng(seed))
    diary.add(60)
    kept = diary.statistics()
    for events in course:
        for event in events:
            diary.happen(event)
        kept = diary.statistics(statistics_from(kept.files()[STATISTICS]))
        assert_same(kept, diary.statistics())


@pytest.mark.parametrize(
    ("event", "added", "subtracted"),
    [
        (lambda diary: None, 0, 0),
        (lambda diary: diary.add(7), 7, 0),
        (lambda diary: setattr(diary.rows[3], "accuracy", 0.125), 1, 1),
        (lambda diary: setattr(diary.rows[3], "satisfaction", 0.5), 1, 1),
        (lambda diary: setattr(diary.rows[3], "trust", 0.5), 1, 1),
        (lambda diary: diary.rows.append(replace(diary.rows[3])), 1, 0),
        (lambda diary: diary.rows.reverse(), 0, 0),
        (lambda diary: diary.models.reverse(), 0, 0),
        (lambda diary: diary.models.remove("b"), 0, 0),
        (lambda diary: diary.models.insert(0, "new"), 0, 0),
    ],
)
def test_only_what_changed_is_counted(event, added, subtracted):
    diary = Diary(np.random.default_rng(1))
    diary.add(80)
    kept = diary.statistics()
    event(diary)
    found = diary.statistics(kept)
    assert (found.incremental, found.added, found.subtracted) == (True, added, subtracted)
    assert found.note()["rows"] == len(diary.sample().arm)
    assert_same(found, diary.statistics())


def test_deleted_row_is_subtracted_when_its_moment_is_still_there():
    """The same query twice at one moment: the vector of the row that is gone can still be had."""
    diary = Diary(np.random.default_rng(2))
    diary.add(50)
    diary.rows.append(replace(diary.rows[0], accuracy=0.9))
    kept = diary.statistics()
    diary.rows.pop()
    found = diary.statistics(kept)
    assert (found.incremental, found.added, found.subtracted) == (True, 0, 1)
    assert_same(found, diary.statistics())


@pytest.mark.parametrize("event", ["text gone", "other map"])
def test_what_cannot_be_brought_up_to_date_is_counted_afresh(event):
    diary = Diary(np.random.default_rng(3))
    diary.add(80)
    kept = diary.statistics()
    if event == "text gone":
        del diary.rows[10]
    found = diary.statistics(kept, feature_map="another" if event == "other map" else "map")
    assert not found.incremental
    assert (found.added, found.subtracted) == (len(diary.rows), 0)


def test_heads_over_the_same_rows_keep_one_matrix_through_the_file():
    diary = Diary(np.random.default_rng(4))
    diary.add(60)
    for row in diary.rows:
        row.accuracy, row.response_s = 1.0, 0.5
    stored = statistics_from(diary.statistics().files()[STATISTICS])
    accuracy, satisfaction, response, cost = stored.folds[0].gram
    assert accuracy is response is cost
    assert not satisfaction.any()


def test_file_holds_no_text():
    rows = WORLD.log(60, seed=1)
    fitted = fit(rows, WORLD.arms(), objective=OBJECTIVE, seed=0)
    packed = fitted.statistics.files()[STATISTICS]
    assert not any(word.encode() in packed for text in rows.texts for word in text.split() if len(word) > 5)


def test_retrained_fit_equals_a_full_one_on_real_vectors(tmp_path):
    """Through the registry: late labels, corrected ones and new rows on the kept map, a drift among them."""
    arms = WORLD.arms()
    fallen = World(right=dict.fromkeys(WORLD.right, (0.1, 0.9)), cost_usd=WORLD.cost_usd)
    complete = together(
        WORLD.log(500, seed=1), WORLD.log(200, seed=2, start_s=500), fallen.log(120, seed=3, start_s=700)
    )
    early = complete.accuracy.copy()
    early[::20], early[1::20] = np.nan, 1.0 - early[1::20]
    before = replace(complete, accuracy=early)
    before = at(before, np.arange(650))
    first = fit(before, arms, objective=OBJECTIVE, seed=0)
    registry = Registry(tmp_path)
    registry.publish({"statistics": first.statistics.note()}, first.statistics.files())
    second = fit(
        complete,
        arms,
        objective=OBJECTIVE,
        seed=0,
        known=first.map,
        kept=lambda identity: kept_statistics(registry, identity),
    )
    full = fit(complete, arms, objective=OBJECTIVE, seed=0, known=first.map)
    assert second.statistics.incremental
    assert second.statistics.added == 820 - 650 + second.statistics.subtracted
    assert not full.statistics.incremental
    assert [drift.arm for drift in full.drifts] == [0]
    assert second.drifts[0].since_s == full.drifts[0].since_s
    vectors = full.predictor.vectors([text for text, _ in WORLD.queries(80, seed=7)])
    mine, theirs = (fitted.predictor.forecast(vectors, arms) for fitted in (second, full))
    for name in ("accuracy", "satisfaction", "response_s", "response_p95_s", "cost_usd"):
        np.testing.assert_allclose(getattr(mine, name), getattr(theirs, name), rtol=1e-8)
    assert second.routes == full.routes


def test_newest_whole_statistics_of_the_map_are_taken(tmp_path):
    registry = Registry(tmp_path)
    diary = Diary(np.random.default_rng(5))
    for _ in range(3):
        diary.add(20)
        statistics = diary.statistics()
        registry.publish({"statistics": statistics.note()}, statistics.files())
    other = diary.statistics(feature_map="another")
    registry.publish({"statistics": other.note()}, other.files())
    registry.publish({}, {})
    assert kept_statistics(registry, "nowhere") is None
    found = kept_statistics(registry, "map")
    assert found is not None
    assert len(found.parts) == 60
    (registry.folder / registry.versions()[2] / STATISTICS).write_bytes(b"broken")
    found = kept_statistics(registry, "map")
    assert found is not None
    assert len(found.parts) == 40
