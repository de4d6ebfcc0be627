"""A file to answer, without the command: what is asked, resumed and written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.command import read_lines, write_lines
from zetaroute.batch.job import BatchJob, answer_file, target_of
from zetaroute.batch.preview import preview
from zetaroute.batch.run import BatchPlan
from zetaroute.config import Home, Settings
from zetaroute.domain import Check
from zetaroute.errors import ConfigError, UsageError
from zetaroute.log.log import Log
from zetaroute.router.answer import Answer


@pytest.fixture
def job(tmp_path: Path) -> BatchJob:
    lines = [{"query": f"What is {n} + 3?", "custom_id": f"c{n}", "reference": str(n + 3)} for n in range(6)]
    source = str(write_lines(tmp_path / "q.jsonl", lines))
    return BatchJob(source=source, target=target_of(source, None), plan=BatchPlan(models=("practice/large",)))


def test_a_file_is_answered_and_the_same_job_goes_on(home: Home, settings: Settings, job: BatchJob) -> None:
    log, told = Log(home), []
    first = answer_file(log, settings, replace(job, limit=4), on_answer=told.append)
    assert (first.answered, first.skipped, first.accuracy) == (4, 0, 1.0)
    assert {answer.outcome.run for answer in told} == {job.run}
    ahead = preview(log, settings, job)
    assert (ahead["rows"], ahead["skipped"]) == (2, 4)
    second = answer_file(log, settings, job)
    assert (second.answered, second.skipped) == (2, 4)
    assert {line["custom_id"] for line in read_lines(job.target)} == {f"c{n}" for n in range(6)}
    assert answer_file(log, settings, replace(job, restart=True)).answered == 6


def test_what_is_interrupted_says_so(home: Home, settings: Settings, job: BatchJob) -> None:
    stops: list[asyncio.Event] = []

    @contextmanager
    def interruptible(stopping: asyncio.Event) -> Iterator[None]:
        stops.append(stopping)
        yield

    def enough(answer: Answer) -> None:
        stops[0].set()

    plan = replace(job.plan, concurrency=1)
    done = answer_file(
        Log(home), settings, replace(job, plan=plan), on_answer=enough, interruptible=interruptible
    )
    assert (done.interrupted, done.stopped) == (True, "interrupted")
    assert 0 < done.answered < 6
    assert len(read_lines(job.target)) == done.answered


def test_a_run_is_known_by_its_file_target_and_models(job: BatchJob, tmp_path: Path) -> None:
    others = [
        replace(job, target=tmp_path / "other.jsonl"),
        replace(job, plan=BatchPlan()),
        replace(job, source=str(tmp_path / "other.jsonl")),
    ]
    assert len({job.run, *(one.run for one in others)}) == 4
    assert replace(job, limit=3, restart=True).run == job.run


@pytest.mark.parametrize(
    ("plan", "error"),
    [
        (BatchPlan(models=("gone/away",)), "no model is called"),
        (BatchPlan(check=Check(grader="exact")), "needs something to hold answers against"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_asked(
    home: Home, settings: Settings, job: BatchJob, plan: BatchPlan, error: str
) -> None:
    with pytest.raises((ConfigError, UsageError), match=error):
        answer_file(Log(home), settings, replace(job, plan=plan))
    assert not job.target.exists()


def test_answers_of_standard_input_need_a_place(tmp_path: Path) -> None:
    assert target_of("q.jsonl", None) == Path("q.jsonl.answers.jsonl")
    with pytest.raises(UsageError, match="name where answers go"):
        target_of("-", None)
    with pytest.raises(UsageError, match="is a folder"):
        target_of("q.jsonl", tmp_path)
