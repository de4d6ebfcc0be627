"""Practice models as a provider: real time, real pieces, a known cost."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from zetaroute.domain import Arm, Completion, Prices, Query
from zetaroute.errors import ProviderError
from zetaroute.practice.practice_models import MODELS
from zetaroute.providers.base import OnText
from zetaroute.providers.practice_provider import PracticeProvider

QUERY = Query(text="What is 2 + 3?")
ARM = Arm(id="practice/large", provider="practice", model="large", prices=Prices(input=2.0, output=4.0))


def ask(arm: Arm, on_text: OnText | None = None) -> Completion:
    return asyncio.run(PracticeProvider(MODELS).complete(arm, QUERY, on_text))


@pytest.mark.parametrize("model", sorted(MODELS))
def test_the_answer_and_its_cost_are_those_of_the_model(model: str) -> None:
    truth = MODELS[model].answer(QUERY.text)
    pieces: list[str] = []
    arm = replace(ARM, model=model, delay=0.0)
    streamed, plain = ask(arm, pieces.append), ask(arm)
    assert tuple(pieces) == truth.pieces
    assert streamed.text == plain.text == truth.text
    assert streamed.served_model == model
    assert (plain.input_tokens, plain.output_tokens) == (truth.input_tokens, truth.output_tokens)
    assert plain.cost_usd == pytest.approx((truth.input_tokens * 2.0 + truth.output_tokens * 4.0) / 1e6)
    assert plain.ttft_s is None
    assert streamed.ttft_s is not None


def test_the_time_is_real_and_scales_with_the_delay() -> None:
    truth = MODELS["large"].answer(QUERY.text)
    whole_s = truth.think_s + truth.piece_s * (len(truth.pieces) - 1)
    for on_text in (None, lambda _: None):
        began = time.perf_counter()
        completion = ask(replace(ARM, delay=3.0), on_text)
        assert 3 * whole_s <= completion.response_s <= time.perf_counter() - began
        assert completion.ttft_s is None or completion.ttft_s >= 3 * truth.think_s
    assert min(ask(replace(ARM, delay=0.0)).response_s for _ in range(20)) < whole_s


def test_no_price_no_cost() -> None:
    assert ask(replace(ARM, prices=None, delay=0.0)).cost_usd is None


def test_a_model_that_does_not_exist_names_those_that_do() -> None:
    with pytest.raises(ProviderError, match="'huge'; choose one of large, medium, small") as caught:
        ask(replace(ARM, model="huge"))
    assert (caught.value.kind, caught.value.retryable) == ("unsupported", False)
