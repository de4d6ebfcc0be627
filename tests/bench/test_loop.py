"""The loop on vectors decides as the commands do: the same models and probabilities, on the same evidence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.recordings import written
from zetaroute.bench.datasets import Recordings, read_recordings
from zetaroute.bench.full_information import arms_of
from zetaroute.bench.loop import Loop
from zetaroute.bench.steps import Step
from zetaroute.config import Home, Objective, Settings
from zetaroute.domain import Audit, AuditTerms, Decision, Feedback, Outcome, Query, new_id, utc_now
from zetaroute.lifecycle.retrain import retrain
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.log.standings import read_state
from zetaroute.projections import log_of
from zetaroute.router.router import open_router

OBJECTIVE = Objective(answer_value_usd=0.01, satisfaction_value_usd=0.0, second_value_usd=0.0005)
SEED = 5


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    file = written(tmp_path_factory.mktemp("made") / "made.parquet", queries=330)
    return read_recordings(file).side(test=False)


def settings_of(train: Recordings) -> Settings:
    return Settings(arms=arms_of(train), objective=OBJECTIVE)


def entry(train: Recordings, step: Step, decision: Decision) -> Entry:
    """Return the rows that the commands write of a query, its audit included."""
    audit = decision.audit or Audit(probability=0.0, heads=False)
    first = new_id()
    outcomes, feedback = [], []
    for place, arm in enumerate(step.asked.tolist()):
        id_ = first if place == 0 else new_id()
        outcomes.append(
            Outcome(
                id=id_,
                time=utc_now(),
                query=train.texts[step.query],
                model=train.models[arm],
                status="ok",
                policy_version=decision.policy_version,
                propensity=decision.propensity if place == 0 else None,
                role="served" if place == 0 else "audit",
                fallback_of=None if place == 0 else first,
                audit_probability=audit.probability,
                audited=audit.heads,
                contest=decision.contest if place == 0 else None,
                candidates=decision.candidates if place == 0 else (),
                response_s=float(train.latency_s[step.query, arm]),
                cost_usd=float(train.cost_usd[step.query, arm]),
            )
        )
        feedback.append(
            Feedback(
                id=new_id(),
                outcome_id=id_,
                metric="accuracy",
                value=float(train.score[step.query, arm]),
                source="truth",
                author="recorded",
                time=utc_now(),
            )
        )
    return Entry(outcomes=tuple(outcomes), feedback=tuple(feedback))


def assert_same(mine: Decision, theirs: Decision) -> None:
    assert (mine.model, mine.explored, mine.audit and mine.audit.asks) == (
        theirs.model,
        theirs.explored,
        theirs.audit and theirs.audit.asks,
    )
    assert mine.propensity == pytest.approx(theirs.propensity, abs=1e-6)
    assert (mine.contest is None) == (theirs.contest is None)
    if mine.contest is not None and theirs.contest is not None:
        for name in ("side", "champion_model", "challenger_model"):
            assert getattr(mine.contest, name) == getattr(theirs.contest, name)
        for name in ("share", "champion_p", "challenger_p", "champion_usd", "challenger_usd"):
            assert getattr(mine.contest, name) == pytest.approx(getattr(theirs.contest, name), abs=1e-6)


def test_it_decides_as_the_commands_do(train: Recordings, tmp_path: Path) -> None:
    settings, home = settings_of(train), Home(tmp_path)
    log: Log = log_of(home)
    router = open_router(home, settings)
    loop = Loop(train, settings, seed=SEED, audit=None, use_task=False)
    order = np.random.default_rng(SEED).permutation(len(train.texts))
    place, fits, contested = 0, 0, 0
    for steps in loop.play(order, rows=400):
        entries = []
        for step in steps:
            terms = AuditTerms(probability=step.decision.audit.probability if step.decision.audit else 0.0)
            query = Query(text=train.texts[step.query])
            decision = router.decide(query, seed=SEED * 1_000_003 + place, audit=terms)
            assert_same(step.decision, decision)
            contested += decision.contest is not None
            entries.append(entry(train, step, decision))
            place += 1
        log.append(entries)
        log.merge(patience_s=10.0)
        if loop.fits > fits:
            fits = loop.fits
            retrain(home=home, settings=settings, log=log, seed=SEED, jobs=1, page=False)
        past = read_state(home)
        router.sync_versions(home, past)
        router.sync_standings(past)
    assert fits >= 5
    assert contested > 100
