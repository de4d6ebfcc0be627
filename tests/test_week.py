"""The week on recordings: what a single model is worth, and that an office's config is one."""

from __future__ import annotations

import polars as pl
import pytest

from benchmarks.week.__main__ import OFFICES, _config, _singles, _usd
from zetaroute.config import parse_settings


@pytest.mark.parametrize("office", OFFICES, ids=lambda office: office.name)
def test_the_config_of_an_office_names_its_models_and_values(office):
    settings = parse_settings(_config(office), file=None)
    assert [arm.id for arm in settings.arms] == [f"recorded/{model}" for model in office.models]
    assert settings.objective.answer_value_usd == office.answer_value_usd
    assert settings.objective.second_value_usd == office.second_value_usd


def test_a_single_model_is_worth_its_right_answers_less_money_and_seconds():
    office = OFFICES[1]
    rows = pl.DataFrame(
        {
            "model": ["a", "a", "b", "b"],
            "score": [1.0, 0.0, 1.0, 1.0],
            "cost_usd": [0.001, 0.001, 0.08, 0.08],
            "latency_s": [2.0, None, 2.0, 2.0],
        }
    )
    (best, right, usd, worth), other = _singles(rows, office)
    assert (best, right, usd) == ("a", 0.5, 0.001)
    assert worth == pytest.approx(0.1 * 0.5 - 0.001 - 0.0005 * 1.0)
    assert other[3] == pytest.approx(0.1 - 0.08 - 0.0005 * 2.0)


def test_money_below_zero_begins_with_its_sign():
    assert _usd({"value": -0.5, "low": -1.0, "high": 0.25}) == "-$0.50 [-$1.00, $0.25]"
    assert _usd({"value": None, "low": None, "high": None}) == "nothing that can be told"
