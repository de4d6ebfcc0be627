"""How what was served went: parts of equal size, marks where the version changed, kinds of queries, examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from zetaroute.analysis.query_kinds import Kinds
from zetaroute.analysis.served import Scope, as_served, read_served
from zetaroute.analysis.timeline import (
    EXAMPLES,
    LONGEST_EXAMPLE,
    by_segment,
    over_time,
    read_course,
    read_examples,
)
from zetaroute.config import Home, Objective, Settings
from zetaroute.domain import Feedback, Outcome, Promotion
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log

START = datetime(2026, 1, 1)
OBJECTIVE = Objective(answer_value_usd=0.01, satisfaction_value_usd=0.0, second_value_usd=0.0)
SETTINGS = Settings(arms=())


@dataclass(slots=True)
class Told:
    """A log that a query per minute comes to."""

    log: Log
    queries: int = 0
    entries: list[Entry] = field(default_factory=list)

    def served(
        self,
        accuracy: Sequence[float | None],
        *,
        version: str = "v0000",
        models: Sequence[str] | None = None,
        kinds: Sequence[str] | None = None,
        texts: Sequence[str] | None = None,
        **more: Any,
    ) -> None:
        for place, value in enumerate(accuracy):
            moment = (START + timedelta(minutes=self.queries)).isoformat()
            one = Outcome(
                id=f"{self.queries:06}",
                time=moment,
                query=texts[place] if texts else f"query {self.queries}",
                model=models[place] if models else "m0",
                task=kinds[place] if kinds else None,
                status="ok",
                policy_version=version,
                response_s=0.0,
                cost_usd=0.0,
                **more,
            )
            told = Feedback(
                id=f"f{one.id}",
                outcome_id=one.id,
                metric="accuracy",
                value=value or 0.0,
                source="truth",
                author="test",
                time=moment,
            )
            self.entries.append(Entry(outcomes=(one,), feedback=() if value is None else (told,)))
            self.queries += 1

    def promoted(self, minute: int, version: str) -> None:
        moment = START + timedelta(minutes=minute, seconds=-30)
        change = Promotion(
            id=f"p{minute:06}",
            time=moment.isoformat(),
            version=version,
            previous="v0000",
            reason="",
            author="test",
        )
        self.entries.append(Entry(promotions=(change,)))

    def write(self) -> Log:
        self.log.append(self.entries)
        self.entries = []
        return self.log

    def over_time(self, *, chosen: bool = False) -> dict[str, Any]:
        with self.write().open() as connection:
            course = read_course(connection, since=None, chosen=chosen)
            frame = read_served(connection, Scope(), edges=course.edges)
        return over_time(frame, as_served(frame, SETTINGS), OBJECTIVE, course.marks)

    def by_segment(self) -> list[dict[str, Any]]:
        with self.write().open() as connection:
            frame = read_served(connection, Scope(), kinds=Kinds())
        before, after = (frame.filter(policy_version=version) for version in ("v0000", "v0001"))
        return by_segment((before, as_served(before, SETTINGS)), (after, as_served(after, SETTINGS)))


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(Log(Home(tmp_path)))


def test_parts_are_of_equal_size_and_marks_stand_where_the_version_changed(told: Told) -> None:
    told.served([0.0] * 100 + [1.0] * 100)
    for minute, version in ((0, "v0001"), (100, "v0002"), (200, "v0003")):
        told.promoted(minute, version)
    found = told.over_time()
    bins = found["bins"]
    assert [(one["first"], one["last"]) for one in bins] == [(40 * k + 1, 40 * k + 40) for k in range(5)]
    assert bins[1]["since"] == str(START + timedelta(minutes=40))
    assert bins[1]["until"] == str(START + timedelta(minutes=79))
    assert [one["accuracy_rate"]["value"] for one in bins] == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert [one["utility_usd"]["value"] for one in bins] == pytest.approx([0.0, 0.0, 0.005, 0.01, 0.01])
    assert bins[2]["accuracy_rate"]["low"] < 0.5 < bins[2]["accuracy_rate"]["high"]
    assert [(mark["version"], mark["at"]) for mark in found["marks"]] == [("v0002", 100), ("v0003", 200)]
    assert found["marks"][0]["time"] == str(START + timedelta(minutes=100, seconds=-30))


@pytest.mark.parametrize(("rows", "parts"), [(0, 0), (1, 1), (79, 1), (80, 2), (40 * 26, 24)])
def test_number_of_parts(told: Told, rows: int, parts: int) -> None:
    told.served([1.0] * rows)
    sizes = [one["last"] - one["first"] + 1 for one in told.over_time()["bins"]]
    assert (len(sizes), sum(sizes)) == (parts, rows)
    assert max(sizes, default=0) - min(sizes, default=0) <= 1


def test_parts_of_what_policies_chose_leave_pinned_queries_out(told: Told) -> None:
    told.served([1.0] * 60, forced=True)
    told.served([1.0] * 80)
    with told.write().open() as connection:
        course = read_course(connection, since=None, chosen=True)
    assert course.edges == ("000060", "000100")


def test_a_part_that_nobody_judged_has_no_figure(told: Told) -> None:
    told.served([None] * 40 + [1.0] * 40)
    first, second = told.over_time()["bins"]
    assert first["accuracy_rate"]["value"] is first["utility_usd"]["value"] is None
    assert second["accuracy_rate"]["n"] == 40


def test_kinds_of_queries_on_two_sides(told: Told) -> None:
    told.served([1.0, 0.0, 1.0], models=["m0", "m0", "m1"], kinds=["a", "a", "b"])
    told.served([1.0, 1.0, 1.0], models=["m1", "m1", "m0"], kinds=["a", "a", "c"], version="v0001")
    found = {one["name"]: one for one in told.by_segment()}
    assert next(iter(found)) == "a"
    assert found["a"]["rows"] == {"before": 2, "after": 2}
    assert (found["a"]["before"], found["a"]["after"]) == ({"m0": 1.0}, {"m1": 1.0})
    assert found["a"]["accuracy_rate"]["difference"]["value"] == 0.5
    assert (found["b"]["after"], found["c"]["before"]) == ({}, {})
    assert found["b"]["accuracy_rate"]["difference"]["value"] is None


def test_examples_are_of_the_model_that_grew_short_and_few(told: Told) -> None:
    told.served([1.0] * 4, kinds=["a"] * 4)
    texts = ["old 1", "old 2", " \n", "long " * 200, "twice", "twice", "one", "two"]
    models = ["m0"] * 2 + ["m1"] * 6
    told.served([1.0] * 8, version="v0001", models=models, kinds=["a"] * 8, texts=texts)
    told.served([1.0], version="v0001", models=["m1"], kinds=["a"], texts=["pinned"], forced=True)
    segments = told.by_segment()
    with told.log.open() as connection:
        found = read_examples(connection, "v0001", segments, Kinds(), since=None)
    assert found == {"a": [("long " * 200)[:LONGEST_EXAMPLE], "twice", "one"]}
    assert len(found["a"]) == EXAMPLES
