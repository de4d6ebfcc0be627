"""What things are worth where money counts more."""

from __future__ import annotations

from dataclasses import replace

from zetaroute.domain import Objective


def test_a_higher_price_of_money_makes_everything_else_worth_less() -> None:
    stated = Objective(answer_value_usd=0.01, satisfaction_value_usd=0.0, second_value_usd=0.001)
    assert stated.at_price(1.0) is stated
    assert stated.at_price(4.0).answer_value_usd == 0.0025
    assert all(stated.at_price(price).is_at_price(stated) for price in (1.0, 1.3, 7.7, 1000.0))
    assert not stated.is_at_price(stated.at_price(2.0))
    assert not replace(stated, second_value_usd=0.0005).is_at_price(stated)
    assert not replace(stated, satisfaction_value_usd=0.001).is_at_price(stated)
