"""The limit on what challengers may lose is what the config says, and a small one is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zetaroute.config import Challengers, Objective
from zetaroute.lifecycle.regret import regret_limit_usd, regret_warning


@pytest.mark.parametrize(
    ("challengers", "limit"),
    [
        (Challengers(), None),
        (Challengers(max_regret_usd=3.0), 3.0),
        (Challengers(max_regret_share=0.1), 5.0),
    ],
)
def test_the_limit_is_an_amount_or_a_share_of_what_the_answers_of_a_month_are_worth(
    settings, challengers, limit
):
    assert regret_limit_usd(replace(settings, challengers=challengers), 50.0) == limit


def test_answers_that_are_worth_nothing_leave_a_limit_above_nothing(settings):
    limited = replace(settings, challengers=Challengers(max_regret_share=0.5))
    assert regret_limit_usd(limited, -3.0) == 0.5 * settings.objective.answer_value_usd


def test_a_limit_of_less_than_a_hundred_answers_is_told_in_one_sentence(settings):
    cheap = replace(settings, objective=Objective(answer_value_usd=0.01))
    assert regret_warning(cheap, None) is None
    assert regret_warning(cheap, 1.0) is None
    told = regret_warning(cheap, 0.5)
    assert told is not None
    assert "0.5 USD" in told
    assert "100 right answers (1 USD)" in told
