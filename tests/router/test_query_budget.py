"""One query's money over all the calls that it leads to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.policy.test_decide import CHEAP, GOOD, decided
from zetaroute.config import Budget
from zetaroute.domain import Attachment, Decision, FileNote, Prices, Query
from zetaroute.router.budget import QueryBudget, RunBudget, Spending

FREE = replace(CHEAP, id="free", prices=Prices(input=0, output=0))


@pytest.fixture
def decision() -> Decision:
    return decided(arms=(FREE, CHEAP, GOOD))


def priced(decision: Decision) -> list[str]:
    """Return the models that cost something, the cheapest first."""
    return sorted(
        (one.model for one in decision.candidates if decision.expected_usd(one.model) > 0),
        key=decision.expected_usd,
    )


def test_what_answers_cost_in_truth_counts_beside_what_the_next_may(decision: Decision) -> None:
    dear = priced(decision)[-1]
    query_budget = QueryBudget(
        decision, spending=[Spending(Budget())], most_usd=decision.expected_usd(dear) + 0.002
    )
    assert query_budget.open()
    assert query_budget.after_answer(dear, 0.002)
    assert not query_budget.after_answer(dear, 0.0021)
    assert query_budget.refused == [dear]


@pytest.mark.parametrize("perhaps_billed", [False, True])
def test_a_try_that_may_be_billed_counts_as_paid(decision: Decision, perhaps_billed: bool) -> None:
    dear = priced(decision)[-1]
    query_budget = QueryBudget(
        decision, spending=[Spending(Budget())], most_usd=1.9 * decision.expected_usd(dear)
    )
    assert query_budget.open()
    assert query_budget.after_answer(dear, 0.0)
    assert query_budget.after_failure(dear, perhaps_billed) is not perhaps_billed


def test_what_files_cost_is_held_too() -> None:
    note = FileNote(name="a.txt", media_type="text/plain", sha256="", size=400_000)
    file = Attachment(note=note, kind="text", content=b"x" * 400_000)
    words = decided(forced="good").expected_usd("good")
    both = decided(forced="good", query=Query(text="hello there", task="greeting", attachments=(file,)))
    assert both.expected_usd("good") == pytest.approx(words + 0.5, abs=0.001)
    run = RunBudget(0.5)
    assert not QueryBudget(both, spending=[Spending(Budget())], run=run).open()


def test_one_failure_counts_once_however_many_models_are_refused_after_it(decision: Decision) -> None:
    cheap, dear = priced(decision)[0], priced(decision)[-1]
    most_usd = decision.expected_usd(dear) + 1.5 * decision.expected_usd(cheap)
    query_budget = QueryBudget(decision, spending=[Spending(Budget())], most_usd=most_usd)
    assert query_budget.open()
    assert query_budget.after_answer(dear, 0.0)
    assert not query_budget.after_failure(dear, perhaps_billed=True)
    assert query_budget.after_failure(cheap, perhaps_billed=True)


def test_budgets_hold_the_first_try_beside_the_next_and_get_back_what_was_not_paid(
    decision: Decision,
) -> None:
    dear = priced(decision)[-1]
    cost = decision.expected_usd(dear)
    spending, run = Spending(Budget(daily_usd=1.5 * cost)), RunBudget(2.5 * cost)
    query_budget = QueryBudget(decision, spending=[spending], run=run)
    assert query_budget.open()
    assert query_budget.after_answer(dear, 0.4 * cost)
    assert run.left_usd() == pytest.approx(1.1 * cost)
    assert not query_budget.after_answer(dear, 0.6 * cost)
    query_budget.close(0.6 * cost)
    assert spending.left_usd()[0] == pytest.approx(0.9 * cost)
    assert run.left_usd() == pytest.approx(1.9 * cost)


def test_used_up_budget_leaves_what_costs_nothing(decision: Decision) -> None:
    free = next(one.model for one in decision.candidates if decision.expected_usd(one.model) == 0)
    spending = Spending(Budget(daily_usd=0.0))
    query_budget = QueryBudget(decision, spending=[spending])
    assert query_budget.open()
    assert query_budget.after_answer(free, 0.1)
    assert not query_budget.after_answer(priced(decision)[0], 0.1)


def test_only_who_names_a_model_has_chosen_its_price() -> None:
    for decision, refused in ((decided(forced="good"), False), (decided(kept="good"), True)):
        query_budget = QueryBudget(
            decision, spending=[Spending(Budget())], most_usd=1.5 * decision.expected_usd("good")
        )
        assert query_budget.open()
        assert query_budget.after_failure("good", perhaps_billed=True) is not refused
