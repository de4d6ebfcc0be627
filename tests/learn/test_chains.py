"""What a chain learns of a world whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.chains import ARMS, COST_USD, RIGHT, WORTH, best_single, forecast_of, made_rows
from zetaroute.learn.chain_labels import labelled, patterns
from zetaroute.learn.chains import ChainFit, agreeing_models, fit_chain, play_chain
from zetaroute.policy.asking import chain_models
from zetaroute.policy.chain.posterior import sigmoid


@pytest.fixture(scope="module")
def fit() -> ChainFit:
    found = fit_chain(made_rows(300), ARMS)
    assert found is not None
    return found


def test_agreement_tells_right_from_wrong(fit) -> None:
    posterior, prior = fit.plan.posterior, fit.rows.prior[:1]
    agree, differ = np.ones((1, 3, 3)), np.ones((1, 3, 3))
    differ[0, [0, 1], [1, 0]] = 0.0
    after = {
        name: sigmoid(posterior.after(prior, (0, 1), prior, pair)[0])
        for name, pair in (("agree", agree), ("differ", differ))
    }
    # Two that agree are both right; of two that differ at least one is wrong, oftener the weaker one.
    assert after["agree"][:2] == pytest.approx([1.0, 1.0], abs=0.05)
    alone = [0.6 * 0.3, 0.7 * 0.4] / np.array(1 - 0.6 * 0.7)
    assert after["differ"][:2] == pytest.approx(alone, abs=0.12)


def test_the_chain_gains_what_it_is_worth_on_new_queries(fit) -> None:
    rows = made_rows(600, seed=1)
    plan = fit.guarded(ARMS, WORTH, otherwise=best_single(fit.rows))
    assert plan.serves
    played = play_chain(plan, rows, ARMS, WORTH)
    gain = played.utility(rows, WORTH, best_single(rows)) - best_single(rows)
    # Both cheap ones, and the large one where they differ (58%): right .972 at .0026 USD, against .9 at .004.
    worth = WORTH.answer_value_usd * (0.42 + 0.58 * 0.9) - 0.0003 - 0.58 * 0.004
    assert gain.mean() == pytest.approx(worth - (0.018 - 0.004), abs=0.0008)
    assert plan.gain_usd == pytest.approx(gain.mean(), abs=3 * plan.gain_se)
    assert played.expected_usd.mean() == pytest.approx(played.utility(rows, WORTH, gain).mean(), abs=0.0015)


def test_what_later_asks_cost_is_known_beforehand(fit) -> None:
    rows = made_rows(600, seed=1)
    for seconds_usd in (0.0, 0.0004):
        worth = replace(WORTH, second_value_usd=seconds_usd)
        state = fit.plan.begin(
            rows.texts[0], forecast_of(1), ARMS, worth, np.ones(3, dtype=bool), cell=0, guarded=False
        )
        assert state is not None
        spent = (play_chain(fit.plan, rows, ARMS, worth).asked * rows.cost_usd).sum(axis=1)
        first = COST_USD[fit.plan.models.index(state.next())]
        assert state.later_usd == pytest.approx(spent.mean() - first, rel=0.15)


def test_answers_that_tell_nothing_bring_no_gain() -> None:
    rows = made_rows(300, telling=False)
    found = fit_chain(rows, ARMS)
    assert found is not None
    assert not found.guarded(ARMS, WORTH, otherwise=best_single(rows)).serves


def test_missing_answers_are_learned_around(fit) -> None:
    rows = fit.rows
    gone = np.arange(300) % 3 == 0
    answers = tuple(
        (*row[:2], None) if missing else row for row, missing in zip(rows.answers, gone, strict=True)
    )
    right = np.where(gone[:, None] & (np.arange(3) == 2), np.nan, rows.right)
    found = fit_chain(replace(rows, answers=answers, right=right), ARMS)
    assert found is not None
    played = found.crossed(ARMS, WORTH)
    assert ((played.returned < 0) == gone).all()


def test_ungraded_answers_are_labelled_by_who_agrees() -> None:
    rows = made_rows(2000)
    graded = np.arange(2000) % 10 == 0
    gone = np.arange(2000) % 10 == 1
    right = np.where(graded[:, None], rows.right, np.nan)
    found = labelled(right, rows.agreements, ~gone)
    assert (found[graded] == rows.right[graded]).all()
    assert np.isnan(found[gone]).all()
    for number in np.unique(patterns(rows.agreements, (0, 1, 2))):
        here = (patterns(rows.agreements, (0, 1, 2)) == number) & ~gone & ~graded
        if here.sum() > 100:
            assert found[here].mean(axis=0) == pytest.approx(rows.right[here].mean(axis=0), abs=0.2)
    assert found[~gone].mean(axis=0) == pytest.approx(rows.right[~gone].mean(axis=0), abs=0.07)


def test_a_chain_of_few_grades_is_fitted_on_ungraded_answers_too() -> None:
    rows, marked = made_rows(600, seed=3), made_rows(600, seed=1)
    few = replace(rows, right=np.where(np.arange(600)[:, None] < 50, rows.right, np.nan))
    found = fit_chain(few, ARMS)
    assert found is not None
    # All that were answered count as known kinds, and the guard goes by what was graded alone.
    assert found.plan.kinds.sum() == 1800
    assert (found.crossed(ARMS, WORTH).returned >= 0).sum() == 50
    alone = best_single(marked)
    assert (
        play_chain(found.plan, marked, ARMS, WORTH).utility(marked, WORTH, alone).mean()
        > alone.mean() + 0.0015
    )


def test_too_few_rows_make_no_chain() -> None:
    assert fit_chain(made_rows(39), ARMS) is None


def test_arms_of_a_chain_are_each_better_than_every_cheaper_one() -> None:
    assert chain_models(np.array(RIGHT), np.array(COST_USD)) == (0, 1, 2)
    assert chain_models(np.array([0.5, 0.4, 0.6, 0.7, 0.8]), np.array([1.0, 2, 3, 4, 5])) == (2, 3, 4)
    assert chain_models(np.array([0.5, 0.4, 0.3, 0.9]), np.array([1.0, 2, 3, 4])) == (0, 1, 3)
    assert chain_models(np.array([0.5, np.nan, 0.6]), np.array([1.0, 2, np.nan])) == (0,)


def test_other_arms_are_taken_only_where_their_agreement_is_clearly_worth_more(fit) -> None:
    rows = fit.rows
    # A fourth arm that is right as often as the small one, at twice its price, and repeats what the medium one says.
    right = np.column_stack([rows.right[:, 0], rows.right[:, 1], rows.right[:, 1], rows.right[:, 2]])
    answers = tuple((row[0], row[1], row[1], row[2]) for row in rows.answers)
    cost = np.array([COST_USD[0], COST_USD[1], COST_USD[1] * 1.1, COST_USD[2]])
    assert agreeing_models((1, 2, 3), right, cost, answers, WORTH) in {(0, 1, 3), (0, 2, 3)}
    assert agreeing_models((0, 1, 3), right, cost, answers, WORTH) == (0, 1, 3)
    assert agreeing_models((0, 3), right, cost, answers, WORTH) == (0, 3)


def test_two_are_asked_at_once_where_waiting_is_expensive(fit) -> None:
    hasty = replace(WORTH, second_value_usd=0.0004)
    played = play_chain(fit.plan, fit.rows, ARMS, hasty)
    both = played.asked[:, 0] & played.asked[:, 1]
    assert both.mean() > 0.9
    # Beside one another they take as long as the slower one.
    assert played.seconds[both & ~played.asked[:, 2]] == pytest.approx(1.0)
