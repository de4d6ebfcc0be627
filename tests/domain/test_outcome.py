"""What a completion tells of itself."""

from __future__ import annotations

import math

import pytest

from zetaroute.domain import Completion


def completion(*logprobs: object) -> Completion:
    told = tuple({"logprob": one} for one in logprobs)
    return Completion(
        text="5", served_model=None, finish_reason=None, ttft_s=None, response_s=1.0, logprobs=told
    )


def test_log_probabilities_come_down_to_three_figures_whatever_a_server_sends() -> None:
    told = (-3.0, -0.5, *[-0.125] * 18)
    figures = (-3.0, -0.125, pytest.approx((-3.0 - 0.5 - 0.125 * 18) / 20))
    assert completion(*told).logprob_figures == figures
    assert completion(None, *told, "-1", -math.inf, math.nan).logprob_figures == figures
    assert completion().logprob_figures is completion(None).logprob_figures is None
