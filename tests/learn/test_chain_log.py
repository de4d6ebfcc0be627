"""What a log's audits teach of chains."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from tests.log.test_log import feedback, outcome
from tests.support.chains import COST_USD, RIGHT, SECONDS, WORTH
from zetaroute.answers.names import SIGNS
from zetaroute.config import Home
from zetaroute.domain import SIGNAL, Arm, Objective, new_id
from zetaroute.forget.forget import choose, forget
from zetaroute.learn.chain_log import chain_of_log
from zetaroute.learn.fit import Fitted, fit
from zetaroute.learn.frame import read_frame, sample
from zetaroute.learn.incremental.collect import ReadRows
from zetaroute.learn.kept_chain import AuditedAnswers, kept_chain
from zetaroute.log.journal import Entry
from zetaroute.log.log import Log
from zetaroute.policy import Policy
from zetaroute.policy.chain.plan import ChainPlan
from zetaroute.policy.chain.posterior import sigmoid

MODELS = ("small", "medium", "large")
ARMS = tuple(Arm(id=name, provider="recorded", model=name) for name in MODELS)


def audited(number: int, rng: np.random.Generator, **changes) -> Entry:
    """Return one query that all models have answered, with their grades."""
    truth, rows, grades = int(rng.integers(1_000, 10_000)), [], []
    first = new_id()
    for place, model in enumerate(MODELS):
        right = bool(rng.random() < RIGHT[place])
        said = truth if right else int(rng.integers(1_000, 10_000))
        row = outcome(
            id=first if place == 0 else new_id(),
            query=f"How many of {number}?",
            model=model,
            role="served" if place == 0 else "audit",
            fallback_of=None if place == 0 else first,
            audited=True,
            audit_probability=0.25,
            response=f"The answer is {said}.",
            cost_usd=COST_USD[place],
            response_s=SECONDS[place],
        )
        row = replace(row, **changes)
        rows.append(row)
        grades.append(feedback(row.id, float(right)))
    return Entry(outcomes=tuple(rows), feedback=tuple(grades))


def signalled(number: int, rng: np.random.Generator) -> Entry:
    """Return one query whose answers are all the same, with a signal that is right nine times out of ten."""
    entry = audited(number, rng, response="It is done.")
    said = [
        replace(feedback(one.outcome_id, abs(one.value - (rng.random() < 0.1))), metric=SIGNAL)
        for one in entry.feedback
    ]
    return replace(entry, feedback=(*entry.feedback, *said))


def learned(home: Home) -> ChainPlan | None:
    return fitted_chain(home)[1]


def fitted_chain(home: Home) -> tuple[Fitted, ChainPlan | None]:
    log = Log(home)
    log.merge()
    with log.open() as connection:
        frame = read_frame(connection)
        rows = sample(frame, ARMS)
        fitted = fit(rows, ARMS, objective=WORTH, seed=0)
        x = fitted.vectors(rows.texts, rows.tasks).astype(np.float32)
        newest = ReadRows(rows=rows, x=x, order=frame.select("time", "id"))
        return fitted, chain_of_log(connection, newest, fitted, ARMS, WORTH)


def test_audited_queries_teach_a_chain_that_gains(home) -> None:
    rng = np.random.default_rng(0)
    Log(home).append([audited(number, rng) for number in range(160)])
    plan = learned(home)
    assert plan is not None
    assert plan.models == MODELS
    assert plan.objective == WORTH
    assert plan.serves
    # About .0022 USD more than the large model alone, give or take three standard errors.
    assert plan.gain_usd == pytest.approx(0.0022, abs=3 * plan.gain_se)
    assert plan.gain_se == pytest.approx(0.0008, abs=0.0004)


def test_a_signal_of_the_users_own_is_weighed_with_all_else(home) -> None:
    rng = np.random.default_rng(0)
    entries = [signalled(number, rng) for number in range(160)]
    Log(home).append(entries)
    plan = learned(home)
    assert plan is not None
    assert plan.serves
    posterior, prior = plan.posterior, np.zeros((1, 3))
    signs = np.tile(posterior.centre[0], (3, 1))
    # Told, not told, and told that it fails: what is not known moves nothing.
    signs[:, SIGNS.index("signal")] = (1.0, np.nan, 0.0)
    right = sigmoid(np.vstack([posterior.view(prior, 0, one[None]) for one in signs])[:, 0])
    mean = signs.copy()[:1]
    mean[0, SIGNS.index("signal")] = posterior.centre[0, SIGNS.index("signal")]
    assert right[0] > 0.7
    assert right[1] == pytest.approx(sigmoid(posterior.view(prior, 0, mean))[0, 0])
    assert right[2] < 0.3


def test_log_probabilities_are_read_from_the_log(home) -> None:
    rng = np.random.default_rng(0)
    Log(home).append([audited(number, rng, logprobs=(-2.0, -1.0, -0.25)) for number in range(60)])
    plan = learned(home)
    assert plan is not None
    assert plan.posterior.centre[:, SIGNS.index("logprob mean")] == pytest.approx(-0.25)


def test_queries_that_no_coin_let_several_models_answer_teach_none(home) -> None:
    rng = np.random.default_rng(0)
    Log(home).append([audited(number, rng, audited=False) for number in range(60)])
    assert learned(home) is None


def test_answers_that_were_not_kept_teach_none(home) -> None:
    rng = np.random.default_rng(0)
    Log(home).append([audited(number, rng, response=None) for number in range(60)])
    assert learned(home) is None


def test_a_chain_is_kept_until_a_tenth_more_answers_have_come_or_one_is_forgotten(home) -> None:
    rng, log = np.random.default_rng(0), Log(home)
    log.append([audited(number, rng) for number in range(60)])
    fitted, plan = fitted_chain(home)
    known = fitted.policy("v1", plan)
    with log.open() as connection:
        then = AuditedAnswers.of_log(connection)
    manifest = {"objective": asdict(WORTH), "chain_fitted_on": asdict(then)}

    def kept(policy: Policy = known, objective: Objective = WORTH) -> tuple[str, ...] | None:
        log.merge()
        with log.open() as connection:
            found = kept_chain(connection, policy, manifest, fitted, objective)
        assert found is None or (found.plan, found.fitted_on) == (policy.chain, then)
        return None if found is None else found.notes

    log.append([audited(100 + number, rng) for number in range(6)])
    (words,) = kept() or ("",)
    assert "18 audited answers have come since its 180, more than 18 fit it anew" in words
    assert kept(objective=replace(WORTH, answer_value_usd=0.5)) is None
    # That there is none yet is kept too, and nothing is to be said of it.
    assert kept(fitted.policy("v1")) == ()
    priced = replace(fitted.predictor, models=("small", "medium"))
    assert kept(replace(known, predictor=priced)) is None
    more = audited(200, rng)
    log.append([more])
    assert kept() is None
    forget(log, choose(log, ids=[more.outcomes[0].id]))
    assert kept() is None


def test_a_chain_is_fitted_anew_where_the_same_answers_are_graded_otherwise(home) -> None:
    rng, log = np.random.default_rng(0), Log(home)
    entries = [audited(number, rng) for number in range(60)]
    log.append(entries)
    fitted, plan = fitted_chain(home)
    known = fitted.policy("v1", plan)
    with log.open() as connection:
        then = AuditedAnswers.of_log(connection)
        manifest = {"objective": asdict(WORTH), "chain_fitted_on": asdict(then)}
        assert kept_chain(connection, known, manifest, fitted, WORTH) is not None
    log.append([Entry(feedback=tuple(feedback(one.id, 0.0) for entry in entries for one in entry.outcomes))])
    with log.open() as connection:
        now = AuditedAnswers.of_log(connection)
        assert (now.answers, now.graded, now.right) == (then.answers, then.graded, 0.0)
        assert kept_chain(connection, known, manifest, fitted, WORTH) is None
